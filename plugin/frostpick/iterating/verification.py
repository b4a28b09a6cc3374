"""What the picks of a round teach the next: each is worth what its verification says.

In DeepEM a person sorts the picks of a round into right and wrong ones. Here verification
does: the score, its agreement over four rotations, a gate on the local deviation, and a
second opinion where there is one. Confident particles are worth 1, places that are surely
none 0, and all others the probability that score and second opinion give together. A low
score alone is never sure to be an empty place: of the best of such picks four in five were
particles that the first round had not learned yet (simulated data, 15 labels).

What is sure teaches as a soft label, beside the others, not as a label. Sure picks are the
easy particles: taken as labels they made all others unlabelled, and a round lost up to .06
of average precision by it (``tests/benchmarks/iterating.md``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.iterating.pick_and_verify import VerifiedPicks
from frostpick.iterating.validation_split import ValidationSplit
from frostpick.picking.deviation import GATE
from frostpick.points import nearest_distance
from frostpick.training.measure import MATCH
from frostpick.training.picker.deviation_gate import FEWEST, MARGIN, TAIL
from frostpick.types import Labels, Picks, sigmoid

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
#: Least probability that a second opinion is taken to give to either side.
DOUBT = 1e-4


@dataclass(frozen=True)
class SureRule:
    """What a pick must show to be sure.

    Of one simulated set's picks (15 labels, from a pretrained model, not the development
    data) .9 and .05 let 261 pass, .989 of them particles; .8 and .15 let 376 pass, .976.

    Parameters
    ----------
    confident
        Least mean probability over four rotations, and least verdict, of a new particle.
    spread
        Largest deviation of the four probabilities of a new particle.
    refused
        Largest verdict that makes a pick an empty place.
    beyond
        Factor by which the local deviation lies outside the gate at an empty place.
    apart
        Distance in diameters from a label within which a pick is not new.
    """

    confident: float = 0.9
    spread: float = 0.05
    refused: float = 0.1
    beyond: float = 1.15
    apart: float = 0.5


@dataclass(frozen=True)
class RoundLabels:
    """What a round teaches.

    Parameters
    ----------
    picks
        All of its picks, by micrograph id; ``probability`` is what each is worth.
    particles, empty
        How many of them are sure particles and surely none, where there was no label.
    """

    picks: dict[str, Picks]
    particles: int
    empty: int


def verify_picks(
    found: VerifiedPicks,
    labels: Mapping[str, Labels],
    validation: ValidationSplit,
    rule: SureRule,
    diameter_A: float,
    sharpness: float,
) -> RoundLabels:
    """Return the picks of a round with what verification makes of them.

    None is sure where the validation is measured, or on one of the user's labels.

    Parameters
    ----------
    found
        Picks of the round.
    labels
        The user's labels that train.
    validation
        What is held out.
    sharpness
        Factor of the log-odds of what is not sure, as of any model's picks
        (`frostpick.training.picker.soft_labels.ModelSoftLabels`).
    """
    free = validation.allows(found, diameter_A) & ~near_labels(
        found, labels, rule.apart, diameter_A
    )
    good, bad = sort_picks(found, rule, gate_of(found, labels, diameter_A))
    good, bad = good & free, bad & free
    known_empty = {name: one.keep(one.sign < 0) for name, one in labels.items()}
    none = bad | near_labels(found, known_empty, MATCH, diameter_A)
    worth = np.select([good, none], [1.0, 0.0], sigmoid(sharpness * joint_score(found)))
    picks = {}
    for index, name in enumerate(found.micrographs.tolist()):
        at = found.micrograph == index
        picks[name] = Picks.from_xy(
            name, found.x_px[at], found.y_px[at], score=found.score[at], probability=worth[at]
        )
    return RoundLabels(picks, int(np.count_nonzero(good)), int(np.count_nonzero(bad)))


def joint_score(found: VerifiedPicks) -> Floats:
    """Return log-odds ``(n,)`` from score and second opinion: their mean, where there is one.

    The mean rather than the sum, because both were trained on the same simulated particles and
    see the same noise: they are far from independent.
    """
    heard = np.nan_to_num(found.verdict, nan=0.5).clip(DOUBT, 1 - DOUBT)
    both = (found.score + np.log(heard / (1 - heard))) / 2
    joint: Floats = np.where(np.isnan(found.verdict), found.score, both)
    return joint


def gate_of(
    found: VerifiedPicks, labels: Mapping[str, Labels], diameter_A: float
) -> tuple[float, float]:
    """Return the gate on the local deviation: around that of the picks on labelled particles."""
    particles = {name: one.keep(one.sign > 0) for name, one in labels.items()}
    known = found.deviation[near_labels(found, particles, MATCH, diameter_A)]
    if len(known) < FEWEST:
        return GATE
    low, high = np.quantile(known, (TAIL, 1 - TAIL))
    return float(low / MARGIN), float(high * MARGIN)


def sort_picks(
    found: VerifiedPicks, rule: SureRule, gate: tuple[float, float]
) -> tuple[Mask, Mask]:
    """Return which picks are confident particles, and which are surely none, ``(n,)`` each."""
    opinion = np.where(np.isnan(found.verdict), 1.0, found.verdict)
    passes = (found.deviation >= gate[0]) & (found.deviation <= gate[1])
    sure = (np.minimum(found.agreement, opinion) >= rule.confident) & (found.spread <= rule.spread)
    good: Mask = sure & passes
    low, high = gate[0] / rule.beyond, gate[1] * rule.beyond
    outside = (found.deviation < low) | (found.deviation > high)
    bad: Mask = outside | (opinion <= rule.refused)
    return good, bad & ~good


def near_labels(
    found: VerifiedPicks, labels: Mapping[str, Labels], apart: float, diameter_A: float
) -> Mask:
    """Return which picks lie within ``apart`` diameters of any label."""
    near = np.zeros(len(found), bool)
    for index, name in enumerate(found.micrographs.tolist()):
        own = labels.get(name)
        at = found.micrograph == index
        if own is None or not at.any():
            continue
        reach = apart * diameter_A / found.pixel_size_A[index]
        picks = np.stack([found.y_px[at], found.x_px[at]], axis=1)
        near[at] = nearest_distance(picks, np.stack([own.y_px, own.x_px], axis=1)) < reach
    return near
