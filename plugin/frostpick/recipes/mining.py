"""Which picks of a round teach the next: confident particles, and places that are surely none.

In DeepEM a person sorts the picks of a round into right and wrong ones. Here the picks are
sorted by verification: the score, its agreement over four rotations, a gate on the local
deviation, and a second opinion where there is one. A low score alone never makes an empty
place: of the best of such picks four in five were particles that the first round had not
learned yet (simulated data, 15 labels).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from frostpick.inference.deepem_rule import GATE
from frostpick.recipes.examine import Examined
from frostpick.recipes.reference import Reference
from frostpick.training.gate import FEWEST, MARGIN, TAIL
from frostpick.training.measure import MATCH
from frostpick.types import Labels

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MiningRule:
    """What a pick must show to become a label.

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
        Distance in diameters from a label within which nothing new is labelled.
    most_empty
        Most new empty places, as a multiple of the new particles.
    """

    confident: float = 0.9
    spread: float = 0.05
    refused: float = 0.1
    beyond: float = 1.15
    apart: float = 0.5
    most_empty: float = 1.0


@dataclass(frozen=True)
class Mined:
    """New labels by micrograph, and how many."""

    new: dict[str, Labels]
    particles: int
    empty: int


def mine(
    found: Examined,
    labels: Mapping[str, Labels],
    reference: Reference,
    rule: MiningRule,
    diameter_A: float,
) -> Mined:
    """Return the picks of a round that passed verification, as labels.

    None lies where the reference is measured, or on one of the user's labels.

    Parameters
    ----------
    found
        Picks of the round before.
    labels
        All of the user's labels.
    reference
        What is held out.
    """
    free = reference.allows(found, diameter_A) & ~near_labels(found, labels, rule.apart, diameter_A)
    good, bad = sort_picks(found, rule, gate_of(found, labels, diameter_A))
    good, bad = good & free, bad & free
    most = int(rule.most_empty * np.count_nonzero(good))
    if np.count_nonzero(bad) > most:  # the hardest: those that the network believes most
        order = np.argsort(-np.where(bad, found.score, -np.inf), kind="stable")[:most]
        bad = np.isin(np.arange(len(found)), order)
    new = _as_labels(found, good, bad)
    return Mined(new, int(np.count_nonzero(good)), int(np.count_nonzero(bad)))


def gate_of(
    found: Examined, labels: Mapping[str, Labels], diameter_A: float
) -> tuple[float, float]:
    """Return the gate on the local deviation: around that of the picks on labelled particles."""
    particles = {name: one.keep(one.sign > 0) for name, one in labels.items()}
    known = found.deviation[near_labels(found, particles, MATCH, diameter_A)]
    if len(known) < FEWEST:
        return GATE
    low, high = np.quantile(known, (TAIL, 1 - TAIL))
    return float(low / MARGIN), float(high * MARGIN)


def joined_labels(labels: Mapping[str, Labels], new: Mapping[str, Labels]) -> dict[str, Labels]:
    """Return both, by micrograph."""
    joined = {**new, **labels}
    for name in new.keys() & labels.keys():
        joined[name] = Labels.concat([labels[name], new[name]])
    return joined


def sort_picks(found: Examined, rule: MiningRule, gate: tuple[float, float]) -> tuple[Mask, Mask]:
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
    found: Examined, labels: Mapping[str, Labels], apart: float, diameter_A: float
) -> Mask:
    """Return which picks lie within ``apart`` diameters of any label."""
    near = np.zeros(len(found), bool)
    for index, name in enumerate(found.micrographs.tolist()):
        own = labels.get(name)
        at = found.micrograph == index
        if own is None or not len(own) or not at.any():
            continue
        tree = cKDTree(np.stack([own.y_px, own.x_px], axis=1))
        reach = apart * diameter_A / found.pixel_size_A[index]
        distance, _ = tree.query(np.stack([found.y_px[at], found.x_px[at]], axis=1))
        near[at] = distance < reach
    return near


def _as_labels(found: Examined, good: Mask, bad: Mask) -> dict[str, Labels]:
    new = {}
    for index, name in enumerate(found.micrographs.tolist()):
        chosen = (found.micrograph == index) & (good | bad)
        if chosen.any():
            new[name] = Labels.from_xy(
                name,
                found.x_px[chosen],
                found.y_px[chosen],
                score=found.score[chosen],
                sign=np.where(good[chosen], 1, -1).astype(np.int8),
            )
    return new
