"""The picks of a finished job that an audit draws from, whichever task made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick.settings import Threshold
from frostpick.types import LocalFile, Micrograph

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OnMicrograph:
    """The picks of one micrograph: ``(n,)`` columns, rows and scores, and its pixel size."""

    name: str
    x_px: Floats
    y_px: Floats
    score: Floats
    pixel_size_A: float


@dataclass(frozen=True)
class Population:
    """All picks that a threshold could select.

    Parameters
    ----------
    digest
        Of all scores and of what they stand on (`frostpick_jobs.tasks.audit.kept.scores_digest`).
    parts
        The picks by micrograph.
    files
        Micrographs by their names.
    diameter_A
        Longest dimension of the particle.
    threshold
        The one in force.
    """

    digest: str
    parts: Sequence[OnMicrograph]
    files: Mapping[str, str]
    diameter_A: float
    threshold: float

    @cached_property
    def scores(self) -> Floats:
        """``(n,)`` of all picks."""
        return np.concatenate([np.zeros(0), *(one.score for one in self.parts)])

    @cached_property
    def part_of(self) -> NDArray[np.int64]:
        """``(n,)``: which part each pick is of."""
        return np.repeat(np.arange(len(self.parts)), [len(one.score) for one in self.parts])

    def micrograph(self, name: str) -> Micrograph:
        """Return a micrograph; `InputError` where its file is not known here."""
        if name not in self.files:
            raise InputError(
                f"{name}: this job has not kept where its micrographs lie (it ran before there "
                "was an audit, or fetched them from a server); run it again on their files: "
                "nothing is picked twice"
            )
        return Micrograph(name, LocalFile(Path(self.files[name])))


def check_rule(job: Path, rule: Threshold) -> None:
    """Raise `InputError` where each micrograph has a threshold of its own: an audit judges one."""
    if rule.kind == "per-micrograph":
        raise InputError(
            f"{job}: selects by {rule.text}, a threshold of its own on each micrograph; an audit "
            "judges one of all: select by another rule first, such as fraction=0.7"
        )


def files_of(micrographs: Sequence[Micrograph]) -> dict[str, str]:
    """Return the files of the micrographs that lie where this machine reads them."""
    sources = ((one.id, one.source) for one in micrographs)
    return {
        name: str(source.path.absolute())
        for name, source in sources
        if isinstance(source, LocalFile)
    }
