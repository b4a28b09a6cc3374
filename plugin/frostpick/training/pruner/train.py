"""Fit a pruner to the data at hand: the last stage of its training.

From few labels, good and bad; or from good ones alone and the unlabelled rest (positive
and unlabelled). It starts from a pruner that knows what contaminants look like, and is
held near it, so that 20 labels a class cannot make it forget. What a picking network says
besides is dropped where there are labels of both kinds: it helps without any, makes no
difference from 20 of each on, and with 100 the fitted network is better alone, at half
the cost.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.models.card import CalibrationSpec
from frostpick.models.licence import licence_of
from frostpick.models.pruner.box_network import BoxNetwork
from frostpick.models.pruner.model import Pruner
from frostpick.models.pruner.registry import build_box_network
from frostpick.runtime.precision import native_precision
from frostpick.runtime.reporter import Reporter
from frostpick.training.pruner.augment import BoxAugmentation, augment_boxes
from frostpick.training.pruner.calibration import fit_scores
from frostpick.training.pruner.losses import (
    LossWeights,
    good_bad_loss,
    log_odds,
    unlabelled_loss,
)
from frostpick.training.pruner.training_loop import Fit, FitSchedule

log = logging.getLogger(__name__)

#: Boxes scored at a time.
BATCH = 256


@dataclass(frozen=True)
class TuneRecipe:
    """Numbers of the fit; see `FitSchedule`.

    Parameters
    ----------
    steps, steps_per_label, most_steps
        ``min(most_steps, steps + steps_per_label * labels)`` batches.
    folds
        Parts that are left out in turn, to learn how far the scores can be trusted.
    fewest
        Fewest labels of each kind for which that is done, and the start's picker dropped.
    """

    steps: int = 60
    steps_per_label: float = 0.5
    most_steps: int = 200
    batch: int = 48
    rate: float = 5e-4
    anchor: float = 0.02
    folds: int = 4
    fewest: int = 8
    losses: LossWeights = field(default_factory=LossWeights)
    augmentation: BoxAugmentation = field(
        default_factory=lambda: BoxAugmentation(shift=1, windows=(0.1, 0.8), soft=(0.2, 0.6))
    )


@dataclass(frozen=True)
class BoxLabels:
    """Boxes that teach.

    Parameters
    ----------
    boxes
        ``(n, side, side)`` float32 working boxes.
    good
        ``(n,)`` bool.
    group
        ``(n,)`` int64: boxes of one micrograph have one number; they are held out together.
    """

    boxes: torch.Tensor
    good: NDArray[np.bool_]
    group: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.good)

    def joined(self, others: BoxLabels) -> BoxLabels:
        """Return these and others, which are of other groups."""
        beyond = 1 + int(self.group.max(initial=-1))
        return BoxLabels(
            torch.cat([self.boxes, others.boxes]),
            np.concatenate([self.good, others.good]),
            np.concatenate([self.group, others.group + beyond]),
        )

    def keep(self, at: NDArray[Any]) -> BoxLabels:
        """Return the rows of a mask or an index array."""
        return BoxLabels(self.boxes[torch.from_numpy(at)], self.good[at], self.group[at])


@dataclass(frozen=True)
class TunedPruner:
    """A fitted pruner, and what it says of labels it did not learn from.

    Parameters
    ----------
    held_out, good
        ``(n,)`` calibrated scores of labels by networks that had not seen them, and
        whether they are good; empty when there were too few.
    """

    pruner: Pruner
    held_out: NDArray[np.float64]
    good: NDArray[np.bool_]
    summary: dict[str, Any]


def tune_pruner(
    start: Pruner,
    labels: BoxLabels,
    reporter: Reporter,
    *,
    unlabelled: torch.Tensor | None = None,
    prior: float | None = None,
    seed: int = 0,
    device: torch.device | None = None,
    recipe: TuneRecipe | None = None,
    folder: Path | None = None,
    key: str = "",
) -> TunedPruner:
    """Fit a pruner to labels.

    Parameters
    ----------
    start
        The pruner to start from.
    labels
        Good and bad boxes; good ones alone when ``unlabelled`` is given.
    unlabelled, prior
        Working boxes of the data set without labels, and the fraction of them that are
        particles: the non-negative positive-unlabelled risk in place of the two classes.
    folder, key
        Where the states of the fits are kept, and the digest of all that they depend on; the
        caller removes the folder. None: nowhere.

    Raises
    ------
    ValueError
        Labels of one kind only, and no unlabelled boxes.
    """
    recipe = recipe or TuneRecipe()
    both = bool(labels.good.any() and not labels.good.all())
    if unlabelled is None and not both:
        raise ValueError("good and bad boxes are needed, or unlabelled ones with their prior")
    count = min(int(labels.good.sum()), int((~labels.good).sum()))
    enough = both and count >= recipe.fewest
    folds = _folds(labels, recipe, seed) if enough and recipe.folds > 1 else []
    at = device or torch.device("cpu")
    job = _Job(start, reporter, recipe, unlabelled, prior, seed, at, folder, key)
    steps = job.steps(len(labels))
    reporter.stage("fitting the pruner", steps * (1 + len(folds)))
    raw = np.zeros(len(labels))
    for number, out in enumerate(folds):
        network = job.fit(labels.keep(~out), f"without_{number + 1}")
        raw[out] = raw_scores(network, labels.keep(out).boxes)
    network = job.fit(labels, "with_all")
    calibration = start.card.calibration
    if folds:
        calibration = fit_scores(raw, labels.good)
    card = start.card.model_copy(
        update={
            "calibration": calibration,
            "picker": None if enough else start.card.picker,
            "parent": start.digest,
            "license": licence_of("", start),
            "trained_on": {
                "task": "prune",
                "good": int(labels.good.sum()),
                "bad": int((~labels.good).sum()),
                "unlabelled": 0 if unlabelled is None else len(unlabelled),
                "seed": seed,
            },
        }
    )
    pruner = start.refitted(card, network.state_dict())
    held_out = calibration.slope * raw + calibration.offset if folds else np.zeros(0)
    good = labels.good if folds else np.zeros(0, np.bool_)
    return TunedPruner(pruner, held_out, good, _summary(labels, held_out, good, steps, calibration))


def raw_scores(
    network: BoxNetwork, boxes: torch.Tensor, device: torch.device | None = None
) -> NDArray[np.float64]:
    """Return the mean of the heads' log-odds of boxes ``(n, side, side)``, ``(n,)`` float64."""
    at = device or torch.device("cpu")
    network = network.eval().to(at)
    parts = [np.zeros(0)]
    with torch.no_grad():
        for start in range(0, len(boxes), BATCH):
            part = boxes[start : start + BATCH]
            logits = network(part[:, None].to(at).contiguous(memory_format=torch.channels_last))
            parts.append(log_odds(logits).mean(1).double().cpu().numpy())
    return np.concatenate(parts)


