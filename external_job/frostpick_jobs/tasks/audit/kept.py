"""What a job keeps of its audit: which picks were drawn from which strata, and of which scores."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.auditing.estimate import Judged
from frostpick.auditing.strata import Strata
from frostpick.runtime.atomic import write_text
from frostpick_jobs.tasks.audit.answers import read_answers

STATE, TABLE = "audit.json", "audit.csv"


@dataclass(frozen=True)
class Drawn:
    """A pick that a person is to judge; ``number`` as the pictures show it."""

    number: int
    micrograph: str
    x_px: float
    y_px: float
    score: float
    stratum: int


@dataclass(frozen=True)
class KeptAudit:
    """An audit as the spool of a job keeps it; its scores are nowhere that the judge looks.

    Parameters
    ----------
    digest
        Of all scores and the model behind them (`scores_digest`).
    strata
        From which all draws were made.
    draws
        Folder of each draw and its picks; folders are relative to the spool, so that a job may
        be moved.
    """

    digest: str
    strata: Strata
    draws: Sequence[tuple[str, Sequence[Drawn]]]

    @classmethod
    def read(cls, spool: Path) -> KeptAudit | None:
        """Return the audit of a job; None where there is none, or it is damaged."""
        try:
            found = json.loads((spool / STATE).read_text(encoding="utf-8"))
            strata = Strata(np.array(found["size"], np.int64), np.array(found["least"], np.float64))
            draws = [
                (str(folder), [Drawn(*row) for row in rows]) for folder, rows in found["draws"]
            ]
            return cls(str(found["digest"]), strata, draws)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, spool: Path) -> None:
        """Write it in place of an older one."""
        state = {
            "digest": self.digest,
            "size": self.strata.size.tolist(),
            "least": self.strata.least.tolist(),
            "draws": [[folder, [astuple(one) for one in rows]] for folder, rows in self.draws],
        }
        write_text(spool / STATE, json.dumps(state) + "\n")

    @property
    def drawn(self) -> list[Drawn]:
        """The picks of all draws, in the order of their numbers."""
        return [one for _, rows in self.draws for one in rows]

    def folders(self, spool: Path) -> list[Path]:
        """Return the folders of the draws."""
        return [Path(os.path.normpath(spool / folder)) for folder, _ in self.draws]

    def judged(self, spool: Path) -> Judged:
        """Return the picks with what was answered by now; `InputError` as `read_answers`."""
        answer, junk = [], []
        for folder, (_, rows) in zip(self.folders(spool), self.draws, strict=True):
            told = read_answers(folder / TABLE, frozenset(one.number for one in rows))
            both = [told.get(one.number, (math.nan, math.nan)) for one in rows]
            answer += [one[0] for one in both]
            junk += [one[1] for one in both]
        drawn = self.drawn
        return Judged(
            self.strata,
            np.array([one.stratum for one in drawn], np.int64),
            np.array([one.score for one in drawn], np.float64),
            np.array(answer, np.float64),
            np.array(junk, np.float64),
        )


def scores_digest(basis: str, scores: Iterable[tuple[str, NDArray[np.float64]]]) -> str:
    """Return a digest of what an audit stands on: model, settings, and every score.

    Parameters
    ----------
    basis
        Of model and settings (`frostpick_jobs.tasks.pick.threshold.threshold_basis`).
    scores
        By micrograph, in any order.
    """
    total = hashlib.sha256(basis.encode())
    for name, values in sorted(scores, key=lambda one: one[0]):
        text = name.encode("utf-8", "surrogateescape")
        total.update(len(text).to_bytes(8, "little") + text)
        total.update(np.ascontiguousarray(values, "<f8").tobytes())
    return total.hexdigest()
