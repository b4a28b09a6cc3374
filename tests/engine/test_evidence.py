"""How much scores say of a threshold: counted by hand."""

import numpy as np
import pytest

from frostpick.picking.evidence import Evidence

pytestmark = pytest.mark.quick

#: Two candidates of at least even odds, and three below.
GOOD = np.array([4.0, 0.0, -0.001, -3.0, -6.0])
BLANK = np.full(90, -5.5)


def test_micrographs_without_a_likely_candidate_do_not_count() -> None:
    assert Evidence.of([GOOD, BLANK, GOOD, np.zeros(0)]) == Evidence(2, 10, 4)
    assert Evidence.of([]) == Evidence.of([BLANK] * 50) == Evidence()


@pytest.mark.parametrize(
    ("micrographs", "candidates", "says", "enough"),
    [
        ([GOOD] * 14, 70, False, False),  # 28 likely
        ([GOOD] * 15, 75, True, False),  # 30 likely
        ([np.tile(GOOD, 10)] * 19, 950, True, False),
        ([np.tile(GOOD, 11)] * 19, 1045, True, False),
        ([np.tile(GOOD, 10)] * 20, 1000, True, True),
        ([GOOD] * 199, 995, True, False),
        ([GOOD] * 200, 1000, True, True),
        ([*[np.tile(GOOD, 11)] * 19, *[BLANK] * 30], 1045, True, False),
    ],
)
def test_what_says_anything_and_what_is_enough(micrographs, candidates, says, enough) -> None:
    found = Evidence.of(micrographs)
    assert found.candidates == candidates
    assert (found.says_anything, found.is_enough) == (says, enough)
