"""A RELION External job as a host."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import assert_never

from frostpick.errors import spelled
from frostpick.models.model_file import CARD
from frostpick.runtime.atomic import remove_leftovers, write_text
from frostpick.types import Labels, Micrograph
from frostpick_jobs.hosts.relion import markers
from frostpick_jobs.hosts.relion.arguments import JobArguments
from frostpick_jobs.hosts.relion.coordinates import (
    LIST_FILE,
    PickFiles,
    stands_for_all,
)
from frostpick_jobs.hosts.relion.generation import Generation, detect_generation
from frostpick_jobs.hosts.relion.inputs import check_files, given_inputs, read_micrographs
from frostpick_jobs.hosts.relion.next_step import next_step
from frostpick_jobs.hosts.relion.nodes import NODES_FILE, Node, NodeKind, write_nodes
from frostpick_jobs.hosts.relion.paths import coordinate_file
from frostpick_jobs.hosts.relion.rows import PARTICLES, REJECTED, RowFiles
from frostpick_jobs.hosts.relion.scheme import in_a_scheme
from frostpick_jobs.inputs.labels import read_labels
from frostpick_jobs.inputs.prune_inputs import PruneInputs
from frostpick_jobs.inputs.score_table import SCORES
from frostpick_jobs.job.endings import unused_inputs
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
from frostpick_jobs.job.progress import FileAppears, LineReporter
from frostpick_jobs.job.report import REPORT, job_report, report_title, warnings_of
from frostpick_jobs.job.results import Place
from frostpick_jobs.job.spelling import in_relion
from frostpick_jobs.tasks.declarations import InputKind, OutputKind, OutputSpec, TaskSpec, is_rest

logger = logging.getLogger(__name__)

SPOOL = ".frostpick"
LOGFILE, RECORD = "logfile.pdf", "run.json"
#: Models that stand in RELION's list of outputs; others lie in their folders.
_NODES = ("model",)
#: Outputs that go into the next job of RELION.
_GOES_ON = (PicksOutput, KeptRows, ScoredRows)


class RelionHost(Host):
    """An External job of RELION 3.1, 4 or 5. Nothing is written outside its folder.

    Parameters
    ----------
    arguments
        What RELION put on the command line.
    task
        What the job does: says which fields are read, and as what.
    pixel_size_A
        Pixel size of micrographs of which neither RELION nor the header knows it.
    picks_pixel_size_A
        Pixel size the picks were made at, where it is not the micrographs'.
    """

    name = "relion"

    def __init__(
        self,
        arguments: JobArguments,
        task: TaskSpec,
        *,
        pixel_size_A: float | None = None,
        picks_pixel_size_A: float | None = None,
    ) -> None:
        self._arguments, self._task = arguments, task
        self._job = arguments.job
        self._given = given_inputs(arguments, task)
        self._pixel_size_A = pixel_size_A
        self._picks_pixel_size_A = picks_pixel_size_A
        self.spool = self._job / SPOOL
        self.ended = False
        self._lines: LastLines | None = None
        self.reporter = LineReporter(FileAppears(self._job / markers.ABORT_NOW, seconds=1.0))

    @property
    def inputs(self) -> Mapping[str, Sequence[str]]:
        """What the fields and labels hold, by the input's name."""
        return self._given

    @property
    def place(self) -> Place:
        """The job folder as RELION wrote it."""
        return Place(self._arguments.prefix, self._job)

    @cached_property
    def live(self) -> bool:  # type: ignore[override]
        """Whether a Scheme runs this job."""
        return in_a_scheme(self._arguments.prefix)

    def begin(self) -> None:
        """Check the input files, clear old exit files and what a killed run left half-written."""
        markers.clear(self._job)
        check_files(self._arguments, self._task, self._given)
        remove_leftovers(self._job)
        logger.info("RELION %s, %s", self._generation.value, self._work())

    def micrographs(self) -> Sequence[Micrograph]:
        """Return the micrographs of ``--in_mics`` in its order, none without it."""
        return self._found

    def labels(self) -> Mapping[str, Labels]:
        """Return the picks of ``--in_coords`` and ``--in_parts``, re-centred."""
        return read_labels(
            self._of_kind(InputKind.LABELS, InputKind.EXEMPLARS),
            self._found,
            project=Path(),
            pixel_size_A=self._pixel_size_A,
            picks_pixel_size_A=self._picks_pixel_size_A,
        )

    def input_rows(self) -> InputRows:
        """Return the rows of ``--in_parts`` or ``--in_coords``."""
        return self._rows.input_rows()

    def labelled_rows(self) -> LabelledInput:
        """Return the rows of the labels ``good`` and ``bad``."""
        return self._rows.labelled_rows()

    def reference(self, output: str) -> str:
        """Return the file of an output, the folder of a model, as RELION writes paths."""
        kind = next(one.kind for one in self._task.outputs if one.name == output)
        names = {
            OutputKind.PICKS: stands_for_all(self._generation),
            OutputKind.MODEL: output,
            OutputKind.REPORT: REPORT,
            OutputKind.FILES: "",
        }
        if kind in names:
            return self._arguments.prefix + names[kind]
        particles = bool(self._of_kind(InputKind.PARTICLES))
        return self._arguments.prefix + (PARTICLES if particles else names[OutputKind.PICKS])

    def will_write(self, task: TaskSpec) -> Iterator[Path]:
        """Yield the files of a task's outputs in the job folder."""
        names = [NODES_FILE]
        for one in task.outputs:
            names += self._names(one)
        yield from (self._job / name for name in dict.fromkeys(names))

    def _names(self, output: OutputSpec) -> list[str]:
        """Return the files of an output, below the job folder."""
        rows = {OutputKind.KEPT_ROWS: [REJECTED], OutputKind.SCORED_ROWS: []}
        if output.kind in rows and self._of_kind(InputKind.PARTICLES):
            return [PARTICLES, *rows[output.kind], SCORES]
        if output.kind is OutputKind.PICKS or output.kind in rows:
            coordinates = [coordinate_file(one.id) for one in self._found]
            scores = [SCORES] if output.kind in rows else []
            return [LIST_FILE, stands_for_all(self._generation), *coordinates, *scores]
        if output.kind is OutputKind.MODEL:
            return list(model_files(output.name))
        return [RECORD, REPORT, LOGFILE] if output.kind is OutputKind.REPORT else list(output.files)

    def deliver_one(self, output: MicrographOutput) -> None:
        """Write ``<tail>_autopick.star``."""
        self._picks.add(output)

    def next_step(self, task: str, outputs: Sequence[Output], *, good: bool) -> str:
        """Return what to click next."""
        rows = next((one.name for one in outputs if isinstance(one, _GOES_ON)), None)
        return next_step(
            task,
            self._arguments.prefix if rows is None else self.reference(rows),
            f"{self._arguments.prefix}model",
            good=good,
            particles=bool(self._of_kind(InputKind.PARTICLES)),
        )

    def look_at_report(self) -> str:
        """Name the page, and what RELION shows of it."""
        return f"look at {self.reference('report')}, or Display {LOGFILE}"

    def deliver(self, outputs: Sequence[Output]) -> None:
        """Write each output into the job folder, then the nodes."""
        self._lines = last_lines(self, outputs)
        nodes: list[Node] = []
        for one in outputs:
            match one:
                case PicksOutput():
                    nodes.append(self._picks.complete())
                case ModelOutput():
                    self._note(*model_files(one.name))
                    one.model.save(self._job / one.name)
                    if one.name in _NODES:
                        nodes.append((f"{one.name}/{CARD}", NodeKind.MODEL))
                case KeptRows():
                    nodes += self._row_files.write_kept(one.decisions)
                case ScoredRows():
                    nodes.append(self._row_files.write_scored(one.decisions))
                case Files():
                    copy_files(one.files, self._job, self.own_files)
                case Report():
                    nodes.append(self._write_report(one, outputs))
                case _:
                    assert_never(one)
        self._note(NODES_FILE)
        write_nodes(self._job, self._arguments.prefix, nodes, self._generation)

    def end(self, outcome: Outcome, message: str = "") -> None:
        """Leave the exit file, last of all.

        Nothing to do yet is SUCCESS, so that the loop of a Scheme goes on, with a warning in
        ``run.err`` and in the PDF. Stopped by RELION is ABORTED. Stopped by a signal is
        FAILURE: then a queue or a person ended the job behind RELION's back, and a Scheme
        must not go on as if the user had wanted it.
        """
        self.ended = True
        done = outcome in (Outcome.FINISHED, Outcome.NOTHING_YET)
        if done and message:
            logger.warning("%s", message)
        for line in self._lines or () if outcome is Outcome.FINISHED else ():
            logger.info("%s", line)
        if outcome is Outcome.NOTHING_YET:
            self._warn_in_pdf(message)
        aborted = outcome is Outcome.ABORTED and markers.abort_requested(self._job)
        marker = markers.ABORTED if aborted else markers.FAILURE
        try:
            markers.mark(self._job, markers.SUCCESS if done else marker)
        except OSError as error:
            logger.error("%s: cannot write the exit file: %s", self._job, error)

    def _warn_in_pdf(self, message: str) -> None:
        from frostpick.report.pdf import write_figures_pdf

        self._note(LOGFILE)
        try:
            write_figures_pdf(self._job / LOGFILE, [], message)
        except OSError as error:
            logger.warning("%s: no warning in it: %s", self._job / LOGFILE, error)

    @cached_property
    def _generation(self) -> Generation:
        return detect_generation(self._job)

    @cached_property
    def _found(self) -> list[Micrograph]:
        in_mics = self._arguments.in_mics
        return [] if in_mics is None else read_micrographs(in_mics)

    @cached_property
    def _picks(self) -> PickFiles:
        return PickFiles(self._arguments, self._generation, self.own_files)

    @cached_property
    def _rows(self) -> PruneInputs:
        return PruneInputs.of(
            self._given,
            self._found,
            rest=is_rest(self._given, "bad"),
            pixel_size_A=self._pixel_size_A,
            project=Path(),
            stacks=False,
            picks_pixel_size_A=self._picks_pixel_size_A,
        )

    @property
    def _row_files(self) -> RowFiles:
        return RowFiles(self._arguments, self._generation, self._rows, self.own_files)

    def _note(self, *names: str) -> None:
        self.own_files.note(*(self._job / name for name in names))

    def _of_kind(self, *kinds: InputKind) -> tuple[str, ...]:
        return tuple(text for one in self._task.of_kind(*kinds) for text in self._given[one.name])

    def _work(self) -> str:
        """Return what the job works on, for the log."""
        rows = self._of_kind(InputKind.PARTICLES, InputKind.PICKS)
        if not rows:
            return f"{len(self._found)} micrographs"
        doing = "pruning" if self._task.gives(OutputKind.KEPT_ROWS) else "verifying"
        return f"{doing} {rows[0]}"

    def _write_report(self, report: Report, outputs: Sequence[Output]) -> Node:
        from frostpick.report.pdf import write_figures_pdf

        self._note(RECORD, REPORT, LOGFILE)
        write_text(self._job / RECORD, json.dumps(report.record, indent=2) + "\n")
        title = report_title(report, self._arguments.prefix)
        opening = tuple(self._lines or ())
        page = job_report(title, report, outputs, in_relion, opening=opening)
        write_text(self._job / REPORT, page)
        figures = [replace(one, caption=spelled(one.caption, in_relion)) for one in report.figures]
        told = [*warnings_of(report.record, in_relion), unused_inputs(report.failed, named=True)]
        write_figures_pdf(self._job / LOGFILE, figures, "; ".join(filter(None, told)))
        return LOGFILE, NodeKind.LOGFILE
