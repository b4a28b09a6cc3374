"""Particles and background, told apart by the logits of all picks and of a few known particles.

Fifteen labels say little about how the scores of particles spread, and a count from the
share of labels above a threshold is as uncertain as that share. The picks themselves say
much more: on every micrograph their logits are a mixture of a background, which has its own
mode and two widths there, and of particles, which have one mean and one deviation on all
micrographs. Expectation-maximisation (Dempster, Laird and Rubin 1977) fits it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

Floats = NDArray[np.float64]

#: Width of the bins that logits are counted in.
BIN = 0.02
#: Deviation of the logits of particles before any data, and how many particles must speak
#: against it to halve its weight. Seen on the training micrographs of four sets: .24 to .32.
SPREAD, SPREAD_SURE = 0.25, 200.0
#: Known particles that look like none, anywhere in so wide a range of logits: bad marks.
LAPSE, RANGE = 0.1, 6.0
#: Share of particles among the picks of a micrograph: to begin with, and its limits.
FIRST, LIMITS = 0.1, (1e-4, 0.95)
STEPS, SETTLED = 300, 1e-5
#: Limits of the shift of log-odds by which a given number is reached.
MOST_SHIFT = (-15.0, 15.0)


@dataclass(frozen=True)
class Background:
    """A normal density with its own deviation on either side of the mode."""

    mode: float
    left: float
    right: float

    def log_density(self, x: Floats) -> Floats:
        """Return the logarithm of the density at ``(n,)`` places."""
        deviation = np.where(x < self.mode, self.left, self.right)
        scale = 0.5 * (self.left + self.right) * np.sqrt(2 * np.pi)
        density: Floats = -0.5 * ((x - self.mode) / deviation) ** 2 - np.log(scale)
        return density

    @classmethod
    def of(cls, x: Floats, weight: Floats) -> Background:
        """Return the most likely one, its mode at one of rising places with weights (John 1982).

        With ``L`` and ``R`` the sums of squares on both sides of a mode, the most likely mode
        has the least ``L^(1/3) + R^(1/3)``, and the variances are ``L^(2/3)`` and ``R^(2/3)``
        times that over the sum of the weights.
        """
        none, one, two = (np.cumsum(weight * x**k) for k in range(3))
        left = np.maximum(two - 2 * x * one + x**2 * none, 0.0)
        right = two[-1] - two - 2 * x * (one[-1] - one) + x**2 * (none[-1] - none)
        left, right = np.cbrt(left), np.cbrt(np.maximum(right, 0.0))
        best = int(np.argmin(left + right))
        a, b = float(left[best]), float(right[best])
        mean = (a + b) / max(float(none[-1]), 1e-9)
        return cls(float(x[best]), max(a * mean**0.5, BIN), max(b * mean**0.5, BIN))


@dataclass(frozen=True)
class ScoreMixture:
    """What the picks of some micrographs are.

    Attributes
    ----------
    mean, deviation
        Of the logits of particles.
    backgrounds
        By micrograph.
    probability
        By micrograph, ``(n,)`` float64: how probably each of its picks is a particle. It
        rises with the logit from the mode of the background on, and is 0 below.
    """

    mean: float
    deviation: float
    backgrounds: tuple[Background, ...]
    probability: tuple[Floats, ...]

    @property
    def particles(self) -> float:
        """Particles among all picks."""
        return float(sum(one.sum() for one in self.probability))


def fit_mixture(
    picks: Sequence[Floats], known: Floats, particles: float | None = None
) -> ScoreMixture:
    """Tell particles from background.

    Parameters
    ----------
    picks
        Logits of the picks of each micrograph, those of known particles left out.
    known
        ``(m,)`` logits of known particles, m >= 1: what they would have as other picks.
    particles
        How many there are among ``picks``, where that is known. Reached up to twice the true
        number; far beyond that what is found is not defined.
    """
    x, cells = _counted(picks, known)
    weight = np.array([np.bincount(one, minlength=len(x)) for one in cells], np.float64)
    mean, deviation, share = float(np.median(known)), SPREAD, np.full(len(picks), FIRST)
    backgrounds = [
        Background.of(x, row * (x < max(mean - SPREAD, np.median(one) if len(one) else -np.inf)))
        for row, one in zip(weight, picks, strict=True)
    ]
    more = 0.0
    for _ in range(STEPS):
        before = np.array([mean, deviation, *share])
        is_particle = _particles(x, mean, deviation, share, backgrounds)
        of_known = expit(logit(1 - LAPSE) + np.log(RANGE) + _normal(known, mean, deviation))
        mass = np.concatenate([(weight * is_particle).sum(0), of_known])
        values = np.concatenate([x, known])
        mean = float(mass @ values / mass.sum())
        squares = mass @ (values - mean) ** 2 + SPREAD_SURE * SPREAD**2
        deviation = float((squares / (mass.sum() + SPREAD_SURE)) ** 0.5)
        found = (weight * is_particle).sum(1)
        if particles is not None:  # the same shift of all log-odds, until the sum is right
            lacking = np.log(max(particles, 1e-3) / max(found.sum(), 1e-3))
            more += 0.3 * float(lacking)  # in small steps: the densities move with it
            more = float(np.clip(more, *MOST_SHIFT))  # shares at their limit cannot follow
        share = found / np.maximum(weight.sum(1), 1)
        share = np.clip(expit(logit(np.clip(share, *LIMITS)) + more), *LIMITS)
        backgrounds = [Background.of(x, row) for row in weight * (1 - is_particle)]
        if np.abs(np.array([mean, deviation, *share]) - before).max() < SETTLED:
            break
    chance = tuple(row[one] for row, one in zip(is_particle, cells, strict=True))
    return ScoreMixture(mean, deviation, tuple(backgrounds), chance)


def _counted(picks: Sequence[Floats], known: Floats) -> tuple[Floats, list[NDArray[np.int64]]]:
    """Return the middles of bins over all logits, and the bin of each pick by micrograph."""
    cells = [np.floor(one / BIN).astype(np.int64) for one in (*picks, known)]
    everything = np.concatenate(cells)
    first, last = int(everything.min()), int(everything.max())
    middles = np.asarray(BIN * (np.arange(first, last + 1) + 0.5), np.float64)
    return middles, [one - first for one in cells[:-1]]


def _particles(
    x: Floats, mean: float, deviation: float, share: Floats, backgrounds: Sequence[Background]
) -> Floats:
    """Return how probably a pick of each logit is a particle, ``(micrographs, logits)``."""
    own = _normal(x, mean, deviation)
    against = np.array([one.log_density(x) for one in backgrounds])
    chance = expit(logit(share)[:, None] + own - against)
    chance[x < np.array([[one.mode] for one in backgrounds])] = 0.0
    # a narrow density falls below a wide one again: the best picks are no background
    rising: Floats = np.maximum.accumulate(chance, axis=1)
    return rising


def _normal(x: Floats, mean: float, deviation: float) -> Floats:
    scale = deviation * np.sqrt(2 * np.pi)
    density: Floats = -0.5 * ((x - mean) / deviation) ** 2 - np.log(scale)
    return density
