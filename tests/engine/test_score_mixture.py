"""Particles told from background by the logits of all picks and of a few known particles."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from frostpick.picking.calibration import calibrated
from frostpick.picking.threshold import choose_threshold
from frostpick.training.cryomae.finish import KEPT, calibration_of, mixture_within
from frostpick.training.cryomae.score_mixture import BIN, Background, fit_mixture
from frostpick.training.prior import count_particles

Floats = NDArray[np.float64]

#: Background of four micrographs, and particles on them: the second is blank, on the last the
#: ice is thick. Mode and deviations left and right of it are those of real micrographs.
MODES, LEFT, RIGHT = (0.9, 0.3, 0.9, 1.0), 0.35, 0.22
PARTICLES, OTHERS = (150, 0, 160, 140), 430
MEAN, SPREAD = 1.67, 0.24


def two_piece(rng: np.random.Generator, mode: float, count: int) -> Floats:
    """Draw from two halves of normal laws, as likely as they are wide."""
    size = np.abs(rng.normal(size=count))
    return mode + np.where(rng.random(count) < LEFT / (LEFT + RIGHT), -LEFT, RIGHT) * size


def simulated(seed: int) -> tuple[list[Floats], list[NDArray[np.bool_]], Floats]:
    """Logits by micrograph, which are particles, and 15 known ones of the first, two of them bad.

    A mark beside its particle scores like background: two such were among the exemplars for
    which the former estimate was worst.
    """
    rng = np.random.default_rng(seed)
    picks, truth = [], []
    for mode, count in zip(MODES, PARTICLES, strict=True):
        picks.append(
            np.concatenate([rng.normal(MEAN, SPREAD, count), two_piece(rng, mode, OTHERS)])
        )
        truth.append(np.arange(count + OTHERS) < count)
    known = np.concatenate([rng.normal(MEAN, SPREAD, 13), [0.52, 0.84]])
    return picks, truth, known


def f1_at(score: Floats, truth: NDArray[np.bool_], threshold: float) -> float:
    chosen = score >= threshold
    return 2 * float((chosen & truth).sum()) / float(chosen.sum() + truth.sum())


def test_the_background_is_the_most_likely_one() -> None:
    rng = np.random.default_rng(2)
    x = np.sort(two_piece(rng, 0.4, 60))
    weight = rng.uniform(0.0, 2.0, 60)
    found = Background.of(x, weight)

    def unlikely(mode: float, sides: Floats) -> float:
        one = Background(mode, *np.exp(sides))
        return -float(weight @ one.log_density(x))

    best = min(float(minimize(lambda s, m=m: unlikely(m, s), [-1.0, -1.0]).fun) for m in x)
    sides = np.log([found.left, found.right])
    assert unlikely(found.mode, sides) == pytest.approx(best, rel=1e-6)
    # and it is a density
    fine = np.linspace(-4, 5, 20001)
    assert np.exp(found.log_density(fine)).sum() * (fine[1] - fine[0]) == pytest.approx(1, rel=1e-3)


def test_the_particles_of_simulated_micrographs_are_counted() -> None:
    counted, shares = [], []
    for seed in range(10):
        picks, truth, known = simulated(seed)
        mixture = fit_mixture(picks, known)
        counted.append([one.sum() for one in mixture.probability])
        assert mixture.mean == pytest.approx(MEAN, abs=0.06)
        assert mixture.deviation == pytest.approx(SPREAD, abs=0.05)
        assert mixture.particles == pytest.approx(np.sum(counted[-1]))
        for mode, background in zip(MODES, mixture.backgrounds, strict=True):
            assert background.mode == pytest.approx(mode, abs=0.2)
        sure = np.concatenate(mixture.probability) > 0.5
        shares.append(np.concatenate(truth)[sure].mean())
    np.testing.assert_allclose(np.mean(counted, axis=0), PARTICLES, atol=12)
    assert np.max(np.abs(np.sum(counted, axis=1) / 450 - 1)) < 0.15
    assert np.mean(shares) > 0.9


def test_bad_marks_spoil_the_count_by_labels_but_not_this_one() -> None:
    """The former estimate: picks over the share of labels, above thresholds that labels set."""
    former, now = [], []
    for seed in range(10):
        picks, _, known = simulated(seed)
        former.append(count_particles(np.concatenate([picks[0], known]), known) / 165)
        now.append((mixture_within(picks[:1], known, (0.0, 1e3)).particles + 15) / 165)
    assert np.max(np.abs(np.array(former) - 1)) > 0.35
    assert np.max(np.abs(np.array(now) - 1)) < 0.2


def test_the_threshold_is_near_the_best_one() -> None:
    for seed in range(5):
        picks, _, known = simulated(seed)
        calibration = calibration_of(fit_mixture(picks, known), picks, known)
        fresh, truth, _ = simulated(100 + seed)
        score, true = calibrated(np.concatenate(fresh), calibration), np.concatenate(truth)
        best = max(f1_at(score, true, t) for t in np.linspace(-6, 6, 400))
        assert f1_at(score, true, choose_threshold(score, "auto")) > best - 0.02


def test_slope_and_sum_of_probabilities_are_those_of_two_normal_laws() -> None:
    """Of one deviation s and a distance d: log-odds of slope d / s^2, of which `KEPT` is kept."""
    rng = np.random.default_rng(0)
    picks = [np.concatenate([rng.normal(1.6, 0.25, 4000), rng.normal(0.6, 0.25, 9000)])]
    known = rng.normal(1.6, 0.25, 15)
    calibration = calibration_of(fit_mixture(picks, known), picks, known)
    assert calibration.slope == pytest.approx(KEPT * 1.0 / 0.25**2, rel=0.12)
    score = calibrated(np.concatenate([known, *picks]), calibration)
    assert (1 / (1 + np.exp(-score))).sum() == pytest.approx(4015, rel=0.02)


def test_chances_rise_with_the_logit_and_are_none_below_the_mode() -> None:
    picks, _, known = simulated(3)
    picks.append(np.array([0.1, 4.0, 6.0, -9.0]))
    mixture = fit_mixture(picks, known)
    for one, chance, background in zip(
        picks, mixture.probability, mixture.backgrounds, strict=True
    ):
        assert (np.diff(chance[np.argsort(one)]) >= 0).all()
        assert not chance[one < background.mode - BIN].any()
        assert ((chance >= 0) & (chance <= 1)).all()


@pytest.mark.parametrize("given", [200.0, 450.0, 800.0])
def test_a_given_number_is_kept(given: float) -> None:
    picks, _, known = simulated(1)
    assert fit_mixture(picks, known, given).particles == pytest.approx(given, rel=0.01)


def test_a_number_outside_its_limits_is_brought_back() -> None:
    picks, _, known = simulated(1)
    free = fit_mixture(picks, known).particles
    total = (free + 15) / 4
    within = mixture_within(picks, known, (0.5 * total, 1.5 * total))
    assert within.particles == free
    few = mixture_within(picks, known, (0.0, 0.8 * total))
    assert few.particles + 15 == pytest.approx(0.8 * total * 4, rel=0.01)
    many = mixture_within(picks, known, (1.3 * total, 2 * total))
    assert many.particles + 15 == pytest.approx(1.3 * total * 4, rel=0.01)


def test_micrographs_without_picks_do_no_harm() -> None:
    picks, _, known = simulated(0)
    mixture = fit_mixture([np.zeros(0), *picks], known)
    assert len(mixture.probability[0]) == 0
    assert mixture.particles == pytest.approx(fit_mixture(picks, known).particles, abs=0.5)
    nothing = fit_mixture([np.zeros(0)], known)
    assert nothing.particles == 0.0 and np.isfinite([nothing.mean, nothing.deviation]).all()
    calibration = calibration_of(nothing, [np.zeros(0)], known)
    assert np.isfinite([calibration.slope, calibration.offset]).all()
