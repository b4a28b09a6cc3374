"""The last stage of a pruner's training, on the labels of the job.

`fit_to_job` chooses between the ways to learn from the labels that there are, and keeps what
came of it; the fit itself is `frostpick.training.pruner.train.tune_pruner`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.errors import LabelError, MicrographError, ModelError, Wording, option
from frostpick.models.licence import licensed, relicensed
from frostpick.models.pruner.model import Pruner
from frostpick.pruning.box_scorer import BoxScorer
from frostpick.pruning.boxes import Boxes
from frostpick.pruning.groups import Group, PickGroup, thinned
from frostpick.pruning.plan import PrunePlan
from frostpick.pruning.prior import LIMITS, log_odds
from frostpick.pruning.prune import Told, prepare_group
from frostpick.pruning.reliable_negatives import Known, read_rest
from frostpick.pruning.rest_share import (
    COVERED,
    RestShare,
    share_like_good,
    share_of_rest,
    warn_if_alike,
)
from frostpick.runtime.atomic import write_text
from frostpick.runtime.reporter import Reporter
from frostpick.settings import PruneSettings
from frostpick.training.pruner.train import BoxLabels, TunedPruner, TuneRecipe, tune_pruner

log = logging.getLogger(__name__)

#: Most labels of a kind that are learned from, and most unlabelled boxes.
MOST_LABELS, MOST_UNLABELLED = 2000, 3000
#: Changes when the same labels are fitted in another way.
FORMAT = 3
#: Folders of unfinished fits, followed by the digest of what they depend on.
STATES = "fitting-"


@dataclass(frozen=True)
class LabelledRows:
    """Rows known to be good and rows known to be bad; None where the user named none.

    Parameters
    ----------
    rest
        ``bad`` is all that is not named good, and bad only for that.
    """

    good: Sequence[Group] | None = None
    bad: Sequence[Group] | None = None
    rest: bool = False


@dataclass(frozen=True)
class Fitted:
    """A pruner for this job, and what it says of labels it did not learn from.

    Parameters
    ----------
    known
        Where the good labels are; None without any.
    """

    pruner: Pruner
    held_out: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    good: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    summary: Mapping[str, Any] = field(default_factory=dict)
    known: Known | None = None


def fit_to_job(
    start: Pruner,
    groups: Sequence[Group],
    labelled: LabelledRows,
    settings: PruneSettings,
    plan: PrunePlan,
    folder: Path,
    reporter: Reporter,
) -> Fitted:
    """Return the pruner fitted to the job's labels, or the start itself without any.

    Good and bad labels: the two classes. Where the bad ones are the rest of the input, and labels
    held out show that many of it look like good ones or most micrographs have no good one, the
    rest is taken for unlabelled.
    Good ones alone: rows that the start pruner is sure are none stand for bad ones. Where there
    are too few, or it does not know the particle, and where the input is said to be mostly
    good: positive and unlabelled.

    Parameters
    ----------
    groups
        All rows of the job, whole micrographs and stacks.
    folder
        Keeps the result, so that a continued job does not fit again, and the state of a fit that
        was stopped or killed.

    Raises
    ------
    LabelError
        Bad labels without good ones, or no label can be read.
    """
    if labelled.good is None and labelled.bad is None and not settings.assume_mostly_particles:
        if settings.license:
            log.warning(
                "%s is not used: without labels no model is made", Wording(option("license"))
            )
        return Fitted(start)
    if labelled.good is None and labelled.bad is not None:
        raise LabelError(f"bad examples without labels; give some particles with {option('good')}")
    known = Known()
    labels = _read_labels(labelled, known, plan, settings.seed, reporter)
    key = _key(start, labels, groups, settings, plan, rest=labelled.rest)
    kept = _kept(folder, key)
    if kept is not None:
        log.info("the pruner was fitted by an earlier run of this job")
        own = settings.license  # what was made is not told another thing of unasked
        pruner = relicensed(kept.pruner, own) if own else kept.pruner
        return replace(kept, pruner=pruner, known=known)
    states = _states(folder, key)
    if labels.good.all():
        fitted = _fitted_to_good(
            start, labels, groups, known, settings, plan, reporter, states, key
        )
    else:
        tuned = tune_pruner(
            start,
            labels,
            reporter,
            seed=settings.seed,
            device=plan.device,
            folder=states,
            key=key,
        )
        rest = _share_of_rest(start, tuned, labels, plan) if labelled.rest else None
        if rest is None or rest.is_bad:
            warn_if_alike(tuned.held_out, tuned.good)
            fitted = _fitted(tuned, plan, None, bad_by_start=False)
        else:
            log.warning(
                "the %d rows that are not among the good ones are taken for unlabelled, not for "
                "bad: about %.0f %% of them look like good ones, and %.0f %% are on micrographs "
                "with good ones; where they are bad, say so with a list of them for %s",
                int((~labels.good).sum()),
                100 * rest.alike,
                100 * rest.covered,
                Wording(option("bad")),
            )
            good = labels.keep(labels.good)
            fitted = _fitted_to_good(
                start,
                good,
                groups,
                known,
                settings,
                plan,
                reporter,
                states / "good",
                key,
                rest.alike,
            )
    pruner = licensed(fitted.pruner, settings.license, start)
    fitted = replace(fitted, pruner=pruner, known=known)
    _keep(folder, key, fitted)
    _remove_states(folder)
    return fitted


def _fitted_to_good(
    start: Pruner,
    labels: BoxLabels,
    groups: Sequence[Group],
    known: Known,
    settings: PruneSettings,
    plan: PrunePlan,
    reporter: Reporter,
    states: Path,
    key: str,
    alike: float | None = None,
) -> Fitted:
    """Return the pruner fitted to good labels, or to none, and to the rows of the input.

    Parameters
    ----------
    alike
        Share of good ones among the rows that are no labels, where that was found out; it is
        believed where the start pruner does not know the particle.
    """
    some = thinned(groups, MOST_UNLABELLED, settings.seed)
    rest = read_rest(start, some, known, settings.particle_fraction, plan, reporter)
    two_step = len(labels) > 0 and not settings.assume_mostly_particles
    bad = rest.mistakes(labels, settings.seed) if two_step else None
    unlabelled, prior, recipe = None, None, None
    if bad is not None:
        recipe = TuneRecipe(folds=0)  # easy ones: they say nothing of how far to be trusted
        labels = labels.joined(bad)
    else:
        unlabelled, prior = rest.boxes, rest.share
        if alike is not None and settings.particle_fraction is None:
            named = float(rest.labelled.mean())
            prior = float(np.clip(named + (1 - named) * alike, *LIMITS))
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
        folder=states,
        key=key,
    )
    fitted = _fitted(tuned, plan, prior, bad_by_start=recipe is not None)
    if alike is None:
        return fitted
    return replace(fitted, summary={**fitted.summary, "rest_like_good": alike})


def _fitted(
    tuned: TunedPruner, plan: PrunePlan, prior: float | None, *, bad_by_start: bool
) -> Fitted:
    card = tuned.pruner.card.model_copy(update={"diameter_A": plan.geometry.diameter_A})
    if prior is not None:  # what it has learned is for that share; scores are for even odds
        offset = card.calibration.offset - log_odds(prior)
        even = card.calibration.model_copy(update={"offset": offset})
        card = card.model_copy(update={"calibration": even})
    pruner = tuned.pruner.refitted(card, tuned.pruner.network.state_dict())
    summary = {**tuned.summary, "expected_good": prior, "bad_by_start": bad_by_start}
    return Fitted(pruner, tuned.held_out, tuned.good, summary)


def _share_of_rest(
    start: Pruner, tuned: TunedPruner, labels: BoxLabels, plan: PrunePlan
) -> RestShare:
    """Return what the rest is by scores that have not learned it.

    Those of labels held out; where the good labels leave most micrographs out, the larger share
    of these and of the start pruner's, which has seen none of them.
    """
    usable = torch.ones(len(labels), dtype=torch.bool)
    found = None
    if len(tuned.held_out):
        found = share_of_rest(tuned.held_out, labels.good, labels.group)
        if found.covered >= COVERED:
            return found
    score = BoxScorer(start, plan.device)(Boxes(labels.boxes, usable)).score
    first = RestShare(
        share_like_good(score, labels.good),
        share_of_rest(score, labels.good, labels.group).covered,
    )
    return first if found is None or first.alike > found.alike else found


def _states(folder: Path, key: str) -> Path:
    """Return where the states of a fit are, without those of a fit that will not go on."""
    name = f"{STATES}{key[:12]}"
    _remove_states(folder, but=name)
    return folder / name


def _remove_states(folder: Path, but: str = "") -> None:
    for other in folder.glob(f"{STATES}*"):
        if other.name != but:
            shutil.rmtree(other, ignore_errors=True)


def _read_labels(
    labelled: LabelledRows, known: Known, plan: PrunePlan, seed: int, reporter: Reporter
) -> BoxLabels:
    parts: list[Boxes] = []
    good: list[NDArray[np.bool_]] = []
    group: list[NDArray[np.int64]] = []
    numbers: dict[str, int] = {}
    told = Told(plan, quiet=True)
    for value, source in ((True, labelled.good), (False, labelled.bad)):
        for one in thinned(source or (), MOST_LABELS, seed):
            reporter.check()
            try:
                prepared = prepare_group(one, plan, told)
            except MicrographError as error:
                log.warning("labels on %s are left out: %s", one.name, error.reason)
                continue
            if value:
                known.add(one, prepared)
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
    if labelled.good is not None and not labels.good.any():
        raise LabelError(f"no good example can be read; check {option('good')} and its names")
    log.info("labels: %d good, %d bad", int(labels.good.sum()), int((~labels.good).sum()))
    return labels


def _key(
    start: Pruner,
    labels: BoxLabels,
    groups: Sequence[Group],
    settings: PruneSettings,
    plan: PrunePlan,
    *,
    rest: bool,
) -> str:
    """Return the digest of all that the fit depends on; of the input where it teaches too."""
    total = hashlib.sha256()
    asked = [
        FORMAT,
        settings.seed,
        settings.assume_mostly_particles,
        settings.particle_fraction,
        rest,
    ]
    total.update(json.dumps([start.digest, plan.key(), asked], sort_keys=True).encode())
    for array in (labels.boxes.numpy(), labels.good, labels.group):
        total.update(np.ascontiguousarray(array).tobytes())
    if labels.good.all() or rest:
        for group in groups:
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
