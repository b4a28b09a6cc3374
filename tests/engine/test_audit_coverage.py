"""The interval of an audit covers the truth, and its cut keeps the promise, whatever the model."""

from __future__ import annotations

import numpy as np
import pytest

from frostpick.auditing.estimate import Judged
from frostpick.auditing.strata import cut_strata
from frostpick.types import sigmoid

#: True probability of a pick, by the model's own; and the number of picks.
TRUTHS = {
    "as the model says": (lambda p: p, 4000),
    "promises too much": (lambda p: 0.8 * p, 4000),
    "promises too little": (lambda p: np.where(p > 0.2, 0.97, p), 4000),
    "flat": (lambda p: np.full_like(p, 0.9), 4000),
    "junk on top": (lambda p: np.where(p > 0.99, 0.5, p), 4000),
    "small": (lambda p: p, 500),
}


@pytest.mark.parametrize("kind", TRUTHS)
def test_the_interval_covers_the_truth_and_the_promise_holds(kind: str) -> None:
    """300 audits of one truth each, on picks drawn as `draw_picks` draws them."""
    law, n = TRUTHS[kind]
    rng = np.random.default_rng(11)
    scores = np.sort(rng.normal(0, 3, n))[::-1]
    truth = (rng.random(n) < law(sigmoid(scores))).astype(np.float64)
    strata = cut_strata(scores, 0.0, 60)
    last = np.cumsum(strata.size)
    picks = np.floor(last - strata.size + rng.random((300, 60)) * strata.size).astype(np.int64)
    precise = np.cumsum(truth) / np.arange(1, n + 1)
    held, kept, widths = 0, 0, []
    for row in picks:
        audit = Judged(strata, np.arange(60), strata.least, truth[row], np.full(60, np.nan))
        found = audit.at(0.0, scores)
        held += found.low <= precise[found.picks - 1] <= found.high
        widths.append(found.high - found.low)
        cut = audit.loosest(0.9)
        kept += cut is None or precise[cut.picks - 1] >= 0.9
    assert held >= 0.93 * 300
    assert kept >= 0.9 * 300
    assert 0.05 < np.mean(widths) < 0.3
