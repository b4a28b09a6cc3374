"""An External job of CryoSPARC as a host."""

from __future__ import annotations

import io
import logging
import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostpick.errors import FrostpickError, InputError
from frostpick.types import Labels, Micrograph
from frostpick_jobs.hosts.cryosparc.model_files import FOLDER, announce_model, upload_model
from frostpick_jobs.hosts.cryosparc.read.exposures import (
    Exposures,
    as_micrographs,
    log_exposures,
    read_exposures,
)
from frostpick_jobs.hosts.cryosparc.read.inputs import (
    MICROGRAPHS,
    PARTICLES,
    exposure_slots,
    find_input,
    load_parts,
    particle_slots,
)
from frostpick_jobs.hosts.cryosparc.read.mirror import warn_if_mirrored
from frostpick_jobs.hosts.cryosparc.read.particle_labels import read_labels
from frostpick_jobs.hosts.cryosparc.read.sources import find_project_files
from frostpick_jobs.hosts.cryosparc.reporter import CryoSPARCReporter
from frostpick_jobs.hosts.cryosparc.request import JobRequest
from frostpick_jobs.hosts.cryosparc.server import shim
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError, detail
from frostpick_jobs.hosts.cryosparc.server.event_log import EventLog, EventLogHandler
from frostpick_jobs.hosts.cryosparc.server.job import ExternalJob
from frostpick_jobs.hosts.cryosparc.server.upload import upload_file
from frostpick_jobs.hosts.cryosparc.server.watch import StatusWatch
from frostpick_jobs.hosts.cryosparc.server.wiring import PICKS
from frostpick_jobs.hosts.cryosparc.write.outputs import save_micrographs, save_picks, save_record
from frostpick_jobs.hosts.cryosparc.write.pick_table import RowCollector
from frostpick_jobs.hosts.cryosparc.write.summary import pick_summary, table
from frostpick_jobs.hosts.cryosparc.write.uids import job_seed
from frostpick_jobs.job.host import Delivery, Host, MicrographOutput, Outcome
from frostpick_jobs.job.progress import terminal_reporter

if TYPE_CHECKING:
    from frostpick.models.picking_model import PickingModel
    from frostpick.models.pruner.model import Pruner

log = logging.getLogger(__name__)

LOGGERS = ("frostpick", "frostpick_jobs")


