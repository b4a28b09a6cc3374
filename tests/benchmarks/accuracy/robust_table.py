"""The table of the robustness part, each figure beside that of the plain run."""

from __future__ import annotations

from collections.abc import Sequence

from accuracy.runs import PRIOR_AND_PIXEL
from accuracy.summary import Cell, Result, cells
from accuracy.text_table import markdown, number


def robustness_table(results: Sequence[Result]) -> str:
    """Return AP and F1 of wrong priors and other pixel sizes beside the plain run."""
    plain = {_place(cell): cell for cell in cells(results)}
    rows = []
    for kind in PRIOR_AND_PIXEL:
        for cell in cells(results, kind):
            base = plain.get(_place(cell))
            if base is not None:
                rows.append(_row(kind, cell, _same_draws(base, cell)))
    header = ("what", "set, labels", "start", "draws", "AP", "plain", "F1", "plain", "loc/D")
    return markdown(header, rows)


def _row(kind: str, cell: Cell, base: Cell) -> list[str]:
    return [
        kind.replace("_", ": "),
        f"{cell.set}, {cell.labels}",
        cell.start,
        str(len(cell.results)),
        number(cell.mean("ap")),
        number(base.mean("ap")),
        number(cell.mean("auto_f1")),
        number(base.mean("auto_f1")),
        number(cell.mean("localisation")),
    ]


def empties_table(results: Sequence[Result]) -> str:
    """Return what is picked where nothing is, as a share of the mean count, in per cent."""
    rows = []
    for cell in cells(results, "empty"):
        share = {
            kind: 100 * cell.mean(lambda r, k=kind: empty_share(r, k))
            for kind in ("blank", "carbon")
        }
        row = [f"{cell.set}, {cell.labels}", cell.start, str(len(cell.results))]
        rows.append([*row, *(number(share[k], 2) for k in ("blank", "carbon"))])
    return markdown(("set, labels", "start", "draws", "blank %", "carbon %"), rows)


def empty_share(result: Result, kind: str) -> float:
    """Return the selected picks on an empty micrograph over those on the others, of one run."""
    counts = result[f"selected_on_{kind}"]
    mean = result["selected_per_micrograph"]
    return float(sum(counts) / len(counts) / mean) if mean else float("nan")


def half_views_table(results: Sequence[Result]) -> str:
    """Return the recall of views that were labelled and of the others, beside plain draws."""
    rows = []
    plain = {_place(cell): cell for cell in cells(results)}
    for cell in cells(results, "half_views"):
        known = plain.get(_place(cell))
        base = _same_draws(known, cell) if known else None
        words = [f"{cell.set}, {cell.labels}", cell.start, str(len(cell.results))]
        for one in (cell, base):
            for half in ("seen", "unseen"):
                value = one.mean(lambda r, h=half: (r["halves"] or {}).get(h)) if one else None
                words.append(number(value))
        words += [number(cell.mean("ap")), number(base.mean("ap") if base else None)]
        rows.append(words)
    header = ("set, labels", "start", "draws", "seen", "unseen", "plain: seen", "plain: unseen")
    header = (*header, "AP", "plain: AP")
    return markdown(header, rows)


def _place(cell: Cell) -> tuple[str, str, str]:
    return cell.start, cell.set, cell.labels


def _same_draws(base: Cell, cell: Cell) -> Cell:
    """Return the plain runs of the same draws, so that like is beside like."""
    draws = {r["draw"] for r in cell.results}
    kept = tuple(r for r in base.results if r["draw"] in draws)
    return Cell(base.set, base.labels, base.start, base.simulated, kept)
