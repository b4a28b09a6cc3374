"""A job on a plain folder: the embedded default, and what scripts and ``make demo`` use."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from frostpick.errors import InputError, option
from frostpick.images import PixelSizes
from frostpick.models.picking_model import PickingModel
from frostpick.runtime.atomic import remove_leftovers, write_text
from frostpick.types import Labels, Micrograph
from frostpick_jobs.formats import read_pick_files, write_micrograph_star
from frostpick_jobs.hosts.folder.pick_files import CombinedFiles, selected
from frostpick_jobs.hosts.folder.prune_outputs import write_decisions
from frostpick_jobs.hosts.folder.written import WrittenIds
from frostpick_jobs.inputs.find import find_micrographs
from frostpick_jobs.inputs.headers import with_header
from frostpick_jobs.inputs.label_matching import labels_for
from frostpick_jobs.inputs.names import star_path
from frostpick_jobs.inputs.prune_inputs import PruneInputs
from frostpick_jobs.job.files import copy_files
from frostpick_jobs.job.host import Candidates, Delivery, Host, Judged, MicrographOutput, Outcome
from frostpick_jobs.job.progress import ClosingReporter, StopHook, terminal_reporter
from frostpick_jobs.job.report import job_report

log = logging.getLogger(__name__)

SPOOL, STARS, MODEL, PRUNER = ".frostpick", "star", "model", "pruner"


class FolderHost(Host):
    """Micrographs and picks from files, results into a folder.

    Parameters
    ----------
    out
        The output folder, made when it is not there.
    micrographs
        Folders, patterns, files and lists (`find_micrographs`).
    picks
        Files, folders and patterns of picks, for a training task.
    model
        A model in memory; None to take the one that the settings name.
    pixel_size
        Pixel size in Angstrom of the micrographs, where the headers do not tell.
    picks_pixel_size
        Pixel size in Angstrom that the picks were made at, where it differs.
    particles, good, bad
        For a pruning task, see `PruneInputs`; ``picks`` are then the rows to decide on.
    stop
        Asked at each step whether to stop.
    """

    name = "folder"

    def __init__(
        self,
        out: Path,
        micrographs: Sequence[str | Path] = (),
        picks: Sequence[str | Path] = (),
        *,
        model: PickingModel | None = None,
        pixel_size: float | None = None,
        picks_pixel_size: float | None = None,
        particles: Path | None = None,
        good: Sequence[str | Path] = (),
        bad: Sequence[str | Path] = (),
        stop: StopHook | None = None,
    ) -> None:
        self.out = Path(out)
        self.spool = self.out / SPOOL
        self._terminal: ClosingReporter = terminal_reporter(stop)
        self.reporter = self._terminal
        self._arguments, self._picks = tuple(micrographs), tuple(picks)
        self._model = model
        self._pixel_size, self._picks_pixel_size = pixel_size, picks_pixel_size
        self._particles = particles
        self._good, self._bad = (tuple(map(str, given)) for given in (good, bad))
        self._combined: CombinedFiles | None = None

    def begin(self) -> None:
        """Make the output folder and clear what a killed run left half-written."""
        if self.out.exists() and not self.out.is_dir():
            raise InputError(f"{self.out}: a file; expected a folder for the results")
        self.spool.mkdir(parents=True, exist_ok=True)
        # Another job may have its folder inside this one: only our own places are cleared.
        remove_leftovers(self.out, below=False)
        for place in (self.spool, self.out / STARS, self.out / MODEL, self.out / PRUNER):
            remove_leftovers(place)

    def micrographs(self) -> Sequence[Micrograph]:
        """Return the micrographs that were found, searched for once."""
        return self._found

    @cached_property
    def _found(self) -> list[Micrograph]:
        return find_micrographs(self._arguments, self.out)

    @cached_property
    def _written(self) -> WrittenIds:
        return WrittenIds(self.spool / "written.txt")

    def labels(self) -> Mapping[str, Labels]:
        """Return the picks given, matched to the micrographs."""
        if not self._picks:
            raise InputError(f"no labels; give a few hundred picks with {option('labels')}")
        tables = read_pick_files(self._picks)
        sizes = PixelSizes(self._pixel_size)
        return labels_for(
            tables,
            self._found,
            picks_pixel_size_A=self._picks_pixel_size,
            complete=lambda micrograph: with_header(micrograph, sizes),
        )

    def has_labels(self) -> bool:
        """Tell whether any picks were given."""
        return bool(self._picks)

    def candidates(self) -> Candidates:
        """Return the rows of ``picks`` or ``particles``."""
        self._inputs.check()
        return self._inputs.candidates()

    def judged(self) -> Judged:
        """Return the examples of ``good`` and ``bad``."""
        return self._inputs.judged()

    @cached_property
    def _inputs(self) -> PruneInputs:
        return PruneInputs(
            self._found if self._arguments else (),
            tuple(map(str, self._picks)),
            self._particles,
            self._good,
            self._bad,
            self._pixel_size,
        )

    def model(self) -> PickingModel | None:
        """Return the model in memory, if one was given."""
        return self._model

    def deliver_one(self, output: MicrographOutput) -> None:
        """Write ``star/<id>.star`` with the selected picks, and add to the combined files."""
        path = star_path(self.out / STARS, output.micrograph.id)
        self._written.note(output.micrograph.id)
        write_micrograph_star(path, selected(output), output.shape)
        self._combined = self._combined or CombinedFiles(self.out)
        self._combined.add(output)

    def deliver(self, delivery: Delivery) -> None:
        """Write the combined files, the model, the record and the report."""
        if delivery.decisions is not None:
            verify = delivery.record.get("task") == "verify"
            write_decisions(self.out, self._inputs, delivery.decisions, verify=verify)
            if delivery.pruner is not None and not verify:
                delivery.pruner.save(self.out / PRUNER)
        elif delivery.model is not None:
            delivery.model.save(self.out / MODEL)
            self._write_curve(delivery)
            copy_files(delivery.files, self.out)
        else:
            self._complete_picks()
            copy_files(delivery.files, self.out)
        write_text(self.out / "run.json", json.dumps(delivery.record, indent=2) + "\n")
        title = f"frostpick {delivery.record.get('task', 'job')}: {self.out.absolute().name}"
        write_text(self.out / "report.html", job_report(title, delivery))

    def end(self, outcome: Outcome, message: str = "") -> None:
        """Remove what is not complete, and give the terminal back."""
        if self._combined is not None:
            self._combined.discard()
        self._terminal.close()
        if outcome is Outcome.FINISHED:
            log.info("results in %s", self.out)

    def _write_curve(self, delivery: Delivery) -> None:
        rows = list(delivery.record.get("curve", ()))
        columns = list(dict.fromkeys(name for row in rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.out / "training.csv", text.getvalue())

    def _complete_picks(self) -> None:
        combined, self._combined = self._combined or CombinedFiles(self.out), None
        combined.close()
        self._remove_stale(combined.ids)

    def _remove_stale(self, current: Iterable[str]) -> None:
        """Remove the files of micrographs that are no longer in the job."""
        for micrograph_id in self._written.stale(current):
            path = star_path(self.out / STARS, micrograph_id)
            path.unlink(missing_ok=True)
            for folder in _parents_below(path, self.out / STARS):
                if any(folder.iterdir()):
                    break
                folder.rmdir()
        self._written.keep_only(current)


def _parents_below(path: Path, top: Path) -> Iterator[Path]:
    """Return the folders above ``path`` that are below ``top``, the innermost first."""
    folder = path.parent
    while folder != top and folder.is_dir():
        yield folder
        folder = folder.parent
