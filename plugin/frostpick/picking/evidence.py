"""How much the scores of some micrographs say of the threshold of a whole session."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.picking.threshold import EVEN_ODDS

#: With fewer candidates as likely as not, the largest expected F1 is that of a chance. Measured
#: on 3,900 drawings of one to four simulated micrographs of seven kinds, blank ones between
#: them: with none it selected all of the noise, with one the F1 was .30 below that of the
#: model's own threshold, with 12 to 19 .03, with 20 to 29 .02; from 30 on the two are equal.
LEAST_LIKELY = 30
#: From here on a threshold no longer moves with what comes later. Measured on 280 simulated
#: sessions of seven kinds: from that of the whole session it is .5 away at most after 8
#: micrographs, .2 after 20 (95 % within .09), .15 after 30; F1 is .03 lower at most, where a
#: micrograph has one or two particles, else .005. With fewer than 1,000 candidates it is up to
#: 1.2 away. Micrographs without a likely candidate say nothing.
ENOUGH_MICROGRAPHS = 20
ENOUGH_CANDIDATES = 1000


@dataclass(frozen=True)
class Evidence:
    """What there is to choose a threshold by.

    Parameters
    ----------
    micrographs
        Number of micrographs that have a candidate of at least even odds.
    candidates
        Number of all candidates on those micrographs.
    likely
        Number of candidates of at least even odds.
    """

    micrographs: int = 0
    candidates: int = 0
    likely: int = 0

    @classmethod
    def of(cls, scores: Iterable[NDArray[np.float64]]) -> Evidence:
        """Count in the scores ``(n,)`` of each micrograph."""
        counted = [(len(one), int(np.count_nonzero(one >= EVEN_ODDS))) for one in scores]
        telling = [(candidates, likely) for candidates, likely in counted if likely]
        return cls(
            len(telling), sum(one for one, _ in telling), sum(likely for _, likely in telling)
        )

    @property
    def says_anything(self) -> bool:
        """Whether the largest expected F1 of these scores means something."""
        return self.likely >= LEAST_LIKELY

    @property
    def is_enough(self) -> bool:
        """Whether a threshold of these scores holds for what comes later."""
        return (
            self.says_anything
            and self.micrographs >= ENOUGH_MICROGRAPHS
            and self.candidates >= ENOUGH_CANDIDATES
        )
