r"""What training minimises: pure functions of logits, in float32.

Every objective takes the logits of labelled locations (``positive``), of
unlabelled ones (``unlabelled``) and the class prior, the fraction of all
locations that lie on a particle's disc. ``softplus(-f)`` is the cross-entropy
of a logit f with target 1, ``softplus(f)`` with target 0. With ``worth``, what each labelled
location counts, means over these are weighted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch.nn.functional import softplus

#: ``(positive, unlabelled, prior, worth=None) -> scalar``; logits and worth are one-dimensional.
ObjectiveFunction = Callable[..., torch.Tensor]

#: Smallest variance of the number of particles in `ge_binomial`; below it the
#: discretised Gaussian is one spike and gives no gradient.
VARIANCE_FLOOR = 0.25
#: Default tolerance of `nnpu`, in units of the prior.
TOLERANCE = 1.0
#: Clamp of the mean probability in `ge_kl`: its logarithms stay finite.
MEAN_CLAMP = 1e-6


def mean_worth(values: torch.Tensor, worth: torch.Tensor | None) -> torch.Tensor:
    """Return the mean, or the mean weighted by what each value is worth."""
    return values.mean() if worth is None else (worth * values).sum() / worth.sum()


def pn(
    positive: torch.Tensor,
    unlabelled: torch.Tensor,
    prior: float,
    worth: torch.Tensor | None = None,
) -> torch.Tensor:
    """Positive-negative risk: every unlabelled location counts as empty.

    ``prior * mean softplus(-f_P) + (1 - prior) * mean softplus(f_U)``.
    """
    p, u = positive.float(), unlabelled.float()
    return prior * mean_worth(softplus(-p), worth) + (1.0 - prior) * softplus(u).mean()


def nnpu(
    positive: torch.Tensor,
    unlabelled: torch.Tensor,
    prior: float,
    labelled: float = 0.0,
    tolerance: float = TOLERANCE,
    worth: torch.Tensor | None = None,
) -> torch.Tensor:
    """Non-negative risk of positive and unlabelled data, the clamped form.

    ``prior * L_P(1) + max(-tolerance * rest, (1 - labelled) * L_U(0) - rest * L_P(0))`` with
    ``rest = prior - labelled``: eq. 6 of Kiryo et al. (2017) with their tolerance beta in
    units of ``rest``. The second term estimates the risk on negatives, which cannot be below
    zero; where the estimate is clearly below, it teaches nothing. A few tiles hold now more,
    now fewer particles than the prior says: without tolerance half of the steps would teach
    nothing about the background.

    Parameters
    ----------
    labelled
        Fraction of all locations that carry a label and were taken out of ``unlabelled``;
        0 where they were not. The expectation is the same, its variance falls with every
        label, and with all particles labelled it is the positive-negative risk.
    """
    p, u = positive.float(), unlabelled.float()
    rest = max(0.0, prior - labelled)
    negative_risk = (1.0 - labelled) * softplus(u).mean() - rest * mean_worth(softplus(p), worth)
    return prior * mean_worth(softplus(-p), worth) + negative_risk.clamp(min=-tolerance * rest)


def ge_kl(
    positive: torch.Tensor,
    unlabelled: torch.Tensor,
    prior: float,
    slack: float = 10.0,
    worth: torch.Tensor | None = None,
) -> torch.Tensor:
    """Labelled cross-entropy plus ``slack * KL(prior || mean probability)``.

    The generalised expectation criterion of Bepler et al. (2019): the mean
    probability over unlabelled locations is held at the prior.
    """
    mean = torch.sigmoid(unlabelled.float()).mean().clamp(MEAN_CLAMP, 1.0 - MEAN_CLAMP)
    t = min(max(prior, MEAN_CLAMP), 1.0 - MEAN_CLAMP)
    divergence = t * (math.log(t) - mean.log()) + (1.0 - t) * (math.log1p(-t) - (-mean).log1p())
    return mean_worth(softplus(-positive.float()), worth) + slack * divergence


def ge_binomial(
    positive: torch.Tensor,
    unlabelled: torch.Tensor,
    prior: float,
    slack: float = 1.0,
    worth: torch.Tensor | None = None,
) -> torch.Tensor:
    """Labelled cross-entropy plus the cross-entropy of the count with a binomial.

    The number of particles among N unlabelled locations, a sum of independent
    coin tosses of the network's probabilities g, is taken as a Gaussian with
    mean sum g and variance sum g (1 - g) on the integers 0..N (Bepler et al.
    2019); the penalty is its cross-entropy with Binomial(N, prior). The N
    locations must be drawn over many tiles: over one tile the true number
    varies far more than a binomial.
    """
    g = torch.sigmoid(unlabelled.float())
    n = g.numel()
    k = torch.arange(n + 1, dtype=torch.float32, device=g.device)
    mean, variance = g.sum(), (g * (1.0 - g)).sum().clamp(min=VARIANCE_FLOOR)
    count = torch.softmax(-((mean - k) ** 2) / (2.0 * variance), dim=0)
    t = min(max(prior, MEAN_CLAMP), 1.0 - MEAN_CLAMP)
    log_choose = math.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
    log_binomial = log_choose + k * math.log(t) + (n - k) * math.log1p(-t)
    return mean_worth(softplus(-positive.float()), worth) - slack * (count * log_binomial).sum()


OBJECTIVES: Mapping[str, ObjectiveFunction] = {
    "nnpu": nnpu,
    "ge-binomial": ge_binomial,
    "ge-kl": ge_kl,
    "pn": pn,
}

#: Objectives whose unlabelled term is taken over a few locations drawn at random.
SAMPLED = frozenset({"ge-binomial", "ge-kl"})
#: How many, a quarter of a thousand, as the reference does.
SAMPLED_LOCATIONS = 256
