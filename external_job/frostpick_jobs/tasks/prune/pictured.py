"""One micrograph of a pruning or verifying job, with its rows drawn on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.errors import MicrographError
from frostpick.images import PixelSizes
from frostpick.picking.preview import make_preview
from frostpick.picking.read import read_with_pixel_size
from frostpick.pruning.decide import ScoredRows
from frostpick.pruning.groups import Group, PickGroup
from frostpick.pruning.plan import PrunePlan
from frostpick.report.decisions import decisions_on_micrograph
from frostpick.report.figure import Figure
from frostpick.report.micrographs import picks_on_micrograph
from frostpick.types import REASONS, Decisions, LocalFile, Micrograph

#: Micrographs that are tried, the best first.
MOST_TRIED = 3
#: Grey and pixels of the sheet where there is no image.
_GROUND, _SIDE = 225, 600

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Ground:
    """A picture of a micrograph, ``(h, w)`` uint8, and its scale in pixels per Angstrom."""

    preview: NDArray[np.uint8]
    per_A: float


def rows_on_micrograph(
    groups: Sequence[Group],
    names: Sequence[str],
    rows: ScoredRows,
    decisions: Decisions,
    plan: PrunePlan,
    pruned: bool,
    title: Callable[[str], str],
) -> list[Figure]:
    """Draw the rows of the micrograph that tells most; nothing where no row has a place.

    Extracted particles are drawn on their micrograph where its file can be read, and on an
    empty sheet where it cannot.

    Parameters
    ----------
    names
        Micrographs by their numbers in ``rows.group``.
    pruned
        Whether rows were kept and rejected; else they are drawn with their probabilities.
    title
        What a micrograph is called, by its id.
    """
    order = np.argsort(rows.row, kind="stable")
    group, x_A, y_A = rows.group[order], rows.x_A[order], rows.y_A[order]
    placed = (group >= 0) & np.isfinite(x_A) & np.isfinite(y_A) & np.isfinite(decisions.score)
    if not placed.any():
        return []
    known = {one.name: one.micrograph for one in groups if isinstance(one, PickGroup)}
    shown, ground = 0, None
    for number in _most_telling(group[placed], decisions.keep[placed], pruned):
        shown = number
        micrograph = known.get(names[number]) or _named(names[number])
        ground = None if micrograph is None else _read(micrograph, plan)
        if ground is not None:
            break
    at = np.flatnonzero(placed & (group == shown))
    if ground is None:
        ground = _sheet(x_A[at], y_A[at], plan.geometry.diameter_A)
    return [_drawn(decisions, at, x_A[at], y_A[at], ground, plan, pruned, title(names[shown]))]


def _most_telling(group: NDArray[np.int64], keep: NDArray[np.bool_], pruned: bool) -> list[int]:
    """Return micrographs, those with many rows of both kinds first."""
    kept, every = np.bincount(group[keep]), np.bincount(group)
    kept = np.append(kept, np.zeros(len(every) - len(kept), kept.dtype))
    worth = np.minimum(kept, every - kept) if pruned else every
    best = np.lexsort((np.arange(len(every)), -every, -worth))
    return [int(one) for one in best[:MOST_TRIED] if every[one]]


def _named(name: str) -> Micrograph | None:
    """Return the micrograph that extracted particles name, if its file is there."""
    path = Path(name)
    return Micrograph(name, LocalFile(path)) if path.is_file() else None


def _read(micrograph: Micrograph, plan: PrunePlan) -> _Ground | None:
    """Return the picture of a micrograph; None when it cannot be read."""
    sizes = PixelSizes(plan.pixel_size_A, plan.geometry.diameter_A, quiet=True)
    try:
        image, pixel = read_with_pixel_size(micrograph, sizes)
    except MicrographError:
        return None
    preview = make_preview(image.data, plan.geometry.diameter_A / pixel, torch.device("cpu"))
    return _Ground(preview, preview.shape[1] / image.data.shape[1] / pixel)


def _sheet(x_A: Floats, y_A: Floats, diameter_A: float) -> _Ground:
    """Return an empty sheet that holds all places."""
    wide, tall = (float(max(v.max(), 0.0)) + diameter_A for v in (x_A, y_A))
    per_A = _SIDE / max(wide, tall)
    shape = (max(1, round(tall * per_A)), max(1, round(wide * per_A)))
    return _Ground(np.full(shape, _GROUND, np.uint8), per_A)


def _drawn(
    decisions: Decisions,
    at: NDArray[np.intp],
    x_A: Floats,
    y_A: Floats,
    ground: _Ground,
    plan: PrunePlan,
    pruned: bool,
    title: str,
) -> Figure:
    # a pixel of one Angstrom: places are in Angstrom
    diameter = plan.geometry.diameter_A
    if not pruned:
        every = np.ones(len(at), np.bool_)
        return picks_on_micrograph(
            ground.preview,
            x_A,
            y_A,
            decisions.score[at],
            every,
            scale=ground.per_A,
            diameter_px=diameter,
            title=title,
            pixel_size_A=1.0,
            one="row",
        )
    reasons = Counter(REASONS[one] for one in decisions.reason[at].tolist() if one)
    return decisions_on_micrograph(
        ground.preview,
        x_A,
        y_A,
        decisions.keep[at],
        ground.per_A,
        diameter,
        title,
        reasons,
        pixel_size_A=1.0,
    )
