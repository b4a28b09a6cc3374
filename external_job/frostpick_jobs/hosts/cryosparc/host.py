"""An External job of CryoSPARC as a host: its life, its event log, and the readers and writers."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from frostpick.settings.model_ref import ModelKind
from frostpick.types import Labels, Micrograph
from frostpick_jobs.hosts.cryosparc.next_step import next_step
from frostpick_jobs.hosts.cryosparc.ports import reference
from frostpick_jobs.hosts.cryosparc.read.connected import Connected
from frostpick_jobs.hosts.cryosparc.read.job_files import fetch_file
from frostpick_jobs.hosts.cryosparc.reporter import CryoSPARCReporter
from frostpick_jobs.hosts.cryosparc.request import JobRequest
from frostpick_jobs.hosts.cryosparc.server import client_versions
from frostpick_jobs.hosts.cryosparc.server.connect import RetryPolicy, no_stop
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError, detail
from frostpick_jobs.hosts.cryosparc.server.event_log import EventLog, EventLogHandler
from frostpick_jobs.hosts.cryosparc.server.job import SHORT, ExternalJob
from frostpick_jobs.hosts.cryosparc.server.references import parse_job
from frostpick_jobs.hosts.cryosparc.server.watch import StatusWatch
from frostpick_jobs.hosts.cryosparc.write.report import save_journal
from frostpick_jobs.hosts.cryosparc.write.writer import OutputWriter
from frostpick_jobs.job.endings import unused_inputs
from frostpick_jobs.job.host import Host, InputRows, LabelledInput, MicrographOutput, Outcome
from frostpick_jobs.job.journal import LOGGERS
from frostpick_jobs.job.last_lines import last_lines
from frostpick_jobs.job.outputs import Output, Report, find
from frostpick_jobs.job.progress import terminal_reporter
from frostpick_jobs.job.results import Place

if TYPE_CHECKING:
    from frostpick_jobs.job.models import Elsewhere, Model

log = logging.getLogger(__name__)

#: Of the last requests of a job that was stopped.
QUICK = RetryPolicy(1.5, 0.3, hang=1.5)
#: Seconds for the last lines of the event log: of a job that ends, that was stopped, and where
#: the server does not answer.
LAST_EVENTS, QUICK_EVENTS, UNANSWERED_EVENTS = 30.0, 5.0, 0.5
#: Folder in the spool for files of other jobs.
OF_JOBS = "of_jobs"


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
    models
        ``(kind, text) -> model`` of the models that the settings take from other jobs.
    diameter_A
        For labels: what counts as one particle.
    keep_spool
        Keep the spool of a finished job, so that a cleared job needs no inference.
    poll_seconds, event_seconds
        How often to ask for the job's status, and to write to its event log.
    """

    name = "cryosparc"
    fractions = True

    def __init__(
        self,
        job: ExternalJob,
        request: JobRequest,
        spool: Path,
        *,
        models: Elsewhere | None = None,
        diameter_A: float | None = None,
        keep_spool: bool = False,
        poll_seconds: float = 5.0,
        event_seconds: float = 2.0,
    ) -> None:
        self.job, self.request, self.spool = job, request, spool
        self._models, self._keep_spool = models, keep_spool
        self._connected = Connected(job, request, spool, diameter_A)
        self._writer = OutputWriter(job, request, self._connected)
        self._watch = StatusWatch(job.server, job.project, job.uid, poll_seconds)
        self._event_seconds = event_seconds
        self._reporter = CryoSPARCReporter(
            terminal_reporter(self._watch), event_seconds if client_versions.is_five() else 60.0
        )
        self.reporter = self._reporter
        self._events: EventLog | None = None
        self._handler: EventLogHandler | None = None
        self._levels: dict[str, int] = {}
        self._delivered = False

    @property
    def inputs(self) -> Mapping[str, Sequence[str]]:
        """What is connected now, and the word ``rest``, by the names of the task's inputs."""
        return self._connected.given()

    @property
    def place(self) -> Place:
        """The job's number; its folder is on the server's disks."""
        return Place(f"{self.job.project}-{self.job.uid}")

    @property
    def flip_y(self) -> bool:  # type: ignore[override]
        """Whether images and positions are turned upside down."""
        return self.request.flip_y

    def begin(self) -> None:
        """Start the job, its event log and the watch over its status."""
        self.job.server.stop = lambda: self.reporter.check()
        self.job.start()
        self._events = EventLog(self.job, self._event_seconds)
        self._reporter.attach(self._events)
        self._listen(EventLogHandler(self._events))
        self._watch.start()
        log.info("%s on %s, results on the way in %s", self.job, self.job.server.url, self.spool)
        log.info("to resume: %s", self.request.resume_command(self.job.uid))

    def micrographs(self) -> Sequence[Micrograph]:
        """Return the exposures, none where none are connected; the id is the uid in decimal."""
        return self._connected.micrographs

    def title(self, micrograph_id: str) -> str:
        """Return the name of an exposure's file: nobody knows uids."""
        return self._titles.get(micrograph_id, micrograph_id)

    @cached_property
    def _titles(self) -> Mapping[str, str]:
        return {one.id: one.source.name for one in self._connected.micrographs}

    def take_diameter(self, diameter_A: float) -> None:
        """Take up the diameter that the job found, as the one that tells labels apart."""
        self._connected.take_diameter(diameter_A)

    def labels(self) -> Mapping[str, Labels]:
        """Return the particles to learn from, re-centred, in image pixels."""
        return self._connected.labels()

    def input_rows(self) -> InputRows:
        """Return the rows of the particle input."""
        self.micrographs()  # the log tells of them first
        return self._connected.input_rows()

    def labelled_rows(self) -> LabelledInput:
        """Return the rows of the two inputs of examples."""
        return self._connected.labelled_rows()

    def model_of(self, kind: ModelKind, text: str) -> Model | None:
        """Return the model of another job of the server, such as J20; None for other texts."""
        return None if self._models is None else self._models(kind, text)

    def file_of(self, job: str, name: str) -> Path:
        """Return the copy of a file of another job of the server, or one in a folder here."""
        there = parse_job(job)
        if there is None:
            return super().file_of(job, name)
        return fetch_file(self.job.server, self.job.project, there, name, self.spool / OF_JOBS)

    def reference(self, output: str) -> str:
        """Return ``J20`` for a model, ``J20.particles`` and the like for rows."""
        return reference(self.request.task, self.job.uid, output)

    def next_step(self, task: str, outputs: Sequence[Output], *, good: bool) -> str:
        """Return what to connect or type next."""
        return next_step(
            task,
            self.job.project,
            self.job.uid,
            good=good,
            extracted=not self._connected.on_micrographs,
        )

    def look_at_report(self) -> str:
        """Name the page of the job."""
        return f"look at {self.job} on {self.job.server.url}"

    def deliver_one(self, output: MicrographOutput) -> None:
        """Take up the rows: outputs of CryoSPARC hold all micrographs at once."""
        self._writer.add(output)

    def deliver(self, outputs: Sequence[Output]) -> None:
        """Save the outputs, the record and the pictures, and complete the job.

        Raises
        ------
        JobStopped
            Somebody killed, cleared or completed the job: the server then refuses what is saved.
        """
        try:
            self._writer.write(outputs)
            report = find(outputs, Report)
            failed = {} if report is None else report.failed
            if failed:
                self._warn_in_log(unused_inputs(failed, named=True))
            for line in last_lines(self, outputs) or ():
                log.info("%s", line)
            self._complete(unused_inputs(failed))
        except ServerError:
            self._watch.ask()
            self.reporter.check()
            raise

    def _warn_in_log(self, message: str) -> None:
        if self._events is not None:
            self._events.text(message, "warning")

    def _complete(self, unused: str) -> None:
        """Complete the job, unless somebody has stopped it by now."""
        self._watch.ask()
        self.reporter.check()
        self._save_journal(Outcome.FINISHED, unused)
        self._watch.close()
        self._close_events(check=self.reporter.check)
        self.job.complete()
        self._delivered = True

    def end(self, outcome: Outcome, message: str = "") -> None:
        """Give the job its status, say how to resume, or delete what is saved; never raises."""
        self.job.server.stop = no_stop
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
        if outcome is Outcome.NOTHING_YET and not self._delivered:
            self._warn_in_log(message)
            self.job.complete()
            self._delivered = True
        if self._delivered:
            self._close_events()
            if not self._keep_spool:
                shutil.rmtree(self.spool, ignore_errors=True)
            return
        # Whoever stops a job at the terminal does not wait for a server that is away.
        patience = QUICK if outcome is Outcome.ABORTED else None
        lost, answers = self._status_that_is_lost(patience or SHORT)
        seconds = QUICK_EVENTS if patience else LAST_EVENTS
        self._close_events(seconds if answers else UNANSWERED_EVENTS)
        how = "clear it in the web page, then resume with" if lost == "completed" else "resume with"
        again = f"what is done is kept in {self.spool}; {how}: {self._again}"
        if lost is None:
            if answers and outcome is Outcome.FAILED:
                self._save_journal(outcome, message)
            failed = self.job.fail(f"{message}\n{again}", patience)
            if not failed:
                log.error("%s could not be marked as failed", self.job)
        log.warning("%s: %s", self.job, again)

    def _save_journal(self, outcome: Outcome, message: str) -> None:
        """End the log, and copy it into the job's folder."""
        if self.journal is not None:
            self.journal.finish(outcome, message)
            self.journal.close_log()
            save_journal(self.job, self.log_folder)

    @property
    def _again(self) -> str:
        return self.request.resume_command(self.job.uid)

    def _status_that_is_lost(self, patience: RetryPolicy) -> tuple[str | None, bool]:
        """Return a status that somebody else gave the job, and whether the server answers."""
        answers = self._watch.lost is not None or self._watch.ask(patience.seconds)
        lost = self._watch.lost
        # A job that was never started is building by our own hand.
        return None if lost == "building" and self._events is None else lost, answers

    def _listen(self, handler: EventLogHandler) -> None:
        self._handler = handler
        for name in LOGGERS:
            logger = logging.getLogger(name)
            self._levels[name] = logger.level
            if logger.getEffectiveLevel() > logging.INFO:
                logger.setLevel(logging.INFO)
            logger.addHandler(handler)

    def _close_events(
        self, timeout: float | None = None, check: Callable[[], None] = no_stop
    ) -> None:
        if self._handler is not None:
            for name in LOGGERS:
                logging.getLogger(name).removeHandler(self._handler)
                logging.getLogger(name).setLevel(self._levels[name])
            self._handler = None
        if self._events is not None:
            self._events.close(LAST_EVENTS if timeout is None else timeout, check)
