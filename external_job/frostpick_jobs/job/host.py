"""What a task asks of the program it runs in. A host reads, reports and delivers; nothing else."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick.runtime.reporter import Reporter
from frostpick.types import Decisions, Labels, Micrograph, ParticleStack, Picks

if TYPE_CHECKING:
    from frostpick.models.picking_model import PickingModel
    from frostpick.models.pruner.model import Pruner


class Outcome(enum.Enum):
    """How a job ended."""

    FINISHED = "finished"
    FAILED = "failed"
    ABORTED = "aborted"


@dataclass(frozen=True)
class MicrographOutput:
    """One micrograph's picks above the floor.

    Parameters
    ----------
    picks
        ``selected`` are those that belong in the native outputs: by the job's threshold,
        or all of them.
    threshold
        The job's threshold in score units; None stands for the one behind ``selected``.
    """

    micrograph: Micrograph
    picks: Picks
    shape: tuple[int, int]
    pixel_size_A: float
    threshold: float | None = None


@dataclass(frozen=True)
class Candidates:
    """Rows that a pruning job decides on, or boxes that it learns from.

    Every one of ``rows`` rows is in one place at most; a row that is in none has no image
    and is rejected as not read.

    Parameters
    ----------
    rows
        Rows of the host's table.
    picks
        Picks by micrograph, of which ``row`` is the row in that table.
    stacks
        Extracted particles by stack file.
    merit
        ``(rows,)`` float64, the figure of merit that each row's picker gave, on whatever
        scale, higher is better; NaN where it gave none, None where it gave none to any.
    """

    rows: int
    picks: Sequence[tuple[Micrograph, Picks]] = ()
    stacks: Sequence[ParticleStack] = ()
    merit: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Judged:
    """Labels of a pruning job: rows known to be good, and rows known to be bad."""

    good: Candidates | None = None
    bad: Candidates | None = None


@dataclass(frozen=True)
class Delivery:
    """What a finished task hands to its host.

    Parameters
    ----------
    outputs
        What was handed to `Host.deliver_one`, in the same order. Read anew by each
        iterator, so that two million picks are never in memory at once: a host that keeps
        what it needs as the outputs come by need not read them again.
    failed
        ``id -> one clause`` for micrographs that could not be used.
    model
        The trained model, for a training task.
    threshold
        The score threshold in force, for a picking task.
    scores
        ``(n,)`` float64, scores of all picks above the floor, for a picking task.
    record
        The run record (`frostpick.runtime.run_record`): settings, versions, counts.
    figures
        ``(name, png, caption)`` in the order of the report.
    decisions
        One for every row of `Host.candidates`, for a pruning task.
    pruner
        The pruner that made them, as it was fitted to this job's labels.
    files
        More files for the user: path below the job's folder -> where each lies now.
    """

    outputs: Iterable[MicrographOutput] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    model: PickingModel | None = None
    threshold: float | None = None
    scores: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    record: Mapping[str, Any] = field(default_factory=dict)
    figures: Sequence[tuple[str, bytes, str]] = ()
    decisions: Decisions | None = None
    pruner: Pruner | None = None
    files: Mapping[str, Path] = field(default_factory=dict)


class Host(ABC):
    """A running job of RELION, of CryoSPARC or on a plain folder.

    Order of calls: `begin`, then reading, then `deliver_one` for every picked
    micrograph in the host's order, `deliver` once, and always, last, `end`. Resume,
    skipping and thresholds are not the host's: they are in `frostpick_jobs.tasks`.
    """

    #: For messages: "folder", "relion", ...
    name: str
    #: Progress and stop requests.
    reporter: Reporter
    #: A folder of this job for intermediate results; survives a kill, is never shown to the user.
    spool: Path

    @abstractmethod
    def begin(self) -> None:
        """Check the inputs that can be checked without work; raise `InputError`."""

    @abstractmethod
    def micrographs(self) -> Sequence[Micrograph]:
        """Return the job's micrographs in the host's order; equal ids are an `InputError`."""

    @abstractmethod
    def labels(self) -> Mapping[str, Labels]:
        """Return labels by micrograph id, in pixels of those micrographs."""

    def has_labels(self) -> bool:
        """Tell whether the job was given labels at all; only tasks that can do without ask."""
        return True

    @abstractmethod
    def model(self) -> PickingModel | None:
        """Return the model the job was given, or None when it was given none."""

    def pruner(self) -> Pruner | None:
        """Return the pruner the job was given, or None: then the settings name one."""
        return None

    def candidates(self) -> Candidates:
        """Return the rows of a pruning job; `InputError` from a host that has none."""
        raise InputError(f"the {self.name} host has no picks or particles to prune")

    def judged(self) -> Judged:
        """Return the labels of a pruning job, by default none."""
        return Judged()

    @abstractmethod
    def deliver_one(self, output: MicrographOutput) -> None:
        """Write one micrograph's native result, and add it to what `deliver` completes.

        Called again for all micrographs, with equal input, on continue: what was there
        before stays in its place until `deliver`.
        """

    @abstractmethod
    def deliver(self, delivery: Delivery) -> None:
        """Write the job's combined native outputs."""

    @abstractmethod
    def end(self, outcome: Outcome, message: str = "") -> None:
        """Tell the program how the job ended; the last call, and it never raises."""
