"""Equations 4 to 6 against double sums and against random memberships."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from frostpick.training.cryomae.similarity import (
    cross_similarity,
    self_similarity,
    similarity_loss,
    window_prior,
)


def units(count: int, seed: int) -> torch.Tensor:
    values = torch.randn(count, 7, generator=torch.Generator().manual_seed(seed)).double()
    return torch.nn.functional.normalize(values + 0.3, dim=1)


def double_sums(z: np.ndarray, particle: np.ndarray, ground: np.ndarray) -> tuple[float, float]:
    """Weighted means of the cosine over ordered pairs of different windows."""
    top = [0.0, 0.0]
    weight = [0.0, 0.0]
    for a in range(len(z)):
        for b in range(len(z)):
            if a == b:
                continue
            cosine = float(z[a] @ z[b])
            for k, w in enumerate((particle[a] * particle[b], particle[a] * ground[b])):
                top[k] += w * cosine
                weight[k] += w
    return top[0] / weight[0], top[1] / weight[1]


@pytest.mark.parametrize("prior", [0.0, 0.018, 0.3])
@pytest.mark.parametrize("sizes", [(4, 9), (2, 1), (6, 5)])
def test_similarities_are_double_sums(prior: float, sizes: tuple[int, int]) -> None:
    m, n = sizes
    labelled, unlabelled = units(m, 1), units(n, 2)
    z = torch.cat([labelled, unlabelled]).numpy()
    particle = np.array([1.0] * m + [prior] * n)
    ground = np.array([0.0] * m + [1.0 - prior] * n)
    own, cross = double_sums(z, particle, ground)
    assert float(self_similarity(labelled, unlabelled, prior)) == pytest.approx(own, abs=1e-12)
    assert float(cross_similarity(labelled, unlabelled, prior)) == pytest.approx(cross, abs=1e-12)
    loss = float(similarity_loss(labelled, unlabelled, prior))
    assert loss == pytest.approx(max(0.02, 1 + 0.7 * cross - 0.3 * own), abs=1e-12)


def test_similarities_are_those_of_random_memberships() -> None:
    """Draw which unlabelled windows are particles; the ratio of the mean sums must agree."""
    m, n, prior = 5, 8, 0.25
    labelled, unlabelled = units(m, 3), units(n, 4)
    z = torch.cat([labelled, unlabelled]).numpy()
    cosine = z @ z.T - np.eye(m + n)
    pairs = 1.0 - np.eye(m + n)
    rng = np.random.default_rng(0)
    member = np.concatenate([np.ones((40000, m)), rng.random((40000, n)) < prior], axis=1)
    sums = np.einsum("ka,ab,kb->k", member, cosine, member).mean()
    counts = np.einsum("ka,ab,kb->k", member, pairs, member).mean()
    assert float(self_similarity(labelled, unlabelled, prior)) == pytest.approx(
        sums / counts, abs=0.003
    )
    away = 1.0 - member
    sums = np.einsum("ka,ab,kb->k", member, cosine, away).mean()
    counts = np.einsum("ka,ab,kb->k", member, pairs, away).mean()
    assert float(cross_similarity(labelled, unlabelled, prior)) == pytest.approx(
        sums / counts, abs=0.003
    )


def test_loss_has_its_floor_and_its_best_at_the_antipode() -> None:
    particle = torch.zeros(4, 3)
    particle[:, 0] = 1.0
    assert float(similarity_loss(particle, -particle, 0.0)) == pytest.approx(0.02)
    orthogonal = torch.zeros(5, 3)
    orthogonal[:, 1] = 1.0
    assert float(similarity_loss(particle, orthogonal, 0.0)) == pytest.approx(0.7)
    assert float(similarity_loss(particle, particle, 0.0)) == pytest.approx(1.4)


def test_prior_of_the_papers_first_set() -> None:
    # EMPIAR-10081: 131 particles of 154 px on 3838 x 3710; the paper's .018
    assert window_prior(131, 3838 * 3710, 154) == pytest.approx(0.018, abs=0.0015)
    assert window_prior(1e9, 100, 30) == 0.5
