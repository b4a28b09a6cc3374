"""``evaluate`` on files: picks against truth, with shapes and sizes from the micrographs."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError, LabelError, MicrographError, option
from frostpick.evaluation import Truth, evaluate
from frostpick.evaluation.matching import Rule
from frostpick.images import PixelSizes, read_header
from frostpick.types import Micrograph, Picks
from frostpick_jobs.commands.verdict import verdict
from frostpick_jobs.formats import PickTable, read_pick_files
from frostpick_jobs.inputs.find import find_micrographs
from frostpick_jobs.inputs.label_matching import match_names
from frostpick_jobs.inputs.twice import refuse_picks_twice

log = logging.getLogger(__name__)

RULES: tuple[Rule, ...] = ("quarter", "half", "iou50")


def score_files(
    picks: Sequence[str],
    truth: Sequence[str],
    diameter_A: float,
    pixel_size_A: float | None = None,
    micrographs: Sequence[str] = (),
    threshold: float | None = None,
    *,
    allow_missing: bool = False,
) -> dict[str, Any]:
    """Score files of picks against files of truth.

    Parameters
    ----------
    picks, truth
        Files, folders or patterns in any readable format.
    diameter_A
        Longest dimension of the particle in Angstrom.
    pixel_size_A
        Pixel size where no micrograph header tells it; without micrographs it is needed.
    micrographs
        The micrographs to score. Their shapes define the border; every pick on one that
        the truth does not name is false. Without them the micrographs of the truth are
        scored, and no particle counts as cut by the border.
    threshold
        Also report precision and recall at this score.
    allow_missing
        Go on without folders that cannot be read, with a warning.

    Returns
    -------
    dict
        One entry for each rule of matching, and the counts; ``not_scored`` has the ids of
        micrographs that could not be read, where there are some.

    Raises
    ------
    InputError
        A file cannot be read, no pixel size is known, or no name matches.
    """
    for name, value in (("diameter", diameter_A), ("pixel_size", pixel_size_A)):
        if value is not None and not value > 0:
            raise InputError(f"{option(name)} is {value:g}, expected a number of Angstrom above 0")
    true_tables, pick_tables = (
        read_pick_files(files, allow_missing=allow_missing) for files in (truth, picks)
    )
    sizes: dict[str, float] = {}
    shapes: dict[str, tuple[int, int]] = {}
    lost: list[str] = []
    if micrographs:
        listed = find_micrographs(micrographs, allow_missing=allow_missing)
        ids = _headers(listed, pixel_size_A, sizes, shapes)
        lost = [one.id for one in listed if one.id not in sizes]
    else:
        if pixel_size_A is None:
            raise InputError(
                f"no pixel size; give {option('pixel_size')}, "
                f"or {option('micrographs')} with headers"
            )
        ids = list(dict.fromkeys(n for t in true_tables for n in t.micrograph))
        sizes = dict.fromkeys(ids, pixel_size_A)
    diameters = {name: diameter_A / size for name, size in sizes.items()}
    truths: dict[str, Truth] = {}
    for name, table_, rows in _matched(true_tables, ids, "truth", sizes):
        one = _truth(name, table_, rows, sizes[name], diameters[name], shapes.get(name))
        truths[name] = _joined(truths[name], one) if name in truths else one
    if not truths:
        raise LabelError("no micrograph of the truth is among those to score; check the names")
    found = _picks(pick_tables, ids, sizes)
    scored = list(sizes) if micrographs else None
    told = all(one.probability is not None for one in pick_tables)
    figures: dict[str, Any] = {"micrographs": len(scored or truths), "diameter_A": diameter_A}
    if lost:
        figures["not_scored"] = lost
    for rule in RULES:
        result = evaluate(found, truths, diameters, shapes, rule, micrographs=scored)
        figures[rule] = result.as_dict()
        if not told:
            # Scores of other programs are no log-odds: there is nothing to calibrate.
            figures[rule]["calibration_error"] = None
        if threshold is not None:
            figures[rule]["at_threshold"] = asdict(result.at(threshold))
    return figures


def _headers(
    micrographs: Sequence[Micrograph],
    pixel_size_A: float | None,
    sizes: dict[str, float],
    shapes: dict[str, tuple[int, int]],
) -> list[str]:
    """Fill in pixel sizes and shapes of those whose header can be read; return the ids of all.

    The others are named and not scored, nor are their picks and their truth.
    """
    known = PixelSizes(pixel_size_A)
    lost = []
    for one in micrographs:
        try:
            with one.source.fetch() as path:
                header = read_header(path, one.id)
        except MicrographError as error:
            log.warning("not scored: %s", error)
            lost.append(one.id)
            continue
        shapes[one.id] = header.shape
        sizes[one.id] = known.of(one, header.pixel_size_A)
    if lost:
        log.warning("%d of %d micrographs cannot be read", len(lost), len(micrographs))
    if len(lost) == len(micrographs):
        raise InputError(
            f"none of the {len(lost)} micrographs can be read, the first is {lost[0]}; see above"
        )
    return [one.id for one in micrographs]


def _matched(
    tables: Sequence[PickTable], ids: Sequence[str], what: str, scored: Collection[str]
) -> Iterator[tuple[str, PickTable, NDArray[np.int64]]]:
    """Yield ``(id, table, rows)`` for every name that belongs to a micrograph that is scored."""
    names = list(dict.fromkeys(name for one in tables for name in one.micrograph))
    # a name of a micrograph that cannot be read must not go to one with the same file name
    matched = match_names(names, ids, what)
    refuse_picks_twice(tables, matched)
    for one in tables:
        for name, rows in one.rows_by_micrograph().items():
            if matched.get(name) in scored:
                yield matched[name], one, rows


def _truth(
    name: str,
    table: PickTable,
    rows: NDArray[np.int64],
    pixel_size_A: float,
    diameter_px: float,
    shape: tuple[int, int] | None,
) -> Truth:
    """Take the file's own word on which particles are cut by the border, where it has one."""
    rows = rows[table.signs[rows] > 0]
    if table.kind is not None:
        rows = rows[np.array([table.kind[row] == "particle" for row in rows], np.bool_)]
    x, y = table.centres(rows, pixel_size_A)
    edge = None if table.edge is None else table.edge[rows]
    return Truth.from_xy(name, x, y, edge=edge, diameter_px=diameter_px, shape=shape)


