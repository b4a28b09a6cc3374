"""All figures of one run: picks of the test micrographs against the truth."""

from __future__ import annotations

import csv
import importlib.util
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accuracy.bootstrap import resampled_ap
from accuracy.draws import folded_tilt, seen_views
from accuracy.matching import Matched, match_picks
from accuracy.sets import MASK_KINDS, BenchSet, Split
from accuracy.truth_table import TruthTable
from frostpick.evaluation import Border, Evaluation, Rule, Truth, evaluate
from frostpick.evaluation.truth import border_distance
from frostpick.types import Picks

#: Folded tilt and rotation are cut into as many bins of equal solid angle.
TILT_BINS, ROT_BINS = 3, 3
#: What lies nearer to the border than this many pixels lies on it.
ON_BORDER_PX = 4.0
#: A bin of fewer particles says nothing.
FEWEST_IN_BIN = 20


@dataclass(frozen=True)
class Picked:
    """What a picking job wrote.

    Parameters
    ----------
    picks
        All picks above the floor by micrograph, without extension.
    threshold
        Lowest selected score; +inf when nothing was selected.
    """

    picks: Mapping[str, Picks]
    threshold: float


def read_picked(path: Path) -> Picked:
    """Read the ``picks.csv`` of a job."""
    columns: dict[str, list[tuple[float, ...]]] = {}
    with path.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            values = (row["x_px"], row["y_px"], row["score"], row["probability"], row["selected"])
            name = row["micrograph"].removesuffix(".mrc")
            columns.setdefault(name, []).append(tuple(map(float, values)))
    picks: dict[str, Picks] = {}
    lowest = np.inf
    for name, rows in columns.items():
        x, y, score, probability, selected = np.array(rows).T
        picks[name] = Picks.from_xy(name, x, y, score=score, probability=probability)
        lowest = min(lowest, float(np.min(score[selected > 0], initial=np.inf)))
    return Picked(picks, lowest)


def measure(
    data: BenchSet, split: Split, picked: Picked, recall_of_reference: float | None
) -> dict[str, Any]:
    """Return every figure as JSON values.

    False picks near the border count, those on particles that are cut by it do not. Under
    ``border_ignored`` are the figures that leave all unmatched picks near the border out, as
    the scorer of the development data and the recorded pickers do; ``false_kinds``, which is
    set beside theirs, is counted in that way too.

    Parameters
    ----------
    split
        The test half, or one resampled to another pixel size.
    recall_of_reference
        False picks are counted by kind down to this recall.
    """
    scale = split.shape[1] / data.test.shape[1]
    diameter = data.diameter_px * scale
    found = _evaluate(split, picked, diameter)
    by_squares = _evaluate(split, picked, diameter, "iou50")
    matched = match_picks(picked.picks, split.truth, split.names, split.shape, diameter)
    if abs(matched.average_precision() - found.ap) > 1e-9:
        raise RuntimeError(f"{data.name}: AP {found.ap} and {matched.average_precision()}")
    at = found.at(picked.threshold)
    expected = sum(float(p.probability.sum()) for p in picked.picks.values())
    figures: dict[str, Any] = {
        "ap": found.ap,
        "best_f1": found.best_f1,
        "best_f1_iou50": by_squares.best_f1,
        "auto_precision": at.precision,
        "auto_recall": at.recall,
        "auto_f1": at.f1,
        "auto_threshold": picked.threshold if np.isfinite(picked.threshold) else None,
        "ece": found.ece,
        "localisation": _share(found.localisation_mean_px, diameter),
        "border_ignored": _border_ignored(split, picked, diameter),
        "border_false": border_false(matched, split, diameter, picked.threshold),
        "picks": found.n_picks,
        "selected": at.n_picks,
        "particles": found.n_true,
        "micrographs": len(split.names),
        "expected_per_test_micrograph": expected / len(split.names),
        "true_per_test_micrograph": split.mean_count,
        "resampled_ap": [round(v, 5) for v in resampled_ap(matched, data.name).tolist()],
        "terciles": precision_by_defocus(matched, split, picked.threshold),
        "views": recall_by_view(matched, picked.threshold),
        "halves": recall_by_half(matched, data.train.truth, picked.threshold),
    }
    if recall_of_reference is not None and split.masks is not None:
        inside = match_picks(
            picked.picks, split.truth, split.names, split.shape, diameter, "ignored"
        )
        figures["false_kinds"] = false_kinds(inside, split, diameter, recall_of_reference)
    return figures


