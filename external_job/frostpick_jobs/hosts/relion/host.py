"""A RELION External job as a host."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from frostpick.errors import spelled
from frostpick.runtime.atomic import remove_leftovers, write_text
from frostpick.types import Labels, Micrograph
from frostpick_jobs.hosts.relion import markers
from frostpick_jobs.hosts.relion.arguments import JobArguments
from frostpick_jobs.hosts.relion.coordinates import remove_stale, write_coordinates, write_lists
from frostpick_jobs.hosts.relion.generation import Generation, detect_generation
from frostpick_jobs.hosts.relion.inputs import check_inputs, read_labels, read_micrographs
from frostpick_jobs.hosts.relion.nodes import NodeKind, write_nodes
from frostpick_jobs.job.files import copy_files
from frostpick_jobs.job.host import Delivery, Host, MicrographOutput, Outcome
from frostpick_jobs.job.progress import FileAppears, LineReporter
from frostpick_jobs.job.spelling import in_relion

if TYPE_CHECKING:
    from frostpick.models.picking_model import PickingModel

logger = logging.getLogger(__name__)

SPOOL = ".frostpick"
LOGFILE = "logfile.pdf"
MODEL_FOLDER = "model"


class RelionHost(Host):
    """An External job of RELION 3.1, 4 or 5. Nothing is written outside its folder.

    Parameters
    ----------
    arguments
        What RELION put on the command line.
    labelled
        Whether the task needs picks to learn from.
    pixel_size_A
        Pixel size of micrographs of which neither RELION nor the header knows it.
    picks_pixel_size_A
        Pixel size the picks were made at, where it is not the micrographs'.
    """

    name = "relion"

    def __init__(
        self,
        arguments: JobArguments,
        *,
        labelled: bool = False,
        pixel_size_A: float | None = None,
        picks_pixel_size_A: float | None = None,
    ) -> None:
        self._arguments = arguments
        self._job = arguments.job
        self._labelled = labelled
        self._pixel_size_A = pixel_size_A
        self._picks_pixel_size_A = picks_pixel_size_A
        self.spool = self._job / SPOOL
        self.ended = False
        self._dropped = 0
        self._delivered: list[str] = []
        self.reporter = LineReporter(FileAppears(self._job / markers.ABORT_NOW, seconds=1.0))

    def begin(self) -> None:
        """Check the input fields, clear old exit files and what a killed run left half-written."""
        markers.clear(self._job)
        check_inputs(self._arguments, self._labelled)
        remove_leftovers(self._job)
        logger.info("RELION %s, %d micrographs", self._generation.value, len(self._found))

    def micrographs(self) -> Sequence[Micrograph]:
        """Return the micrographs of ``--in_mics`` in its order."""
        return self._found

    def labels(self) -> Mapping[str, Labels]:
        """Return the picks of ``--in_coords`` and ``--in_parts``, re-centred."""
        return read_labels(
            self._arguments,
            self._found,
            pixel_size_A=self._pixel_size_A,
            picks_pixel_size_A=self._picks_pixel_size_A,
        )

    def has_labels(self) -> bool:
        """Tell whether a field with picks was filled in."""
        return (self._arguments.in_coords or self._arguments.in_parts) is not None

    def model(self) -> PickingModel | None:
        """Return None: the label ``model`` or ``from`` names it, below the project folder."""
        return None

    def deliver_one(self, output: MicrographOutput) -> None:
        """Write ``<tail>_autopick.star``."""
        self._dropped += write_coordinates(self._job, output)
        self._delivered.append(output.micrograph.id)

    def deliver(self, delivery: Delivery) -> None:
        """Write the lists or the model, record, report and pictures, then the nodes."""
        if delivery.model is not None:
            delivery.model.save(self._job / MODEL_FOLDER)
            copy_files(delivery.files, self._job)
            nodes = [(f"{MODEL_FOLDER}/model.safetensors", NodeKind.MODEL)]
        else:
            nodes = [self._write_lists()]
            copy_files(delivery.files, self._job)
            weights = f"{MODEL_FOLDER}/model.safetensors"
            nodes += [(weights, NodeKind.MODEL)] if weights in delivery.files else []
        self._write_report(delivery)
        nodes.append((LOGFILE, NodeKind.LOGFILE))
        write_nodes(self._job, self._arguments.prefix, nodes, self._generation)

    def end(self, outcome: Outcome, message: str = "") -> None:
        """Leave the exit file, last of all.

        Stopped by RELION is ABORTED. Stopped by a signal is FAILURE: then a queue or
        a person ended the job behind RELION's back, and a Scheme must not go on as if
        the user had wanted it.
        """
        self.ended = True
        aborted = outcome is Outcome.ABORTED and markers.abort_requested(self._job)
        marker = markers.ABORTED if aborted else markers.FAILURE
        try:
            markers.mark(self._job, markers.SUCCESS if outcome is Outcome.FINISHED else marker)
        except OSError as error:
            logger.error("%s: cannot write the exit file: %s", self._job, error)

    @cached_property
    def _generation(self) -> Generation:
        return detect_generation(self._job)

    @cached_property
    def _found(self) -> list[Micrograph]:
        assert self._arguments.in_mics is not None
        return read_micrographs(self._arguments.in_mics)

    def _write_lists(self) -> tuple[str, NodeKind]:
        if self._dropped:
            logger.warning("%d picks lay off their micrographs and are left out", self._dropped)
        names, self._delivered = self._delivered, []
        remove_stale(self._job, names)
        assert self._arguments.in_mics is not None
        return write_lists(
            self._job, self._arguments.prefix, self._arguments.in_mics, names, self._generation
        )

    def _write_report(self, delivery: Delivery) -> None:
        from frostpick.report.figure import Figure
        from frostpick.report.pdf import write_figures_pdf
        from frostpick_jobs.job.report import job_report

        write_text(self._job / "run.json", json.dumps(delivery.record, indent=2) + "\n")
        title = f"frostpick {delivery.record.get('task', 'job')}: {self._arguments.prefix}"
        write_text(self._job / "report.html", job_report(title, delivery, in_relion))
        figures = [
            Figure(name, png, spelled(caption, in_relion))
            for name, png, caption in delivery.figures
        ]
        write_figures_pdf(self._job / LOGFILE, figures)
