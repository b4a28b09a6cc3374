"""What a task asks of the program it runs in. A host reads, reports and delivers; nothing else."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick.runtime.reporter import Reporter
from frostpick.settings.model_ref import ModelKind
from frostpick.types import Labels, Micrograph, ParticleStack, Picks
from frostpick_jobs.job.outputs import MicrographOutput, Output
from frostpick_jobs.job.own_files import OwnFiles
from frostpick_jobs.job.results import Place

if TYPE_CHECKING:
    from frostpick.report.figure import Figure
    from frostpick.runtime.run_record import RunRecord
    from frostpick_jobs.job.models import JobModels, Model
    from frostpick_jobs.tasks.declarations import TaskSpec

__all__ = [
    "Host",
    "InputRows",
    "LabelledInput",
    "MicrographOutput",
    "Outcome",
]


class Outcome(enum.Enum):
    """How a job ended."""

    FINISHED = "finished"
    #: A round of a session that still grows in which there was nothing to do; no failure.
    NOTHING_YET = "nothing to do yet"
    FAILED = "failed"
    ABORTED = "aborted"


class RunJournal(Protocol):
    """What a host tells the log and the records of a run (`frostpick_jobs.job.journal`)."""

    def finish(self, outcome: Outcome, message: str = "") -> None:
        """Append the record of the run."""

    def close_log(self) -> None:
        """Write the last line of a run that has ended."""


@dataclass(frozen=True)
class InputRows:
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
class LabelledInput:
    """Labels of a pruning job: rows known to be good, and rows known to be bad.

    Parameters
    ----------
    rest
        ``bad`` is all input that is not named good, and bad only for that.
    """

    good: InputRows | None = None
    bad: InputRows | None = None
    rest: bool = False


class Host(ABC):
    """A running job of RELION, of CryoSPARC or on a plain folder.

    Order of calls: `begin`, then reading, then `deliver_one` for every picked
    micrograph in the host's order, `deliver` once, and always, last, `end`. Resume,
    skipping and thresholds are not the host's: they are in `frostpick_jobs.tasks`.

    A host has readers of the input kinds and writers of the output kinds that its program
    knows; which of them a job needs, the task says.
    """

    #: For messages: "folder", "relion", ...
    name: str
    #: Progress and stop requests.
    reporter: Reporter
    #: A folder of this job for intermediate results; survives a kill, is never shown to the user.
    spool: Path
    #: Whether the program runs this job again and again while its session grows.
    live: bool = False
    #: Whether images and positions are turned upside down; None where there is no such option.
    flip_y: bool | None = None
    #: Whether the program keeps positions as fractions of an image, not in pixels.
    fractions: bool = False
    #: The record of the run, once its task has begun.
    record: RunRecord | None = None
    #: `inputs`, as they were when the task began.
    given: Mapping[str, Sequence[object]] = MappingProxyType({})
    #: The job's log and records, while it runs.
    journal: RunJournal | None = None

    @property
    @abstractmethod
    def inputs(self) -> Mapping[str, Sequence[object]]:
        """What was given, as it was written, by the name of the task's input."""

    @property
    @abstractmethod
    def place(self) -> Place:
        """Where the outputs are."""

    @property
    def log_folder(self) -> Path:
        """Where the job's log and the records of its runs are."""
        return self.place.folder or self.spool

    @abstractmethod
    def begin(self) -> None:
        """Check the inputs that can be checked without work; raise `InputError`."""

    @abstractmethod
    def micrographs(self) -> Sequence[Micrograph]:
        """Return the job's micrographs in the host's order; equal ids are an `InputError`.

        None where the task can do without and was given none.
        """

    @abstractmethod
    def labels(self) -> Mapping[str, Labels]:
        """Return labels or exemplars by micrograph id, in pixels of those micrographs."""

    def input_rows(self) -> InputRows:
        """Return the rows of a pruning job; `InputError` from a host that has none."""
        raise InputError(f"the {self.name} host has no picks or particles to prune")

    def labelled_rows(self) -> LabelledInput:
        """Return the labels of a pruning job, by default none."""
        return LabelledInput()

    def will_write(self, task: TaskSpec) -> Iterable[Path]:
        """Return the files that a job of a task writes into its folder.

        None from a host whose program alone writes there. Called after `begin`, before work.
        """
        return ()

    @cached_property
    def own_files(self) -> OwnFiles:
        """Which files of its folder the job has written."""
        return OwnFiles(self.place.folder or self.spool.parent, self.spool)

    @cached_property
    def models(self) -> JobModels:
        """The models that settings name; asked for when the job's folder is claimed by its task."""
        from frostpick_jobs.job.models import JobModels

        return JobModels(self.spool, elsewhere=self.model_of)

    def model_of(self, kind: ModelKind, text: str) -> Model | None:
        """Return a model that only this host can name, such as another job's; None for others."""
        return None

    def file_of(self, job: str, name: str) -> Path:
        """Return a file of another job, by what the program calls the job: by default its folder.

        It may not be there; `InputError` from a host that must fetch it and cannot.
        """
        return Path(job) / name

    def reference(self, output: str) -> str:
        """Return what names an output of this job in the settings of another, before it is there.

        Parameters
        ----------
        output
            Name of the output in the task's declaration.
        """
        return f"{self.place.job.rstrip('/')}/{output}"

    def next_step(self, task: str, outputs: Sequence[Output], *, good: bool) -> str:
        """Return what to type or click next, for the last line of a job."""
        return f"see {self.place.job}"

    def look_at_report(self) -> str:
        """Return where a person looks at what was made."""
        return f"see {self.place.job}"

    def take_diameter(self, diameter_A: float) -> None:
        """Take up the diameter in Angstrom that the job found, before labels are read.

        By default labels do not depend on it.
        """
        return

    def title(self, micrograph_id: str) -> str:
        """Return what a micrograph is called in pictures; by default its id."""
        return micrograph_id

    def show(self, figures: Sequence[Figure]) -> None:
        """Show pictures where the program has a place for them while the job runs."""
        for one in figures:
            self.reporter.figure(one.name, one.png, one.caption)

    @abstractmethod
    def deliver_one(self, output: MicrographOutput) -> None:
        """Write one micrograph's native result, and add it to what `deliver` completes.

        Called again for all micrographs, with equal input, on continue: what was there
        before stays in its place until `deliver`.
        """

    @abstractmethod
    def deliver(self, outputs: Sequence[Output]) -> None:
        """Write the job's outputs, in their order, as the program has them."""

    @abstractmethod
    def end(self, outcome: Outcome, message: str = "") -> None:
        """Tell the program how the job ended; the last call, and it never raises.

        Parameters
        ----------
        message
            Of a finished job: what it could not use, empty for nothing. Of others: why.
        """
