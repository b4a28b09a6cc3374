"""Objectives against sums written out by hand.

Logits are chosen so that the probabilities are round: f = 0 -> 1/2,
f = ln 3 -> 3/4, f = -ln 3 -> 1/4.
"""

from __future__ import annotations

import math

import pytest
import torch

from frostpick.training.picker.objectives import OBJECTIVES, ge_binomial, ge_kl, nnpu, pn

pytestmark = pytest.mark.quick

LN3 = math.log(3.0)
# target 1 costs -ln g, target 0 costs -ln(1 - g)
HALF, THREE_QUARTERS, QUARTER = math.log(2), math.log(4 / 3), math.log(4)


def logits(*values: float) -> torch.Tensor:
    return torch.tensor(values, requires_grad=True)


def test_pn() -> None:
    # P: g = 3/4 -> -ln 3/4; U: g = 1/2, 1/4 -> (-ln 1/2 - ln 3/4) / 2; prior 0.2
    expected = 0.2 * THREE_QUARTERS + 0.8 * (HALF + THREE_QUARTERS) / 2
    assert pn(logits(LN3), logits(0.0, -LN3), 0.2).item() == pytest.approx(expected, rel=1e-6)


def test_nnpu_where_the_negative_risk_is_positive() -> None:
    # L_P(1) = ln 4/3, L_P(0) = ln 4, L_U(0) = (ln 2 + ln 4/3) / 2 = .490 > 0.2 ln 4 = .277
    expected = 0.2 * THREE_QUARTERS + (HALF + THREE_QUARTERS) / 2 - 0.2 * QUARTER
    assert nnpu(logits(LN3), logits(0.0, -LN3), 0.2).item() == pytest.approx(expected, rel=1e-6)


def test_nnpu_clamps_and_then_ignores_the_unlabelled() -> None:
    # L_U(0) = ln 4/3 = .288 < 0.5 ln 4 = .693: only 0.5 ln 4/3 is left
    positive, unlabelled = logits(LN3), logits(-LN3)
    risk = nnpu(positive, unlabelled, 0.5, tolerance=0.0)
    assert risk.item() == pytest.approx(0.5 * THREE_QUARTERS, rel=1e-6)
    risk.backward()
    assert unlabelled.grad is not None and unlabelled.grad.item() == 0.0
    assert positive.grad is not None and positive.grad.item() == pytest.approx(-0.5 * 0.25)


def test_nnpu_tolerance_is_in_units_of_the_prior() -> None:
    # the negative risk, .288 - .693 = -.405, is above -1 * 0.5 and below -0.5 * 0.5
    positive, unlabelled = logits(LN3), logits(-LN3)
    whole = 0.5 * THREE_QUARTERS + THREE_QUARTERS - 0.5 * QUARTER
    assert nnpu(positive, unlabelled, 0.5, tolerance=1.0).item() == pytest.approx(whole, rel=1e-5)
    cut = 0.5 * THREE_QUARTERS - 0.25
    assert nnpu(positive, unlabelled, 0.5, tolerance=0.5).item() == pytest.approx(cut, rel=1e-5)


def test_nnpu_with_the_labelled_taken_out() -> None:
    # of 10 locations 2 are labelled, 1 more is a particle: prior .3, labelled .2, rest .1;
    # L_U(0) of the 8 others = (4 ln 2 + 4 ln 4/3) / 8
    others = logits(*[0.0] * 4, *[-LN3] * 4)
    expected = 0.3 * THREE_QUARTERS + 0.8 * (HALF + THREE_QUARTERS) / 2 - 0.1 * QUARTER
    found = nnpu(logits(LN3, LN3), others, 0.3, 0.2).item()
    assert found == pytest.approx(expected, rel=1e-6)


def test_nnpu_with_every_particle_labelled_is_the_positive_negative_risk() -> None:
    positive, others = logits(LN3, 0.0), logits(-LN3, 0.0, LN3)
    found = nnpu(positive, others, 0.2, 0.2).item()
    assert found == pytest.approx(pn(positive, others, 0.2).item(), rel=1e-6)


def test_ge_kl() -> None:
    # mean g over U = (1/2 + 1/4) / 2 = 3/8; KL(1/4 || 3/8)
    divergence = 0.25 * math.log(0.25 / 0.375) + 0.75 * math.log(0.75 / 0.625)
    expected = THREE_QUARTERS + 10 * divergence
    found = ge_kl(logits(LN3), logits(0.0, -LN3), 0.25).item()
    assert found == pytest.approx(expected, rel=1e-5)


def test_ge_kl_is_zero_at_the_prior_and_finite_when_saturated() -> None:
    assert ge_kl(logits(LN3), logits(-LN3, -LN3), 0.25).item() == pytest.approx(THREE_QUARTERS)
    unlabelled = logits(-200.0, -200.0)
    value = ge_kl(logits(0.0), unlabelled, 0.01)
    assert math.isfinite(value.item())


def test_ge_binomial() -> None:
    # U: g = 1/2, 3/4: mu = 5/4, variance = 1/4 + 3/16 = 7/16; k = 0, 1, 2
    weights = [math.exp(-((1.25 - k) ** 2) / (2 * 7 / 16)) for k in range(3)]
    # weights .1677, .9311, .5258 (sum 1.6245); Binomial(2, 1/4) = 9/16, 6/16, 1/16
    # (.1677 * .5754 + .9311 * .9808 + .5258 * 2.7726) / 1.6245 = 1.5189
    binomial = [9 / 16, 6 / 16, 1 / 16]
    cross = -sum(w * math.log(b) for w, b in zip(weights, binomial, strict=True)) / sum(weights)
    assert cross == pytest.approx(1.5189, abs=1e-4)
    found = ge_binomial(logits(LN3), logits(0.0, LN3), 0.25).item()
    assert found == pytest.approx(THREE_QUARTERS + cross, rel=1e-5)


def test_ge_binomial_variance_floor() -> None:
    # g = 0 and 1 to float precision: mu = 1, variance floored at 1/4
    weights = [math.exp(-2.0), 1.0, math.exp(-2.0)]
    binomial = [9 / 16, 6 / 16, 1 / 16]
    cross = -sum(w * math.log(b) for w, b in zip(weights, binomial, strict=True)) / sum(weights)
    unlabelled = logits(-100.0, 100.0)
    value = ge_binomial(logits(0.0), unlabelled, 0.25)
    assert value.item() == pytest.approx(HALF + cross, rel=1e-5)
    value.backward()
    assert unlabelled.grad is not None and torch.isfinite(unlabelled.grad).all()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_half_precision_logits_are_computed_in_float32(name: str) -> None:
    positive = torch.tensor([8.0, -3.0])
    unlabelled = torch.linspace(-12, 12, 256).round()
    full = OBJECTIVES[name](positive, unlabelled, 0.02)
    half = OBJECTIVES[name](positive.bfloat16(), unlabelled.bfloat16(), 0.02)
    assert half.dtype == torch.float32
    assert half.item() == full.item()
    assert math.isfinite(full.item())
