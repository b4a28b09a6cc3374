"""Draw picks and write the folder in which a person judges them."""

from __future__ import annotations

import csv
import io
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.auditing.boxes import PX_PER_DIAMETER, boxes_around
from frostpick.auditing.strata import Index, cut_strata, draw_picks, stratum_of
from frostpick.errors import InputError
from frostpick.report.audit import audit_page, contact_sheet, pick_picture
from frostpick.runtime.atomic import write_text
from frostpick_jobs.tasks.audit.answers import COLUMNS
from frostpick_jobs.tasks.audit.kept import TABLE, Drawn, KeptAudit
from frostpick_jobs.tasks.audit.population import Population

FOLDER, PAGE, SHEET = "audit", "index.html", "sheet.png"
#: Most names that are tried for a folder.
MOST_FOLDERS = 1000


def draw_audit(
    spool: Path, population: Population, picks: int, seed: int, earlier: KeptAudit | None = None
) -> Path:
    """Draw picks, write pictures, page and table into a new folder, and return it.

    Nothing that is there is written over: the folder has the first name that is free. The
    job knows of it when it is whole.

    Parameters
    ----------
    earlier
        Draw more of its strata, beside what it has drawn; a stratum at a time, the best first.

    Raises
    ------
    InputError
        There is no pick, or none is left.
    FrostpickError
        A micrograph cannot be read.
    """
    scores = population.scores
    strata = cut_strata(scores, population.threshold, picks) if earlier is None else earlier.strata
    before = [] if earlier is None else earlier.drawn
    taken = _indices(population, before)
    chosen = draw_picks(strata, scores, population.part_of, seed + len(before), taken)
    if not len(chosen):
        raise InputError(f"{spool.parent}: every pick of this audit is drawn; none is left")
    # Neither the order nor the number tells the score.
    chosen = np.random.default_rng(seed + len(before) + 1).permutation(chosen)
    drawn = _drawn(population, chosen, stratum_of(strata, scores[chosen]), 1 + len(before))
    folder = _written(spool, population, drawn)
    draws = [] if earlier is None else list(earlier.draws)
    draws.append((os.path.relpath(folder, spool), drawn))
    KeptAudit(population.digest, strata, draws).write(spool)
    return folder


def _drawn(population: Population, chosen: Index, stratum: Index, first: int) -> list[Drawn]:
    starts = np.cumsum([0, *(len(one.score) for one in population.parts)])
    rows = []
    for number, (at, h) in enumerate(zip(chosen.tolist(), stratum.tolist(), strict=True), first):
        part = population.parts[population.part_of[at]]
        k = at - int(starts[population.part_of[at]])
        x, y, score = (float(values[k]) for values in (part.x_px, part.y_px, part.score))
        rows.append(Drawn(number, part.name, x, y, score, h))
    return rows


def _indices(population: Population, drawn: Sequence[Drawn]) -> Index:
    """Return where drawn picks stand among all."""
    number = {one.name: k for k, one in enumerate(population.parts)}
    starts = np.cumsum([0, *(len(one.score) for one in population.parts)])
    found = []
    for one in drawn:
        part = population.parts[number[one.micrograph]]
        same = (part.x_px == one.x_px) & (part.y_px == one.y_px) & (part.score == one.score)
        found += (starts[number[one.micrograph]] + np.flatnonzero(same)).tolist()
    return np.array(found, np.int64)


def _written(spool: Path, population: Population, drawn: Sequence[Drawn]) -> Path:
    pixels = {one.name: one.pixel_size_A for one in population.parts}
    by_name: dict[str, list[Drawn]] = {}
    for one in drawn:
        by_name.setdefault(one.micrograph, []).append(one)
    boxes: dict[int, NDArray[np.float32]] = {}
    for name, rows in by_name.items():
        found = boxes_around(
            population.micrograph(name),
            np.array([one.x_px for one in rows]),
            np.array([one.y_px for one in rows]),
            pixels[name],
            population.diameter_A,
        )
        boxes |= {one.number: box for one, box in zip(rows, found, strict=True)}
    diameter_A = population.diameter_A
    # not by tempfile: its folders are for one user, and a later chmod would drop the group's bit
    half_done = spool / f".audit-{uuid.uuid4().hex}"
    half_done.mkdir()
    try:
        pictures = {}
        for one in drawn:
            picture = pick_picture(boxes[one.number], one.number, PX_PER_DIAMETER, diameter_A)
            pictures[one.number] = picture
            (half_done / _name(one)).write_bytes(picture)
        (half_done / SHEET).write_bytes(contact_sheet(list(pictures.values())))
        names = [(one.number, _name(one)) for one in drawn]
        page = audit_page(_title(spool), names, diameter_A, TABLE, str(spool.parent))
        (half_done / PAGE).write_text(page, encoding="utf-8")
        write_text(half_done / TABLE, _table(drawn))
        return _named(half_done, spool.parent)
    except BaseException:
        shutil.rmtree(half_done, ignore_errors=True)
        raise


def _named(half_done: Path, job: Path) -> Path:
    """Give a folder the first free name of a job's folder."""
    for k in range(1, MOST_FOLDERS):
        place = job / (FOLDER if k == 1 else f"{FOLDER}-{k}")
        if not os.path.lexists(place):
            half_done.rename(place)
            return place
    raise InputError(f"{job}: it holds {MOST_FOLDERS - 1} audits; move some away")


def _table(drawn: Sequence[Drawn]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in drawn:
        x, y = f"{one.x_px:.1f}", f"{one.y_px:.1f}"
        writer.writerow([one.number, one.micrograph, x, y, _name(one), "", ""])
    return text.getvalue()


def _name(one: Drawn) -> str:
    return f"pick_{one.number:03d}.png"


def _title(spool: Path) -> str:
    return spool.parent.absolute().name