def _joined(a: Truth, b: Truth) -> Truth:
    columns = {n: np.concatenate([getattr(a, n), getattr(b, n)]) for n in ("x_px", "y_px", "edge")}
    return Truth(a.micrograph_id, **columns)


def _picks(
    tables: Sequence[PickTable], ids: Sequence[str], sizes: Mapping[str, float]
) -> dict[str, Picks]:
    parts: dict[str, list[Picks]] = {}
    tables = [_scored_or_not(one) for one in tables]
    for one in tables:
        if one.score is None:
            log.warning("%s: no scores; average precision means nothing", one.path)
    for name, table_, rows in _matched(tables, ids, "picks", sizes):
        x, y = table_.centres(rows, sizes[name])
        score = None if table_.score is None else table_.score[rows]
        probability = None if table_.probability is None else table_.probability[rows]
        some = Picks.from_xy(
            name, x, y, score=score, probability=probability, row=rows, source=table_.format
        )
        parts.setdefault(name, []).append(some)
    return {name: Picks.concat(found) for name, found in parts.items()}


def _scored_or_not(table_: PickTable) -> PickTable:
    """Leave scores away of which some are missing: they give no order."""
    if table_.score is None or np.isfinite(table_.score).all():
        return table_
    return replace(table_, score=None)


def table(figures: Mapping[str, Any]) -> str:
    """Return a verdict on the figures, and the figures as an aligned text table."""
    lines = [f"{figures['micrographs']} micrographs, diameter {figures['diameter_A']:g} A"]
    lines.append(verdict(figures))
    names = [key for key, value in figures[RULES[0]].items() if not isinstance(value, (str, dict))]
    width = max(map(len, names)) + 2
    lines.append("".ljust(width) + "".join(rule.rjust(12) for rule in RULES))
    for name in names:
        cells = (figures[rule].get(name) for rule in RULES)
        lines.append(name.ljust(width) + "".join(_cell(cell).rjust(12) for cell in cells))
    points = [figures[rule].get("at_threshold") for rule in RULES]
    if points[0] is not None:
        lines.append(f"picks with a score of at least {points[0]['threshold']:g}")
        for name in ("n_picks", "precision", "recall", "f1"):
            cells = (point[name] for point in points)
            lines.append(name.ljust(width) + "".join(_cell(cell).rjust(12) for cell in cells))
    lines.append(
        "A pick is right within a quarter or a half of the diameter of a centre, or when the "
        "boxes share half of their union (iou50)."
    )
    if any(figures[rule].get("n_ignored") for rule in RULES):
        lines.append("Ignored, neither right nor wrong: picks at particles cut by the border.")
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
