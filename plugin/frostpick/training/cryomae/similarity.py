"""cryoMAE's adjusted self-cross similarity: pull exemplars together, push the rest away.

Every window is a particle with some membership: 1 for an exemplar, the class prior pi for an
unlabelled one, whose membership in the background is ``1 - pi``. Equations 4 and 5 of Xu, Zhan
and Xu (2024) are the means of the cosine over all pairs of windows, weighted by memberships:
particle with particle, and particle with background. Pairs of a window with itself are left
out: their cosine is always 1, and no window is its own background. In (5) the factor
``1 - pi`` cancels.
"""

from __future__ import annotations

import math

import torch

#: The paper's weights and floor.
ALPHA, TAU, BETA = 0.7, 0.02, 5.0


def self_similarity(labelled: torch.Tensor, unlabelled: torch.Tensor, prior: float) -> torch.Tensor:
    """Return equation 4: the mean cosine of a particle with another particle.

    Parameters
    ----------
    labelled, unlabelled
        ``(m, size)`` and ``(n, size)`` unit descriptors; ``m`` at least 2.
    prior
        Share of particles among the unlabelled windows; 0 gives equation 1.
    """
    m, n = len(labelled), len(unlabelled)
    total, other = labelled.sum(0), unlabelled.sum(0)
    among_labelled = total @ total - m
    among_unlabelled = other @ other - n
    weight = m * (m - 1) + 2 * prior * m * n + prior**2 * n * (n - 1)
    return (among_labelled + 2 * prior * (total @ other) + prior**2 * among_unlabelled) / weight


def cross_similarity(
    labelled: torch.Tensor, unlabelled: torch.Tensor, prior: float
) -> torch.Tensor:
    """Return equation 5: the mean cosine of a particle with the background.

    Parameters as in `self_similarity`; a prior of 0 gives equation 2.
    """
    m, n = len(labelled), len(unlabelled)
    total, other = labelled.sum(0), unlabelled.sum(0)
    weight = m * n + prior * n * (n - 1)
    return (total @ other + prior * (other @ other - n)) / weight


def similarity_loss(
    labelled: torch.Tensor,
    unlabelled: torch.Tensor,
    prior: float,
    *,
    alpha: float = ALPHA,
    tau: float = TAU,
) -> torch.Tensor:
    """Return equation 6: ``max(tau, 1 + alpha * cross - (1 - alpha) * self)``."""
    cross = cross_similarity(labelled, unlabelled, prior)
    own = self_similarity(labelled, unlabelled, prior)
    return (1.0 + alpha * cross - (1.0 - alpha) * own).clamp_min(tau)


def window_prior(expected: float, area: float, diameter: float) -> float:
    """Return the chance that a random window is centred on a particle.

    Centred means within a sixth of a diameter, which gives the paper's .018 on its first
    data set: ``expected * pi * (diameter / 6)**2 / area``.

    Parameters
    ----------
    expected
        Particles a micrograph.
    area, diameter
        Of a micrograph and of a particle, in the same pixels.
    """
    return min(0.5, expected * math.pi * (diameter / 6) ** 2 / area)
