"""A job on a plain folder: the embedded default, and what scripts and ``make demo`` use."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from frostpick.errors import ConfigError, InputError, option
from frostpick.runtime.atomic import remove_leftovers, write_text
from frostpick.settings import RunSettings
from frostpick.settings.model_ref import ModelKind
from frostpick.types import Labels, Micrograph
from frostpick_jobs.hosts.folder.next_step import next_step
from frostpick_jobs.hosts.folder.pick_files import ALL, SELECTED, STARS, PickFiles
from frostpick_jobs.hosts.folder.row_files import (
    KEPT,
    REJECTED,
    VERIFIED,
    write_kept,
    write_scored,
)
from frostpick_jobs.inputs.find import find_micrographs
from frostpick_jobs.inputs.labels import read_labels
from frostpick_jobs.inputs.prune_inputs import PruneInputs
from frostpick_jobs.inputs.score_table import SCORES
from frostpick_jobs.job.files import copy_files, model_files
from frostpick_jobs.job.host import Host, InputRows, LabelledInput, MicrographOutput, Outcome
from frostpick_jobs.job.last_lines import LastLines, last_lines
from frostpick_jobs.job.outputs import (
    Files,
    KeptRows,
    ModelOutput,
    Output,
    PicksOutput,
    Report,
    ScoredRows,
)
from frostpick_jobs.job.progress import ClosingReporter, StopHook, terminal_reporter
from frostpick_jobs.job.report import REPORT, job_report, report_title
from frostpick_jobs.job.results import Place
from frostpick_jobs.tasks.declarations import TASKS, OutputKind, OutputSpec, TaskSpec, is_rest

if TYPE_CHECKING:
    from frostpick.models.picking_model import PickingModel
    from frostpick_jobs.job.models import Model

log = logging.getLogger(__name__)

SPOOL = ".frostpick"
#: Inputs that there are readers for.
READS = ("micrographs", "labels", "picks", "particles", "bad")
#: Folders of models, by the outputs' names.
_MODELS = sorted(
    {one.name for task in TASKS for one in task.outputs if one.kind is OutputKind.MODEL}
)
#: What names an output of a job where that is not its folder.
_FILES = {"picks": SELECTED, "kept": KEPT, "verified": VERIFIED, "report": REPORT, "files": ""}
#: Tables of the training of a model, the run record, and files by kind of output.
CURVE, RECORD = "training.csv", "run.json"
_BY_KIND = {
    OutputKind.PICKS: (ALL, SELECTED),
    OutputKind.KEPT_ROWS: (KEPT, REJECTED, SCORES),
    OutputKind.SCORED_ROWS: (VERIFIED, SCORES),
    OutputKind.REPORT: (RECORD, REPORT),
}


class FolderHost(Host):
    """Inputs from files, results into a folder.

    Parameters
    ----------
    out
        The output folder, made when it is not there.
    inputs
        Files by the input's name in the task's declaration: ``micrographs`` (folders,
        patterns, files and lists, `find_micrographs`); ``labels`` and ``picks`` (files,
        folders and patterns); ``particles`` (one STAR file or stack); ``bad`` beside the
        ``labels`` of pruning (`PruneInputs`; it may be the word ``rest``).
    pixel_size
        Pixel size in Angstrom of the micrographs, where the headers do not tell.
    picks_pixel_size
        Pixel size in Angstrom that the picks were made at, where it differs.
    allow_missing
        Go on without folders that cannot be read, with a warning.
    star_per_micrograph
        Write ``star/<id>.star`` too, a file for each micrograph.
    model
        A picking model in memory, whatever model the settings name.
    stop
        Asked at each step whether to stop.

    Raises
    ------
    ConfigError
        There is no input of a name.
    """

    name = "folder"

    def __init__(
        self,
        out: str | Path,
        inputs: Mapping[str, Sequence[str | Path]] | None = None,
        *,
        pixel_size: float | None = None,
        picks_pixel_size: float | None = None,
        allow_missing: bool = False,
        star_per_micrograph: bool = False,
        model: PickingModel | None = None,
        stop: StopHook | None = None,
    ) -> None:
        self.out = Path(out)
        self.spool = self.out / SPOOL
        self._terminal: ClosingReporter = terminal_reporter(stop)
        self.reporter = self._terminal
        self._given = {name: tuple(map(str, files)) for name, files in (inputs or {}).items()}
        for name in self._given:
            if name not in READS:
                raise ConfigError(f"a folder has no input {name!r}; known are {', '.join(READS)}")
        self._pixel_size, self._picks_pixel_size = pixel_size, picks_pixel_size
        self._allow_missing = allow_missing
        self._model = model
        self._picks = PickFiles(self.out, self.spool, each=star_per_micrograph)
        self._lines: LastLines | None = None

    @classmethod
    def for_settings(
        cls,
        out: str | Path,
        inputs: Mapping[str, Sequence[str | Path]],
        settings: RunSettings,
        *,
        model: PickingModel | None = None,
    ) -> FolderHost:
        """Return a host that reads its inputs as a task's settings say."""
        names = ("pixel_size", "picks_pixel_size", "allow_missing", "star_per_micrograph")
        told = {name: getattr(settings, name) for name in names if hasattr(settings, name)}
        return cls(out, inputs, model=model, **told)

    @property
    def inputs(self) -> Mapping[str, Sequence[str]]:
        """What was given, by the input's name."""
        return self._given

    @property
    def place(self) -> Place:
        """The output folder."""
        return Place(str(self.out), self.out)

    def begin(self) -> None:
        """Make the output folder and clear what a killed run left half-written."""
        if self.out.exists() and not self.out.is_dir():
            raise InputError(f"{self.out}: a file; expected a folder for the results")
        if len(self._files("particles")) > 1:
            raise ConfigError(
                f"{option('particles')}: {len(self._files('particles'))} files; give one"
            )
        self.spool.mkdir(parents=True, exist_ok=True)
        # Another job may have its folder inside this one: only our own places are cleared.
        remove_leftovers(self.out, below=False)
        for place in (self.spool, self.out / STARS, *(self.out / name for name in _MODELS)):
            remove_leftovers(place)

    def micrographs(self) -> Sequence[Micrograph]:
        """Return the micrographs that were found, searched for once."""
        return self._found

    @cached_property
    def _found(self) -> list[Micrograph]:
        return find_micrographs(
            self._files("micrographs"), self.out, allow_missing=self._allow_missing
        )

    def labels(self) -> Mapping[str, Labels]:
        """Return the labels given, matched to the micrographs."""
        return read_labels(
            self._files("labels"),
            self._found,
            pixel_size_A=self._pixel_size,
            picks_pixel_size_A=self._picks_pixel_size,
            allow_missing=self._allow_missing,
        )

    def input_rows(self) -> InputRows:
        """Return the rows of ``picks`` or ``particles``."""
        return self._rows.input_rows()

    def labelled_rows(self) -> LabelledInput:
        """Return the examples of ``labels`` and ``bad``."""
        return self._rows.labelled_rows()

    @cached_property
    def _rows(self) -> PruneInputs:
        return PruneInputs.of(
            self._given,
            self._found,
            rest=is_rest(self._given, "bad"),
            pixel_size_A=self._pixel_size,
            allow_missing=self._allow_missing,
            picks_pixel_size_A=self._picks_pixel_size,
        )

    def _files(self, name: str) -> tuple[str, ...]:
        return self._given.get(name, ())

    def model_of(self, kind: ModelKind, text: str) -> Model | None:
        """Return the picking model in memory, if one was given."""
        return self._model if kind == "picking" else None

    def reference(self, output: str) -> str:
        """Return the file of an output, the folder of a model."""
        return str(self.out / _FILES.get(output, output))

    def will_write(self, task: TaskSpec) -> Iterator[Path]:
        """Yield the files of a task's outputs in the folder."""
        for one in task.outputs:
            yield from (self.out / name for name in _names(one))
        # where there are none, micrographs are not looked for yet
        if task.gives(OutputKind.PICKS) and (self.out / STARS).exists():
            yield from self._picks.foreign(self._found)

    def deliver_one(self, output: MicrographOutput) -> None:
        """Add the picks to the combined files, and write ``star/<id>.star`` on request."""
        self._picks.add(output)

    def next_step(self, task: str, outputs: Sequence[Output], *, good: bool) -> str:
        """Return what to type next."""
        return next_step(task, str(self.out), self._files("micrographs"), good=good)

    def look_at_report(self) -> str:
        """Name the page."""
        return f"look at {self.reference('report')}"

    def deliver(self, outputs: Sequence[Output]) -> None:
        """Write each output into the folder."""
        self._lines = last_lines(self, outputs)
        for one in outputs:
            match one:
                case PicksOutput():
                    self._note(*_BY_KIND[OutputKind.PICKS])
                    self._picks.complete()
                case ModelOutput():
                    self._write_model(one)
                case KeptRows():
                    self._note(*_BY_KIND[OutputKind.KEPT_ROWS])
                    write_kept(self.out, self._rows, one.decisions)
                case ScoredRows():
                    self._note(*_BY_KIND[OutputKind.SCORED_ROWS])
                    write_scored(self.out, self._rows, one.decisions)
                case Files():
                    copy_files(one.files, self.out, self.own_files)
                case Report():
                    self._write_report(one, outputs)
                case _:
                    assert_never(one)

    def end(self, outcome: Outcome, message: str = "") -> None:
        """Remove what is not complete, and give the terminal back."""
        self._picks.discard()
        self._terminal.close()
        if outcome is Outcome.FINISHED:
            for number, line in enumerate(self._lines or ()):
                unused = message and number == 1  # the line that names what could not be used
                log.log(logging.WARNING if unused else logging.INFO, "%s", line)
        elif outcome is Outcome.NOTHING_YET:
            log.warning("%s", message)

    def _write_model(self, output: ModelOutput) -> None:
        """Write a model's folder, and its curve as ``training.csv``."""
        self._note(*model_files(output.name), *([CURVE] if output.curve else []))
        output.model.save(self.out / output.name)
        if not output.curve:
            return
        columns = list(dict.fromkeys(name for row in output.curve for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(output.curve)
        write_text(self.out / CURVE, text.getvalue())

    def _note(self, *names: str) -> None:
        self.own_files.note(*(self.out / name for name in names))

    def _write_report(self, report: Report, outputs: Sequence[Output]) -> None:
        self._note(*_BY_KIND[OutputKind.REPORT])
        write_text(self.out / RECORD, json.dumps(report.record, indent=2) + "\n")
        title = report_title(report, self.out.absolute().name)
        page = job_report(title, report, outputs, opening=tuple(self._lines or ()))
        write_text(self.out / REPORT, page)


def _names(output: OutputSpec) -> tuple[str, ...]:
    """Return the files of an output below the folder, but those of single micrographs."""
    if output.kind is OutputKind.MODEL:
        return (*model_files(output.name), *([CURVE] if output.name == "model" else []))
    return (*_BY_KIND.get(output.kind, ()), *output.files)
