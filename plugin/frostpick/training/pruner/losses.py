"""What a pruner is trained on: several losses over two heads.

With ``a`` and ``b`` the logits of the two heads, ``s = a[particle] - logsumexp(a[others])``
a head's log-odds of a particle, and ``y`` what the box shows::

    L = CE(a, y) + w_b CE_smooth(b, y) + w_agree JS(a, b) + w_binary [BCE(s_a, y) + BCE(s_b, y)] / 2

``CE_smooth`` has label smoothing 0.1; ``JS`` is the Jensen-Shannon divergence of the two
heads' class probabilities, zero when they agree. Where only good or bad is known, the
cross-entropies are left out and the binary term stands alone with weight 1. The first two
are those of Li et al. 2022; which further losses that paper combines is not public.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

SMOOTHING = 0.1


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms; see the module."""

    second: float = 1.0
    agreement: float = 0.5
    binary: float = 1.0


def log_odds(logits: torch.Tensor) -> torch.Tensor:
    """Return the log-odds of a particle from logits ``(..., classes)``, particle first."""
    return logits[..., 0] - torch.logsumexp(logits[..., 1:], -1)


def class_loss(logits: torch.Tensor, classes: torch.Tensor, weights: LossWeights) -> torch.Tensor:
    """Return the loss of boxes whose class is known.

    Parameters
    ----------
    logits
        ``(n, heads, classes)``.
    classes
        ``(n,)`` int64, index into ``frostpick.models.pruner.box_network.CLASSES``.
    """
    loss = F.cross_entropy(logits[:, 0], classes)
    if logits.shape[1] > 1:
        smooth = F.cross_entropy(logits[:, 1], classes, label_smoothing=SMOOTHING)
        loss = loss + weights.second * smooth + weights.agreement * disagreement(logits)
    good = (classes == 0).to(logits.dtype)
    return loss + weights.binary * binary_loss(logits, good)


def binary_loss(
    logits: torch.Tensor, good: torch.Tensor, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the mean over the heads of the cross-entropy of good ``(n,)``, 0 to 1."""
    score = log_odds(logits)
    target = good[:, None].expand_as(score)
    each = F.binary_cross_entropy_with_logits(score, target, reduction="none").mean(1)
    if weight is None:
        return each.mean()
    return (weight * each).sum() / weight.sum().clamp_min(1e-12)


def good_bad_loss(logits: torch.Tensor, good: torch.Tensor, weights: LossWeights) -> torch.Tensor:
    """Return the loss of boxes of which only good (1) or bad (0) is known."""
    loss = binary_loss(logits, good)
    if logits.shape[1] > 1:
        loss = loss + weights.agreement * disagreement(logits)
    return loss


def unlabelled_loss(logits: torch.Tensor, positive: torch.Tensor, prior: float) -> torch.Tensor:
    """Return the non-negative risk of positives and unlabelled boxes (Kiryo et al. 2017).

    ``prior R_p(+) + max(0, R_u(-) - prior R_p(-))``, each risk the mean cross-entropy of
    the log-odds over its boxes and heads.

    Parameters
    ----------
    positive
        ``(n,)`` bool: known particles; the rest is unlabelled.
    prior
        Fraction of particles among the unlabelled.
    """
    score = log_odds(logits)
    known, rest = score[positive], score[~positive]
    plus = F.softplus(-known).mean() if len(known) else score.sum() * 0
    minus_known = F.softplus(known).mean() if len(known) else score.sum() * 0
    minus_rest = F.softplus(rest).mean() if len(rest) else score.sum() * 0
    return prior * plus + (minus_rest - prior * minus_known).clamp_min(0)


def disagreement(logits: torch.Tensor) -> torch.Tensor:
    """Return the mean Jensen-Shannon divergence of two heads' classes, ``(n, 2, classes)``."""
    logs = F.log_softmax(logits, -1)
    middle = torch.logsumexp(logs, 1) - torch.log(torch.tensor(float(logits.shape[1])))
    each = (logs.exp() * (logs - middle[:, None])).sum(-1)
    return each.mean()
