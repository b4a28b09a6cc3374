"""The last stage of a pruner's training, on the labels of the job."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.config import PruneSettings
from frostpick.errors import LabelError, MicrographError, ModelError
from frostpick.models.pruner import Pruner
from frostpick.pruning.boxes import Boxes
from frostpick.pruning.plan import PrunePlan
from frostpick.pruning.prior import log_odds, particle_share
from frostpick.pruning.prune import Group, PickGroup, StackGroup, prepare_group
from frostpick.pruning.score import BoxScorer
from frostpick.runtime.atomic import write_text
from frostpick.runtime.reporter import Reporter
from frostpick.training.pruner import BoxLabels, TuneRecipe, tune_pruner
from frostpick_jobs.host import Candidates, Judged

log = logging.getLogger(__name__)

#: Most labels of a kind that are learned from, and most unlabelled boxes.
MOST_LABELS, MOST_UNLABELLED = 2000, 3000
#: Share of the rows, the best by the start pruner, that stand for labels where the input
#: is said to be mostly good.
SURE = 0.3
#: Log-odds by the start pruner, for the input's own share of particles, up to which a row is a
#: sure mistake: of Topaz's picks up to it under one in a hundred is a particle.
MISTAKE = -1.5
#: So many sure mistakes a good label, and the fewest with which it is tried.
BAD_PER_GOOD, FEWEST_MISTAKES = 2, 20


@dataclass(frozen=True)
class Fitted:
    """A pruner for this job, and what it says of labels it did not learn from."""

    pruner: Pruner
    held_out: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    good: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    summary: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prior(self) -> float | None:
        """Share of particles among the unlabelled rows that it learned from; None without any."""
        found = self.summary.get("expected_good")
        return None if found is None else float(found)


@dataclass(frozen=True)
class _Rest:
    """Unlabelled boxes of the input.

    Parameters
    ----------
    boxes
        ``(n, side, side)`` working boxes.
    score
        ``(n,)`` log-odds by the start pruner, for the share of particles.
    share
        Expected share of particles.
    """

    boxes: torch.Tensor
    score: NDArray[np.float64]
    share: float

    def best(self) -> BoxLabels:
        """Return the best ones as good labels."""
        at = np.argsort(-self.score, kind="stable")[: max(1, round(SURE * len(self.score)))]
        return self._as(at, good=True)

    def mistakes(self, good: int, seed: int) -> BoxLabels:
        """Return sure mistakes for so many good labels, none where there are too few.

        The first step of two-step learning from positives and unlabelled data (Liu et al. 2003,
        section 2), with the start pruner in place of a classifier of the labels. The
        non-negative risk of all boxes, which `tune_pruner` has too, does worse here and fails
        where all labels are of one micrograph: it learns what that looks like.
        """
        sure = np.flatnonzero(self.score <= MISTAKE)
        wanted = BAD_PER_GOOD * good
        if not good or len(sure) < max(FEWEST_MISTAKES, good):
            return self._as(sure[:0], good=False)
        return self._as(np.random.default_rng([seed, 29]).permutation(sure)[:wanted], good=False)

    def _as(self, at: NDArray[np.int64], *, good: bool) -> BoxLabels:
        rows = torch.from_numpy(at.copy())
        return BoxLabels(self.boxes[rows], np.full(len(at), good), np.zeros(len(at), np.int64))


def fit_to_job(
    start: Pruner,
    candidates: Candidates,
    judged: Judged,
    settings: PruneSettings,
    plan: PrunePlan,
    spool: Path,
    reporter: Reporter,
) -> Fitted:
    """Return the pruner fitted to the job's labels, or the start itself without any.

    Good and bad labels: the two classes. Good ones alone: rows that the start pruner is sure
    of stand for bad ones, where there are enough. Else, and where the input is said to be
    mostly good, positive and unlabelled. The result is kept, so that a continued job does
    not fit again.

    Raises
    ------
    LabelError
        Bad labels without good ones, or no label can be read.
    """
    if judged.good is None and judged.bad is None and not settings.mostly_good:
        return Fitted(start)
    if judged.good is None and judged.bad is not None:
        raise LabelError("bad examples without good ones; give some particles with --good")
    labels = _read_labels(judged, plan, settings.seed, reporter)
    folder = spool / "fitted"
    pruner_key = _key(start, labels, candidates, settings, plan)
    kept = _kept(folder, pruner_key)
    if kept is not None:
        log.info("the pruner was fitted by an earlier run of this job")
        return kept
    unlabelled, prior, recipe = None, None, None
    if labels.good.all():
        rest = _unlabelled(start, candidates, settings, plan, reporter)
        bad = rest.mistakes(len(labels), settings.seed)
        if len(bad):
            recipe = TuneRecipe(folds=0)  # easy ones: they say nothing of how far to be trusted
            labels = labels.joined(bad)
        else:
            unlabelled, prior = rest.boxes, rest.share
            labels = labels if len(labels) else rest.best()
    tuned = tune_pruner(
        start,
        labels,
        reporter,
        unlabelled=unlabelled,
        prior=prior,
        seed=settings.seed,
        device=plan.device,
        recipe=recipe,
    )
    card = tuned.pruner.card.model_copy(update={"diameter_A": plan.geometry.diameter_A})
    pruner = tuned.pruner.refitted(card, tuned.pruner.network.state_dict())
    summary = {**tuned.summary, "expected_good": prior, "bad_by_start": recipe is not None}
    fitted = Fitted(pruner, tuned.held_out, tuned.good, summary)
    _keep(folder, pruner_key, fitted)
    return fitted


def _read_labels(judged: Judged, plan: PrunePlan, seed: int, reporter: Reporter) -> BoxLabels:
    parts: list[Boxes] = []
    good: list[NDArray[np.bool_]] = []
    group: list[NDArray[np.int64]] = []
    numbers: dict[str, int] = {}
    for value, source in ((True, judged.good), (False, judged.bad)):
        for one in _thinned(source, MOST_LABELS, seed):
            reporter.check()
            try:
                prepared = prepare_group(one, plan)
            except MicrographError as error:
                log.warning("labels on %s are left out: %s", one.name, error.reason)
                continue
            at = prepared.boxes.usable.numpy()
            parts.append(Boxes(prepared.boxes.data[prepared.boxes.usable], prepared.boxes.usable))
            good.append(np.full(int(at.sum()), value))
            names = [name or one.name for name in prepared.micrograph_id[at].tolist()]
            group.append(np.array([numbers.setdefault(n, len(numbers)) for n in names], np.int64))
    boxes = torch.cat([p.data for p in parts]) if parts else torch.zeros(0, 1, 1)
    labels = BoxLabels(
        boxes,
        np.concatenate([np.zeros(0, np.bool_), *good]),
        np.concatenate([np.zeros(0, np.int64), *group]),
    )
    if judged.good is not None and not labels.good.any():
        raise LabelError("no good example can be read; check --good and its names")
    log.info("labels: %d good, %d bad", int(labels.good.sum()), int((~labels.good).sum()))
    return labels


def _unlabelled(
    start: Pruner,
    candidates: Candidates,
    settings: PruneSettings,
    plan: PrunePlan,
    reporter: Reporter,
) -> _Rest:
    """Return boxes of the input, and what the start pruner says of them."""
    parts = []
    for one in _thinned(candidates, MOST_UNLABELLED, settings.seed):
        reporter.check()
        try:
            boxes = prepare_group(one, plan).boxes
        except MicrographError:
            continue  # told when the group is scored
        parts.append(boxes.data[boxes.usable])
    if not parts:
        raise LabelError("no box of the input can be read; expected images to learn from")
    data = torch.cat(parts)
    usable = torch.ones(len(data), dtype=torch.bool)
    score = BoxScorer(start, plan.device)(Boxes(data, usable)).score
    prior = settings.expected_good or particle_share(score)
    log.info("particles in the input: %.0f %% expected", 100 * prior)
    return _Rest(data, score + log_odds(prior), prior)


def _thinned(source: Candidates | None, most: int, seed: int) -> list[Group]:
    """Return the groups of a source with at most ``most`` rows drawn at random over all."""
    if source is None:
        return []
    groups: list[Group] = [PickGroup(m, picks) for m, picks in source.picks if len(picks)]
    groups += [StackGroup(stack) for stack in source.stacks if len(stack)]
    total = sum(len(group) for group in groups)
    if total <= most:
        return groups
    chosen = np.zeros(total, np.bool_)
    chosen[np.random.default_rng([seed, 23]).permutation(total)[:most]] = True
    thin: list[Group] = []
    begin = 0
    for group in groups:
        at = np.flatnonzero(chosen[begin : begin + len(group)])
        begin += len(group)
        if len(at) and isinstance(group, PickGroup):
            thin.append(PickGroup(group.micrograph, group.picks.keep(at)))
        elif len(at) and isinstance(group, StackGroup):
            thin.append(StackGroup(group.stack.keep(at)))
    return thin


def _key(
    start: Pruner,
    labels: BoxLabels,
    candidates: Candidates,
    settings: PruneSettings,
    plan: PrunePlan,
) -> str:
    """Return the digest of all that the fit depends on; of the input where it teaches too."""
    total = hashlib.sha256()
    asked = [settings.seed, settings.mostly_good, settings.expected_good]
    total.update(json.dumps([start.digest, plan.key(), asked], sort_keys=True).encode())
    for array in (labels.boxes.numpy(), labels.good, labels.group):
        total.update(np.ascontiguousarray(array).tobytes())
    if labels.good.all():
        for group in _thinned(candidates, candidates.rows, settings.seed):
            total.update(group.name.encode())
            for array in _boxes_of(group):
                total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def _boxes_of(group: Group) -> list[NDArray[Any]]:
    """Return what tells the boxes of a group from others of the same file."""
    if isinstance(group, PickGroup):
        return [group.row, group.picks.x_px, group.picks.y_px]
    return [group.row, group.stack.index]


def _keep(folder: Path, key: str, fitted: Fitted) -> None:
    fitted.pruner.save(folder)
    told = {
        "key": key,
        "digest": fitted.pruner.digest,
        "held_out": fitted.held_out.tolist(),
        "good": fitted.good.tolist(),
        "summary": dict(fitted.summary),
    }
    write_text(folder / "fit.json", json.dumps(told) + "\n")


def _kept(folder: Path, key: str) -> Fitted | None:
    try:
        told = json.loads((folder / "fit.json").read_text(encoding="utf-8"))
        pruner = Pruner.load(folder) if told["key"] == key else None
        if pruner is None or pruner.digest != told["digest"]:
            return None
        return Fitted(
            pruner,
            np.array(told["held_out"], np.float64),
            np.array(told["good"], np.bool_),
            told["summary"],
        )
    except (OSError, ValueError, KeyError, TypeError, ModelError):
        return None