def _border_ignored(split: Split, picked: Picked, diameter: float) -> dict[str, float]:
    found = _evaluate(split, picked, diameter, border="ignored")
    by_squares = _evaluate(split, picked, diameter, "iou50", "ignored")
    at = found.at(picked.threshold)
    return {
        "ap": found.ap,
        "best_f1": found.best_f1,
        "best_f1_iou50": by_squares.best_f1,
        "auto_precision": at.precision,
        "auto_recall": at.recall,
    }


def border_false(
    matched: Matched, split: Split, diameter_px: float, threshold: float
) -> dict[str, float]:
    """Return the selected false picks a micrograph on the border and within a radius of it."""
    away = border_distance(matched.x_px, matched.y_px, split.shape)
    wrong = ~matched.true & (matched.score >= threshold)
    return {
        "on": float(np.sum(wrong & (away < ON_BORDER_PX)) / len(split.names)),
        "radius": float(np.sum(wrong & (away < diameter_px / 2)) / len(split.names)),
    }


def _share(length: float | None, diameter: float) -> float | None:
    return None if length is None else length / diameter


def _evaluate(
    split: Split,
    picked: Picked,
    diameter: float,
    rule: Rule = "quarter",
    border: Border = "scored",
) -> Evaluation:
    particles = split.truth.particles
    truths = {}
    for name in split.names:
        one = particles.on(name)
        truths[name] = Truth.from_xy(name, one.x_px, one.y_px, edge=one.edge)
    shapes = dict.fromkeys(split.names, split.shape)
    return evaluate(picked.picks, truths, diameter, shapes, rule, border=border)


def precision_by_defocus(
    matched: Matched, split: Split, threshold: float
) -> list[dict[str, float]] | None:
    """Return right and all picks at a threshold of each third of the micrographs by defocus.

    None where there are not three, or not of all the defocus is known.
    """
    if len(split.names) < 3 or set(split.names) - set(split.defocus_A):
        return None
    order = sorted(range(len(split.names)), key=lambda k: split.defocus_A[split.names[k]])
    rows = []
    for part in np.array_split(np.array(order), 3):
        chosen = np.isin(matched.micrograph, part) & (matched.score >= threshold)
        at = [split.defocus_A[split.names[k]] / 1e4 for k in part]
        rows.append(
            {
                "defocus_um": float(np.mean(at)),
                "true": int(matched.true[chosen].sum()),
                "picks": int(chosen.sum()),
            }
        )
    return rows


def view_bins(particles: TruthTable) -> NDArray[np.int64]:
    """Return the bin of every particle's view, ``(n,)``; bins have the same solid angle."""
    up = np.cos(np.deg2rad(folded_tilt(particles)))
    tilt = np.minimum((up * TILT_BINS).astype(np.int64), TILT_BINS - 1)
    rot = np.minimum(((particles.rot % 180.0) / 180.0 * ROT_BINS).astype(np.int64), ROT_BINS - 1)
    return np.asarray(tilt * ROT_BINS + rot)


def recall_by_view(matched: Matched, threshold: float) -> list[dict[str, float]] | None:
    """Return found and all particles of every bin of views, or None where views are unknown."""
    if not np.isfinite(matched.particles.tilt).all() or not len(matched.particles):
        return None
    bins = view_bins(matched.particles)
    found = matched.found_at >= threshold
    return [
        {"bin": k, "found": int(found[bins == k].sum()), "particles": int((bins == k).sum())}
        for k in range(TILT_BINS * ROT_BINS)
    ]


