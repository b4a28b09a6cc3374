"""A verifying External job of CryoSPARC: every particle out again, with score and spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostpick.types import Decisions
from frostpick_jobs.hosts.cryosparc.prune_host import CryoSPARCPruneHost
from frostpick_jobs.hosts.cryosparc.server.wiring import VERIFIED
from frostpick_jobs.job.host import Delivery


class CryoSPARCVerifyHost(CryoSPARCPruneHost):
    """An External job whose particle input gets scores; no row is dropped.

    Boxes are cut as for pruning. All slots of the input pass through but ``pick_stats``,
    which is written: see `pick_stats`.
    """

    # Written anew, whatever it was.
    _also = ()

    def deliver(self, delivery: Delivery) -> None:
        """Save all rows, scores, record and pictures; complete the job."""
        decisions = delivery.decisions
        assert decisions is not None
        columns = pick_stats(decisions)
        self._particles.save_scores(self.job, VERIFIED, columns, self.reporter.check)
        self._finish(delivery, decisions)

    def _pictured(self, delivery: Delivery) -> str | None:
        return VERIFIED


def pick_stats(decisions: Decisions) -> dict[str, NDArray[np.float32]]:
    """Return the two numbers by which Inspect Picks cuts, ``(n,)`` float32 each.

    ``ncc_score``, which it cuts from below, is the probability of a particle by the mean
    score over the four rotations; ``power``, which it cuts from above as well, is the
    spread of the score over them. A particle without a score, its image unread or its
    centre off it, has 0 and 999, so that either cut leaves it out.
    """
    unread = ~np.isfinite(decisions.score)
    probability = np.where(unread, 0.0, decisions.probability)
    spread = np.where(unread | ~np.isfinite(decisions.spread), 999.0, decisions.spread)
    return {
        "pick_stats/ncc_score": probability.astype(np.float32),
        "pick_stats/power": spread.astype(np.float32),
    }
