"""An External job's own life cycle: start, fail, complete; never the client's ``run()``.

The client's ``run()`` marks a job that Ctrl-C ended as completed, and puts the error
text of any length into a URL.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from frostpick_jobs.hosts.cryosparc.server import client_versions
from frostpick_jobs.hosts.cryosparc.server.connect import RetryPolicy, Server
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError, cut
from frostpick_jobs.hosts.cryosparc.server.job_view import ACTIVE, JobView

log = logging.getLogger(__name__)

#: The text of a failure travels in a URL, which proxies cap.
LONGEST_ERROR = 1800
#: For the last words of a job that failed: the user waits at the terminal.
SHORT = RetryPolicy(20.0)


class ExternalJob:
    """An External job on the server.

    Parameters
    ----------
    controller
        The client's ``ExternalJobController``.
    """

    def __init__(self, server: Server, project: str, controller: Any) -> None:
        self.server, self.project, self.controller = server, project, controller
        self.uid = str(controller.uid)

    def __str__(self) -> str:
        return f"{self.project}-{self.uid}"

    def look(self) -> JobView:
        """Return the job as it is now."""
        return client_versions.look(
            self.server.call(f"read {self}", lambda: self.controller.refresh())
        )

    def status(self, patience: RetryPolicy | None = None) -> str:
        """Return the job's status now."""
        client = self.server.client
        return self.server.call(
            f"status of {self}",
            lambda: client_versions.status(client, self.project, self.uid),
            patience=patience,
        )

    def _mark(self, wanted: str, what: str, request: Callable[[], object]) -> None:
        """Give the job a status; it may have it by now, from a request whose answer was lost.

        Raises
        ------
        ServerError
            The server refuses, or does not answer, and the job has not the status.
        """
        try:
            self.server.call(what, request)
        except ServerError:
            try:
                status = self.status(self._short)
            except ServerError:
                status = ""
            if status != wanted:
                raise
            log.debug("%s: %s already", what, wanted)

    @property
    def _short(self) -> RetryPolicy:
        return RetryPolicy(min(SHORT.seconds, self.server.patience.seconds), hang=SHORT.seconds)

    def start(self) -> None:
        """Mark the job running; one that failed or was killed is cleared first.

        Raises
        ------
        ServerError
            The server refuses, for example while a required slot is missing.
        """
        status = self.status()
        if status in ("failed", "killed"):
            log.info("%s is %s: it is cleared and started again", self, status)
            self._mark("building", f"clear {self}", lambda: self.controller.clear())
        if status != "running":
            self._mark("running", f"start {self}", lambda: self.controller.start("running"))

    def complete(self) -> None:
        """Mark the job completed."""
        self._mark(
            "completed", f"complete {self}", lambda: client_versions.stop(self.controller, "")
        )

    def fail(self, text: str, patience: RetryPolicy | None = None) -> bool:
        """Mark the job failed with a text; never raises. Return whether it is failed now.

        Only a job that was started can be failed, so one that was not is started first.

        Parameters
        ----------
        patience
            Of each attempt.
        """
        patience = patience or self._short
        refused = self._mark_failed(text, patience)
        if refused is None:
            return True
        if refused.code is None:
            log.debug("%s", refused)
            return False
        try:
            view = self.look()
            if view.status not in ACTIVE:
                self._make_startable(view)
                self.server.once(f"start {self}", lambda: self.controller.start("running"))
            refused = self._mark_failed(text, patience)
            if refused is None:
                return True
        except ServerError as error:
            refused = error
        log.debug("%s", refused)
        try:
            client_versions.log_text(self.controller, cut(text, LONGEST_ERROR), "error", None)
        except Exception as error:
            log.debug("event log: %s", error)
        return False

    def _mark_failed(self, text: str, patience: RetryPolicy) -> ServerError | None:
        try:
            self.server.call(
                f"fail {self}",
                lambda: client_versions.stop(self.controller, cut(text, LONGEST_ERROR) or "failed"),
                patience=patience,
            )
        except ServerError as error:
            return error
        return None

    def _make_startable(self, view: JobView) -> None:
        """Take away what keeps a half-made job from starting: unmet inputs."""
        for one in view.inputs.values():
            if one.links:
                self.server.once("disconnect", lambda n=one.name: self.controller.disconnect(n))  # type: ignore[misc]
            slots = [client_versions.slot(s, s, required=False) for s in one.slots]
            self.server.once(
                "relax input",
                lambda one=one, slots=slots: self.controller.add_input(  # type: ignore[misc]
                    one.type, one.name, min=0, slots=slots
                ),
            )
