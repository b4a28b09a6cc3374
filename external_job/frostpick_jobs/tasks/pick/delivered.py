"""What a picking job has delivered, and by which threshold each micrograph was cut."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from frostpick.picking.threshold import Cut
from frostpick_jobs.store import PickStore

STATE = "threshold"


@dataclass(frozen=True)
class Delivery:
    """How one micrograph was delivered.

    Parameters
    ----------
    cut
        What was selected.
    pixel_size_A
        The pixel size that was in force.
    """

    cut: Cut
    pixel_size_A: float

    @classmethod
    def of(cls, threshold: float, pixel_size_A: float, most: float | None = None) -> Delivery:
        """Return it from the numbers of the file; ``most`` is there where a rule counts picks."""
        cut = Cut(float(threshold), None if most is None else int(most))
        return cls(cut, float(pixel_size_A))

    def numbers(self) -> list[float]:
        """Return the numbers of the file."""
        found = [self.cut.score, self.pixel_size_A]
        return found if self.cut.most is None else [*found, self.cut.most]

    def same_scale(self, pixel_size_A: float) -> bool:
        """Tell whether a pixel size is still the one of then."""
        return math.isclose(self.pixel_size_A, pixel_size_A, rel_tol=1e-6)


@dataclass(frozen=True)
class Delivered:
    """The threshold of a job and the micrographs that it was delivered with.

    Written before the first micrograph is delivered, so that a job that was stopped while it
    delivered goes on with the same cuts.

    Parameters
    ----------
    basis
        What the threshold stands on beside the scores.
    rule
        The rule that was asked for.
    threshold
        What holds for micrographs that come later, in score units.
    settled
        It is not chosen again when more micrographs come.
    provisional
        It was called provisional.
    micrographs
        By id; those that the job has lost since stay.
    """

    basis: str
    rule: str
    threshold: float
    settled: bool
    provisional: bool
    micrographs: Mapping[str, Delivery]

    @classmethod
    def read(cls, store: PickStore, basis: str) -> Delivered | None:
        """Return what an earlier run of the job wrote; None for another basis, or damaged."""
        state = store.read_state(STATE)
        if state.get("basis") != basis:
            return None
        try:
            return cls(
                basis,
                str(state["rule"]),
                float(state["threshold"]),
                bool(state["settled"]),
                bool(state["provisional"]),
                {name: Delivery.of(*one) for name, one in state["micrographs"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def write(self, store: PickStore) -> None:
        """Write it in place of that of an earlier run."""
        micrographs = {name: one.numbers() for name, one in self.micrographs.items()}
        store.write_state(STATE, {**vars(self), "micrographs": micrographs})
