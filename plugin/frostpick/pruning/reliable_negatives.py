"""The unlabelled rows of a pruning job, and what they teach beside good labels alone."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.errors import LabelError, MicrographError
from frostpick.models.pruner.model import Pruner
from frostpick.points import nearest_distance
from frostpick.pruning.box_scorer import BoxScorer
from frostpick.pruning.boxes import Boxes
from frostpick.pruning.groups import Group, StackGroup
from frostpick.pruning.plan import PrunePlan
from frostpick.pruning.prior import log_odds, particle_share
from frostpick.pruning.prune import PreparedGroup, Told, prepare_group
from frostpick.runtime.reporter import Reporter
from frostpick.training.pruner.train import BoxLabels

log = logging.getLogger(__name__)

#: Share of the rows, the best by the start pruner, that stand for labels where the input
#: is said to be mostly good.
SURE = 0.3
#: Log-odds by the start pruner, for the input's own share of particles, up to which a row is a
#: sure mistake: of Topaz's picks up to it one in a hundred, at most, is a particle.
MISTAKE = -1.5
#: So many sure mistakes a good label, and the fewest with which it is tried.
BAD_PER_GOOD, FEWEST_MISTAKES = 2, 20
#: Largest share of the good labels that the start pruner may take for sure mistakes: beyond, it
#: does not know this particle.
UNKNOWN = 0.5
#: Rows nearer than this many diameters to a good label are that particle.
APART = 0.5


@dataclass
class Known:
    """Where the good labels are: rows there are no mistakes.

    Parameters
    ----------
    places
        ``(x, y)`` in Angstrom by micrograph id.
    images
        Stack and section.
    """

    places: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    images: set[tuple[str, int]] = field(default_factory=set)

    def add(self, group: Group, prepared: PreparedGroup) -> None:
        """Note the rows of a group."""
        if isinstance(group, StackGroup):
            self.images.update((group.name, at) for at in group.stack.index.tolist())
            return
        places = zip(prepared.x_A.tolist(), prepared.y_A.tolist(), strict=True)
        self.places[group.micrograph.id].extend(places)

    def among(self, group: Group, prepared: PreparedGroup, diameter_A: float) -> NDArray[np.bool_]:
        """Return which rows of a group are labelled."""
        if isinstance(group, StackGroup):
            return np.array([(group.name, at) in self.images for at in group.stack.index.tolist()])
        rows = np.column_stack([prepared.x_A, prepared.y_A])
        known = self.places.get(group.micrograph.id, ())
        return nearest_distance(rows, known) < APART * diameter_A


@dataclass(frozen=True)
class Rest:
    """Unlabelled boxes of the input.

    Parameters
    ----------
    boxes
        ``(n, side, side)`` working boxes.
    score
        ``(n,)`` log-odds by the start pruner, for the share of particles.
    share
        Expected share of particles.
    labelled
        ``(n,)`` bool: a good label is there.
    scorer
        What gave the scores.
    """

    boxes: torch.Tensor
    score: NDArray[np.float64]
    share: float
    labelled: NDArray[np.bool_]
    scorer: BoxScorer

    def best(self) -> BoxLabels:
        """Return the best ones as good labels."""
        at = np.argsort(-self.score, kind="stable")[: max(1, round(SURE * len(self.score)))]
        return self._as(at, good=True)

    def mistakes(self, labels: BoxLabels, seed: int) -> BoxLabels | None:
        """Return sure mistakes to set against good labels; None where it cannot be done.

        The first step of two-step learning from positives and unlabelled data (Liu et al. 2003,
        section 2), with the start pruner in place of a classifier of the labels. The
        non-negative risk of all boxes, which `frostpick.training.pruner.train.tune_pruner` has too,
        does worse here and fails where all labels are of one micrograph: it learns what that
        looks like.
        """
        sure = np.flatnonzero((self.score <= MISTAKE) & ~self.labelled)
        usable = torch.ones(len(labels), dtype=torch.bool)
        own = self.scorer(Boxes(labels.boxes, usable)).score + log_odds(self.share)
        if len(sure) < FEWEST_MISTAKES or (own <= MISTAKE).mean() > UNKNOWN:
            return None
        wanted = max(FEWEST_MISTAKES, BAD_PER_GOOD * len(labels))
        chosen = np.random.default_rng([seed, 29]).permutation(sure)[:wanted]
        log.info("%d rows that are surely no particles stand for bad labels", len(chosen))
        return self._as(chosen, good=False)

    def _as(self, at: NDArray[np.int64], *, good: bool) -> BoxLabels:
        rows = torch.from_numpy(at.copy())
        return BoxLabels(self.boxes[rows], np.full(len(at), good), np.zeros(len(at), np.int64))


def read_rest(
    start: Pruner,
    groups: Iterable[Group],
    known: Known,
    expected: float | None,
    plan: PrunePlan,
    reporter: Reporter,
) -> Rest:
    """Read the boxes of groups of the input, those at an edge left out, and score them.

    Raises
    ------
    LabelError
        Not one can be read.
    """
    parts, labelled = [], []
    told = Told(plan, quiet=True)
    for one in groups:
        reporter.check()
        try:
            prepared = prepare_group(one, plan, told)
        except MicrographError:
            continue  # told when the group is scored
        whole = prepared.boxes.usable.numpy() & ~prepared.edge
        parts.append(prepared.boxes.data[torch.from_numpy(whole)])
        labelled.append(known.among(one, prepared, plan.geometry.diameter_A)[whole])
    data = torch.cat(parts) if parts else torch.zeros(0)
    if not len(data):
        raise LabelError("no box of the input can be read; expected images to learn from")
    scorer = BoxScorer(start, plan.device)
    score = scorer(Boxes(data, torch.ones(len(data), dtype=torch.bool))).score
    share = expected or particle_share(score)
    log.info("particles in the input: %.0f %% expected", 100 * share)
    return Rest(data, score + log_odds(share), share, np.concatenate(labelled), scorer)
