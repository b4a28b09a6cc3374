"""What a finished task hands to its host: a sequence of outputs, each of one kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from frostpick.picking.threshold import Cut
from frostpick.types import Decisions, Micrograph, Picks

if TYPE_CHECKING:
    from frostpick.models.cryomae.model import AutoencoderModel
    from frostpick.models.picking_model import PickingModel
    from frostpick.models.pruner.model import Pruner
    from frostpick.report.figure import Figure

    Model = PickingModel | Pruner | AutoencoderModel


@dataclass(frozen=True)
class MicrographOutput:
    """One micrograph's picks above the floor.

    Parameters
    ----------
    picks
        ``selected`` are those that belong in the native outputs: by its threshold, or all.
    cut
        The micrograph's threshold; None stands for the one behind ``selected``.
    """

    micrograph: Micrograph
    picks: Picks
    shape: tuple[int, int]
    pixel_size_A: float
    cut: Cut | None = None


@dataclass(frozen=True)
class PicksOutput:
    """The picks of all micrographs, each of which was handed to `Host.deliver_one` before.

    Parameters
    ----------
    threshold
        The score threshold in force, of new micrographs at least.
    scores
        ``(n,)`` float64, scores of all picks above the floor.
    min_distance_A
        Smallest distance between two picks.
    failed
        ``id -> one clause`` for micrographs that could not be picked.
    kept
        Number of micrographs with another threshold: one that they keep, or their own by the rule.
    """

    threshold: float
    scores: NDArray[np.float64]
    min_distance_A: float
    failed: Mapping[str, str] = field(default_factory=dict)
    name: str = "picks"
    kept: int = 0


@dataclass(frozen=True)
class ModelOutput:
    """A model, saved as its two files in a folder of the output's name.

    Parameters
    ----------
    curve
        Figures of its training by step, for a table; none where there is none to show.
    counts
        What it was trained on, in words of the report.
    """

    name: str
    model: Model
    curve: Sequence[Mapping[str, float]] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class KeptRows:
    """The input's rows in two parts; `decisions` has one for every row of `Host.input_rows`."""

    decisions: Decisions
    name: str = "kept"


@dataclass(frozen=True)
class ScoredRows:
    """All of the input's rows with score and spread; none is dropped."""

    decisions: Decisions
    name: str = "verified"


@dataclass(frozen=True)
class Files:
    """More files for the user: path below the job's folder -> where each lies now."""

    files: Mapping[str, Path]
    name: str = "files"


@dataclass(frozen=True)
class Report:
    """The run record, and what a person looks at.

    Parameters
    ----------
    record
        Settings, versions, counts (`frostpick.runtime.run_record`).
    figures
        In the order of the report.
    failed
        ``id -> one clause`` for micrographs that could not be used.
    rows
        Name and value of what stands at the top of the page; None for what
        `frostpick_jobs.job.report` takes from the record.
    """

    record: Mapping[str, Any]
    figures: Sequence[Figure] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    name: str = "report"
    rows: Sequence[tuple[str, object]] | None = None


Output = PicksOutput | ModelOutput | KeptRows | ScoredRows | Files | Report
O = TypeVar("O", PicksOutput, ModelOutput, KeptRows, ScoredRows, Files, Report)  # noqa: E741


def find(outputs: Sequence[Output], kind: type[O]) -> O | None:
    """Return the output of a kind; None where a task has none."""
    return next((one for one in outputs if isinstance(one, kind)), None)