def worst_bin(views: list[dict[str, float]]) -> float | None:
    """Return the lowest recall over the bins that hold enough particles."""
    recalls = [v["found"] / v["particles"] for v in views if v["particles"] >= FEWEST_IN_BIN]
    return min(recalls) if recalls else None


def recall_by_half(
    matched: Matched, train: TruthTable, threshold: float
) -> dict[str, float] | None:
    """Return the recall of the views that half-view labels come from, and of the others."""
    if not np.isfinite(matched.particles.tilt).all() or not len(matched.particles):
        return None
    seen = seen_views(matched.particles, train)
    return {
        "seen": matched.recall(threshold, seen),
        "unseen": matched.recall(threshold, ~seen),
    }


def false_kinds(
    matched: Matched, split: Split, diameter_px: float, recall: float
) -> dict[str, int] | None:
    """Count the false picks above a recall by what lies under them; None if it is not reached.

    What the mask says at the pick; where it says background, the kind of a decoy within
    a quarter of the diameter.
    """
    reached = np.cumsum(matched.true) / max(1, len(matched.particles))
    last = int(np.searchsorted(reached, recall - 1e-12))
    if last >= len(reached):
        return None
    kinds: Counter[str] = Counter()
    wrong = np.flatnonzero(~matched.true[: last + 1])
    for number in np.unique(matched.micrograph[wrong]):
        name = split.names[number]
        mask, decoys = split.mask(name), split.truth.decoys.on(name)
        for k in wrong[matched.micrograph[wrong] == number]:
            kinds[_kind(matched.x_px[k], matched.y_px[k], mask, decoys, diameter_px)] += 1
    return dict(kinds)


def _kind(
    x: float, y: float, mask: NDArray[np.uint8] | None, decoys: TruthTable, diameter: float
) -> str:
    if mask is not None:
        # As the scorer of the development data looks it up.
        row = min(max(int(y), 0), mask.shape[0] - 1)
        label = int(mask[row, min(max(int(x), 0), mask.shape[1] - 1)])
        if label:
            return MASK_KINDS[label] if label < len(MASK_KINDS) else f"mask {label}"
    if len(decoys):
        away = np.hypot(decoys.x_px - x, decoys.y_px - y)
        if away.min() <= diameter / 4:
            return str(decoys.kind[int(np.argmin(away))])
    return MASK_KINDS[0]


@cache
def load_scorer(path: Path) -> Any:
    """Return the module ``score.py`` of the development data, or None without it or pandas."""
    if not path.exists() or importlib.util.find_spec("pandas") is None:
        return None
    spec = importlib.util.spec_from_file_location("development_data_score", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_against(
    scorer: Any, split: Split, picked: Picked, diameter_px: float, figures: Mapping[str, Any]
) -> None:
    """Stop when the independent scorer finds another AP, F1 or precision and recall.

    It leaves out unmatched picks near the border, and so do the figures it is held against.
    """
    import pandas as pd

    rows = [
        (name, x, y, s)
        for name in split.names
        if (one := picked.picks.get(name)) is not None
        for x, y, s in zip(one.x_px, one.y_px, one.score, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["image_name", "x_coord", "y_coord", "score"])
    p = split.truth.particles
    truth = pd.DataFrame(
        {"image_name": p.name, "x_coord": p.x_px, "y_coord": p.y_px, "edge": p.edge.astype(int)}
    )
    other = scorer.evaluate(
        truth, table, diameter_px, picked.threshold, modes=("dist", "boxiou"), shape=split.shape
    )
    same = (
        ("ap", "dist", "AP"),
        ("best_f1", "dist", "bestF1"),
        ("auto_precision", "dist", "P_default"),
        ("auto_recall", "dist", "R_default"),
        ("best_f1_iou50", "boxiou", "bestF1"),
    )
    for ours, rule, theirs in same:
        value = other[rule][theirs]
        mine = figures["border_ignored"][ours]
        if abs(mine - value) > 1e-6:
            raise SystemExit(f"{ours} is {mine:.6f} here, {value:.6f} by score.py")
