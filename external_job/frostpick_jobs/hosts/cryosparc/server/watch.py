"""Notices that somebody killed or cleared the job: nothing tells the client, so it asks."""

from __future__ import annotations

import logging
import threading

from frostpick_jobs.hosts.cryosparc.server import client_versions
from frostpick_jobs.hosts.cryosparc.server.connect import UNKNOWN_LOGIN, Server
from frostpick_jobs.hosts.cryosparc.server.errors import detail, status_code
from frostpick_jobs.hosts.cryosparc.server.job_view import ACTIVE
from frostpick_jobs.hosts.cryosparc.server.waiting import Waiting

log = logging.getLogger(__name__)

SECONDS = 5.0
#: How long an answer may take: less than a user waits for a stop.
ASKED = 4.0

REASONS = {
    "killed": "job {job} was killed in the web page",
    "building": "job {job} was cleared in the web page",
    "completed": "job {job} was marked as completed in the web page",
    "failed": "job {job} was marked as failed in the web page",
}


class StatusWatch:
    """Asks for the job's status from a thread of its own; a stop hook for the reporter.

    While the server does not answer, the job goes on: its results are kept locally.

    Parameters
    ----------
    seconds
        Between two questions.
    """

    def __init__(self, server: Server, project: str, job: str, seconds: float = SECONDS) -> None:
        self._server, self._project, self._job = server, project, job
        self._seconds = seconds
        self._closed = threading.Event()
        self._silent = False
        self._thread = threading.Thread(target=self._run, name="job-status", daemon=True)
        #: The status that is not ours any more; None while the job is ours.
        self.lost: str | None = None

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def close(self) -> None:
        """Ask no more."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(timeout=0.5)

    def __call__(self) -> str | None:
        """Return why to stop, None to go on."""
        if self.lost is None:
            return None
        reason = REASONS.get(self.lost, "job {job} is {status} by somebody else's hand")
        return reason.format(job=self._job, status=self.lost)

    def ask(self, hang: float | None = None) -> bool:
        """Ask once; return whether there was an answer.

        Parameters
        ----------
        hang
            Seconds after which the server counts as silent; None: `ASKED`.
        """
        try:
            waiting = Waiting(f"the status of {self._job}", lambda: None)
            status = waiting.answer(
                lambda: client_versions.status(self._server.client, self._project, self._job),
                ASKED if hang is None else hang,
            )
        except Exception as error:
            unknown = status_code(error) == UNKNOWN_LOGIN
            if not self._silent:
                what = "knows this login no more" if unknown else "does not answer"
                log.warning("the server %s (%s); the job goes on", what, detail(error))
            self._silent = True
            if unknown:
                self._server.renew_login()
            return False
        if self._silent:
            log.info("the server answers again")
        self._silent = False
        if status not in ACTIVE:
            self.lost = status
        return True

    def _run(self) -> None:
        while self.lost is None and not self._closed.wait(self._seconds):
            self.ask()
