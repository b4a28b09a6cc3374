"""How many labels a training takes: the one place where few are refused, or told of.

None at all is another matter: a start model then learns from its own picks.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np

from frostpick.errors import LabelError, option
from frostpick.types import Labels

log = logging.getLogger(__name__)

#: Fewer labelled particles than this are refused.
FEWEST = 3
#: The fewest that trainings of all kinds were measured with (README, Accuracy).
MEASURED = 15

#: What they came to, by where a training starts (README, Accuracy).
FROM_MODEL = (
    "from general, 15 had an average precision of .97 on simulated data like its own (.97 "
    "without any) and .79 on proteins new to it (.69 without any), fewer were not measured"
)
FROM_NOTHING = (
    "from nothing, 15 had an average precision of .73 on simulated data before any further "
    "round, where general has .93 without any; fewer were not measured"
)
#: The same of few-shot picking's two ways, in best F1 (README; ``tests/benchmarks/fewshot.md``).
PU = "from general, 15 had a best F1 of .94 on simulated data, fewer were not measured"
CRYOMAE = "15 had a best F1 of .90 on four data sets, 5 of them .89"


def count_particles(labels: Mapping[str, Labels]) -> int:
    """Return how many labels are particles."""
    return sum(int(np.count_nonzero(one.sign > 0)) for one in labels.values())


def check_number(count: int, *, needless: bool, given: int | None = None) -> None:
    """Raise `LabelError` for one or two labelled particles.

    Parameters
    ----------
    needless
        Whether the training can do without any.
    given
        How many there were before those outside the micrographs, or on some that cannot be
        used, were left out.
    """
    if not 0 < count < FEWEST:
        return
    found = f"{count}" if given is None or given <= count else f"{count} of {given}"
    without = f", or leave {option('labels')} away to train without any" if needless else ""
    raise LabelError(
        f"training needs at least {FEWEST} labelled particles inside the micrographs, found "
        f"{found}; mark about {MEASURED}{without}"
    )


def warn_of_few(count: int, measured: str, word: str = "labels") -> None:
    """Tell in the log what to expect of few labels; nothing where there are none, or enough.

    Parameters
    ----------
    measured
        What was measured with 15 of them, such as `FROM_MODEL`.
    """
    if 0 < count < MEASURED:
        log.warning(
            "%d %s are few: %s; look at the picks, and mark about %d, of all views",
            count,
            word,
            measured,
            MEASURED,
        )