@dataclass(frozen=True)
class _Job:
    start: Pruner
    reporter: Reporter
    recipe: TuneRecipe
    unlabelled: torch.Tensor | None
    prior: float | None
    seed: int
    device: torch.device
    folder: Path | None
    key: str

    def steps(self, labels: int) -> int:
        recipe = self.recipe
        return min(recipe.most_steps, recipe.steps + round(recipe.steps_per_label * labels))

    def fit(self, labels: BoxLabels, name: str) -> BoxNetwork:
        """Return a fitted copy of the start's network; ``name`` is that of its state's folder."""
        spec = self.start.card.network
        network = build_box_network(spec.name, spec.arguments)
        network.load_state_dict(self.start.network.state_dict())
        recipe = self.recipe
        schedule = FitSchedule(
            self.steps(len(labels)),
            recipe.rate,
            decay=0.0,
            anchor=recipe.anchor,
            frozen_norms=True,
            bf16=native_precision(self.device) == "bfloat16",
        )
        good = torch.from_numpy(labels.good)
        pools = [good.nonzero()[:, 0], (~good).nonzero()[:, 0]]
        half = recipe.batch // 2

        def draw(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
            parts, marks = [], []
            for value, pool in enumerate(pools):
                if value == 1 and self.unlabelled is not None:
                    at = torch.randint(len(self.unlabelled), (half,), generator=generator)
                    parts.append(self.unlabelled[at])
                    marks.append(torch.zeros(half))
                elif len(pool):
                    at = pool[torch.randint(len(pool), (half,), generator=generator)]
                    parts.append(labels.boxes[at])
                    marks.append(torch.full((half,), float(value == 0)))
            boxes = augment_boxes(torch.cat(parts), recipe.augmentation, generator)
            return boxes, torch.cat(marks)

        def loss(logits: torch.Tensor, marks: torch.Tensor) -> torch.Tensor:
            if self.unlabelled is not None:
                return unlabelled_loss(logits, marks > 0.5, self.prior or 0.5)
            return good_bad_loss(logits, marks, recipe.losses)

        fit = Fit(
            network,
            draw,
            loss,
            schedule,
            seed=self.seed,
            device=self.device,
            folder=None if self.folder is None else self.folder / name,
            key=self.key,
            keep_last=True,
        )
        fit.run(_Steps(self.reporter))
        return network.to("cpu")


class _Steps:
    """Passes steps and stops on; stages are announced by the caller."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def stage(self, name: str, total: int) -> None:
        """Ignore."""

    def advance(self, n: int = 1, **metrics: float) -> None:
        """Pass on."""
        self._reporter.advance(n, **metrics)

    def figure(self, name: str, png: bytes, caption: str) -> None:
        """Ignore."""

    def check(self) -> None:
        """Pass on."""
        self._reporter.check()


def _folds(labels: BoxLabels, recipe: TuneRecipe, seed: int) -> Sequence[NDArray[np.bool_]]:
    """Return masks of the parts left out, together all labels.

    Whole micrographs where there are enough of them and both kinds remain in every rest;
    else boxes, of each kind as many: bad ones may all lie on one micrograph.
    """
    rng = np.random.default_rng([seed, 17])
    groups = np.unique(labels.group)
    if len(groups) >= 2 * recipe.folds:
        of = dict(zip(rng.permutation(groups).tolist(), range(len(groups)), strict=True))
        part = np.array([of[g] % recipe.folds for g in labels.group.tolist()], np.int64)
        masks = [part == k for k in range(recipe.folds)]
        if all(labels.good[~m].any() and not labels.good[~m].all() for m in masks):
            return masks
    part = np.zeros(len(labels), np.int64)
    for kind in (True, False):
        at = np.flatnonzero(labels.good == kind)
        part[rng.permutation(at)] = np.arange(len(at)) % recipe.folds
    return [part == k for k in range(recipe.folds)]


def _summary(
    labels: BoxLabels,
    held_out: NDArray[np.float64],
    good: NDArray[np.bool_],
    steps: int,
    calibration: CalibrationSpec,
) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "good": int(labels.good.sum()),
        "bad": int((~labels.good).sum()),
        "steps": steps,
        "calibration": calibration.model_dump(mode="json"),
    }
    if len(good):
        kept = held_out >= 0
        hits = int((kept & good).sum())
        summary["held_out_accuracy"] = float((kept == good).mean())
        summary["held_out_f1"] = 2 * hits / max(1, int(kept.sum()) + int(good.sum()))
        log.info(
            "labels held out in turn: accuracy %.3f, F1 %.3f",
            summary["held_out_accuracy"],
            summary["held_out_f1"],
        )
    return summary
