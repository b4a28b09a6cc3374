"""Results of a pruning or verifying job on a folder."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.runtime.atomic import write_text
from frostpick.types import REASONS, Decisions
from frostpick_jobs.folder.prune_inputs import PruneInputs
from frostpick_jobs.formats import StarTable, write_star_blocks
from frostpick_jobs.formats.star_rows import copy_rows

KEPT, REJECTED, VERIFIED, SCORES = "kept.star", "rejected.star", "verified.star", "scores.csv"
_WORST = -999.0


def write_decisions(out: Path, inputs: PruneInputs, decisions: Decisions, *, verify: bool) -> None:
    """Write every row to one of kept and rejected, or all to one file, and the table of scores.

    Particles of a STAR file are written line by line as they stand there, with its optics
    table; picks as whole pixels with the score as figure of merit.
    """
    write_text(out / SCORES, _scores(inputs, decisions))
    if verify:
        _write(out / VERIFIED, inputs, decisions, np.ones(len(decisions), np.bool_))
        return
    _write(out / KEPT, inputs, decisions, decisions.keep)
    _write(out / REJECTED, inputs, decisions, ~decisions.keep)


def _write(
    path: Path, inputs: PruneInputs, decisions: Decisions, chosen: NDArray[np.bool_]
) -> None:
    if inputs.particles is not None and not inputs.is_stack:
        copy_rows(inputs.particles, path, chosen)
        return
    rows = np.flatnonzero(chosen)
    score = np.nan_to_num(decisions.score[rows], nan=_WORST)
    if inputs.particles is not None:
        images = [f"{row + 1:06d}@{inputs.particles}" for row in rows.tolist()]
        table = StarTable("particles", {"rlnImageName": images, "rlnAutopickFigureOfMerit": score})
        write_star_blocks(path, [table])
        return
    picks = inputs.pick_rows
    columns = {
        "rlnMicrographName": [picks.micrograph_id[row] or picks.name[row] for row in rows.tolist()],
        "rlnCoordinateX": np.floor(picks.x_px[rows] + 0.5),
        "rlnCoordinateY": np.floor(picks.y_px[rows] + 0.5),
        "rlnAutopickFigureOfMerit": score,
    }
    write_star_blocks(path, [StarTable("", columns)])


def _scores(inputs: PruneInputs, decisions: Decisions) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    spread = bool(np.isfinite(decisions.spread).any())
    kind = "micrograph" if inputs.picks else "image"
    position = ["x_px", "y_px"] if inputs.picks else []
    told = ["score", "probability", *(["spread"] if spread else []), "keep", "reason"]
    writer.writerow(["row", kind, *position, *told])
    for row in range(len(decisions)):
        place: list[str] = []
        if inputs.picks:
            picks = inputs.pick_rows
            name = picks.micrograph_id[row] or picks.name[row]
            place = [f"{picks.x_px[row]:.3f}", f"{picks.y_px[row]:.3f}"]
        elif inputs.is_stack:
            name = f"{row + 1:06d}@{inputs.particles}"
        else:
            name = inputs.particle_rows.image[row]
        numbers = [_number(decisions.score[row]), _number(decisions.probability[row])]
        if spread:
            numbers.append(_number(decisions.spread[row]))
        reason = REASONS[int(decisions.reason[row])]
        writer.writerow([row, name, *place, *numbers, int(decisions.keep[row]), reason])
    return text.getvalue()


def _number(value: float) -> str:
    return f"{value:.5g}" if np.isfinite(value) else ""