class CryoSPARCHost(Host):
    """An External job that exists and is wired (`wiring.prepare_job`).

    Parameters
    ----------
    job
        The job.
    request
        What the user asked for.
    spool
        Local folder for results that are not saved yet; deleted once they are.
    model
        The model to pick with, or to start from; None to take the one the settings name.
    pruner
        The pruner of an earlier job; None to take the one the settings name.
    diameter_A
        For labels: the test for mirrored picks, and what counts as one particle.
    keep_spool
        Keep the spool of a finished job, so that a cleared job needs no inference.
    poll_seconds, event_seconds
        How often to ask for the job's status, and to write to its event log.
    """

    name = "cryosparc"

    def __init__(
        self,
        job: ExternalJob,
        request: JobRequest,
        spool: Path,
        *,
        model: PickingModel | None = None,
        pruner: Pruner | None = None,
        diameter_A: float | None = None,
        keep_spool: bool = False,
        poll_seconds: float = 5.0,
        event_seconds: float = 2.0,
    ) -> None:
        self.job, self.request, self.spool = job, request, spool
        self._model, self._pruner, self._diameter_A = model, pruner, diameter_A
        self._keep_spool = keep_spool
        self._watch = StatusWatch(job.server, job.project, job.uid, poll_seconds)
        self._event_seconds = event_seconds
        self._reporter = CryoSPARCReporter(
            terminal_reporter(self._watch), event_seconds if shim.is_five() else 60.0
        )
        self.reporter = self._reporter
        self._events: EventLog | None = None
        self._handler: EventLogHandler | None = None
        self._levels: dict[str, int] = {}
        self._delivered = False

    def begin(self) -> None:
        """Start the job, its event log and the watch over its status."""
        self.job.start()
        self._events = EventLog(self.job, self._event_seconds)
        self._reporter.attach(self._events)
        self._listen(EventLogHandler(self._events))
        self._watch.start()
        log.info("%s on %s, results on the way in %s", self.job, self.job.server.url, self.spool)
        log.info("to resume: %s", self.request.resume_command(self.job.uid))

    def micrographs(self) -> Sequence[Micrograph]:
        """Return the exposures of the job's micrograph input; the id is the uid in decimal."""
        return self._found

    def labels(self) -> Mapping[str, Labels]:
        """Return the particles of the job's particle input, re-centred, in image pixels."""
        found = self._input("particle", PARTICLES)
        parts = load_parts(
            self.job.server, self.job.project, self.job.controller, found, particle_slots
        )
        labels = read_labels(
            parts,
            self._exposures,
            self._found,
            diameter_A=self._diameter_A,
            flip_y=self.request.flip_y,
        )
        warn_if_mirrored(self._found, labels, self._diameter_A, flipped=self.request.flip_y)
        return labels

    def has_labels(self) -> bool:
        """Tell whether particles are connected."""
        found = find_input(self.job.look(), "particle", PARTICLES)
        return found is not None and bool(found.links)

    def model(self) -> PickingModel | None:
        """Return the model the host was given."""
        return self._model

    def pruner(self) -> Pruner | None:
        """Return the pruner the host was given."""
        return self._pruner

    def deliver_one(self, output: MicrographOutput) -> None:
        """Take up the rows: outputs of CryoSPARC hold all micrographs at once."""
        self._rows.add(output)

    def deliver(self, delivery: Delivery) -> None:
        """Save the outputs, the record and the pictures, and complete the job."""
        if delivery.model is not None:
            self._deliver_model(delivery)
        else:
            self._deliver_picks(delivery)
        save_record(self.job, delivery.record)
        self._show_pictures(delivery)
        self._complete()

    def _complete(self) -> None:
        """Complete the job, unless somebody has stopped it by now."""
        self._watch.ask()
        self.reporter.check()
        self._watch.close()
        self._close_events()
        self.job.complete()
        self._delivered = True

    def end(self, outcome: Outcome, message: str = "") -> None:
        """Give the job its status, say how to resume, or delete what is saved; never raises."""
        try:
            self._end(outcome, message)
        except Exception as error:
            log.error("%s could not be ended properly: %s", self.job, detail(error))
        finally:
            self._reporter.close()

    def close(self) -> None:
        """Stop watching and writing events; the job's status stays as it is."""
        self._watch.close()
        self._close_events()
        self._reporter.close()

    def _end(self, outcome: Outcome, message: str) -> None:
        self._watch.close()
        if outcome is Outcome.FINISHED and self._delivered:
            self._close_events()
            if not self._keep_spool:
                shutil.rmtree(self.spool, ignore_errors=True)
            log.info("%s is completed: %s", self.job, self.job.server.url)
            return
        again = f"what is done is kept in {self.spool}; resume with: {self._again}"
        self._close_events()
        lost = self._status_that_is_lost()
        if lost is None:
            failed = self.job.fail(f"{message}\n{again}")
            if not failed:
                log.error("%s could not be marked as failed", self.job)
        log.warning("%s: %s", self.job, again)

    @property
    def _again(self) -> str:
        return self.request.resume_command(self.job.uid)

    def _status_that_is_lost(self) -> str | None:
        """Return a status that somebody else gave the job, which is left as it is."""
        if self._watch.lost is None:
            self._watch.ask()
        lost = self._watch.lost
        # A job that was never started is building by our own hand.
        return None if lost == "building" and self._events is None else lost

    def _deliver_picks(self, delivery: Delivery) -> None:
        rows, picked = self._rows.rows(), self._rows.picked()
        check = self.reporter.check
        save_picks(self.job, rows, self._exposures, _min_distance(delivery), check)
        save_micrographs(self.job, self._parts, self._exposures.uid[picked].tolist(), check)
        for name, path in delivery.files.items():
            upload_file(self.job, name, path.read_bytes(), check)
        if any(name.startswith(f"{FOLDER}/") for name in delivery.files):
            announce_model(self.job, check)
        threshold = float(delivery.threshold or 0.0)
        for line in pick_summary(rows, self._exposures, picked, delivery.failed, threshold):
            log.info("%s", line)

    def _deliver_model(self, delivery: Delivery) -> None:
        assert delivery.model is not None
        upload_model(self.job, delivery.model, self.spool / "model", self.reporter.check)
        for name, path in delivery.files.items():
            upload_file(self.job, name, path.read_bytes(), self.reporter.check)
        uids = self._exposures.uid.tolist()
        save_micrographs(self.job, self._parts, uids, self.reporter.check)
        card = delivery.model.card
        rows = [
            ("model", f"{card.network.name}, {delivery.model.digest[:12]}"),
            ("diameter", "any" if card.diameter_A is None else f"{card.diameter_A:g} A"),
            *((k, str(v)) for k, v in delivery.record.get("counts", {}).items()),
            ("pick with", f"frostpick cryosparc pick --model {self.job.uid} ..."),
        ]
        log.info("%s", table(rows))

    def _show_pictures(self, delivery: Delivery) -> None:
        """Set tile and output image: the first picks on a micrograph, else the first picture."""
        from frostpick.report.figure import MICROGRAPH_PREFIX

        pictures = [png for _, png, _ in delivery.figures]
        if not pictures:
            return
        on_micrograph = [
            png for name, png, _ in delivery.figures if name.startswith(MICROGRAPH_PREFIX)
        ]
        chosen = (on_micrograph or pictures)[0]
        output = self._pictured(delivery)
        try:
            self.job.server.call(
                "set the pictures",
                lambda: shim.set_pictures(self.job.controller, output, lambda: io.BytesIO(chosen)),
            )
        except ServerError as error:
            log.warning("no tile image: %s", error)

    def _pictured(self, delivery: Delivery) -> str | None:
        """Return the output that shows a picture, None for the job's tile alone."""
        return PICKS if delivery.model is None else None

    @cached_property
    def _parts(self) -> list[Any]:
        found = self._input("exposure", MICROGRAPHS)
        slot = self.request.image_slot
        parts = load_parts(
            self.job.server,
            self.job.project,
            self.job.controller,
            found,
            lambda available: exposure_slots(available, slot),
        )
        return list(parts.values())

    @cached_property
    def _exposures(self) -> Exposures:
        return read_exposures(self._parts, self.request.image_slot)

    @cached_property
    def _rows(self) -> RowCollector:
        seed = job_seed(self.job.project, self.job.uid)
        return RowCollector(self._exposures, seed, flip_y=self.request.flip_y)

    @cached_property
    def _found(self) -> list[Micrograph]:
        log_exposures(self._exposures, self.request.image_slot)
        files = find_project_files(self.job.server, self.job.project, self.spool)
        found = as_micrographs(self._exposures, files)
        self._reporter.name_micrographs({one.id: one.source.name for one in found})
        return found

    def _input(self, type: str, name: str) -> Any:
        found = find_input(self.job.look(), type, name)
        if found is None or not found.links:
            raise InputError(f"{self.job} has no {name} connected; connect an output with {type}s")
        return found

    def _listen(self, handler: EventLogHandler) -> None:
        self._handler = handler
        for name in LOGGERS:
            logger = logging.getLogger(name)
            self._levels[name] = logger.level
            if logger.getEffectiveLevel() > logging.INFO:
                logger.setLevel(logging.INFO)
            logger.addHandler(handler)

    def _close_events(self) -> None:
        if self._handler is not None:
            for name in LOGGERS:
                logging.getLogger(name).removeHandler(self._handler)
                logging.getLogger(name).setLevel(self._levels[name])
            self._handler = None
        if self._events is not None:
            self._events.close()


def _min_distance(delivery: Delivery) -> float:
    found = delivery.record.get("min_distance_A")
    if not isinstance(found, (int, float)):
        raise FrostpickError("the run record has no min_distance_A")
    return float(found)
