"""The jobs that a selftest makes, and takes away again."""

from __future__ import annotations

import logging
from typing import Any

from frostpick_jobs.hosts.cryosparc.server import client_versions
from frostpick_jobs.hosts.cryosparc.server.connect import Server
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError

log = logging.getLogger(__name__)

TITLE = "frostpick selftest"


class SelftestJobs:
    """External jobs titled ``frostpick selftest`` in one workspace.

    Those that are there already are of earlier selftests, or somebody's copies: they stay.
    """

    def __init__(self, server: Server, project: str, workspace: str) -> None:
        self._server, self._project, self._workspace = server, project, workspace
        self._before = set(self._titled())
        self._made: dict[str, None] = {}
        if self._before:
            log.info(
                "selftest: jobs of that title that stay, since they were there before: %s",
                ", ".join(sorted(self._before)),
            )

    def make(self) -> Any:
        """Return the client's controller of a new job."""
        client = self._server.client
        job = client.create_external_job(self._project, self._workspace, title=TITLE)
        self._made[str(job.uid)] = None
        return job

    def delete(self) -> dict[str, str]:
        """Delete the jobs, running ones too; return why each that is left could not be deleted.

        Jobs whose making got no answer are looked for by their title.
        """
        try:
            made = [*self._made, *(uid for uid in self._titled() if uid not in self._before)]
        except ServerError as error:
            log.debug("selftest: %s", error)
            made = list(self._made)
        left: dict[str, str] = {}
        for uid in dict.fromkeys(made):
            try:
                self._server.call(
                    f"delete {self._project}-{uid}",
                    lambda uid=uid: client_versions.delete_job(
                        self._server.client, self._project, uid
                    ),  # type: ignore[misc]
                )
            except ServerError as error:
                if error.code != 404:
                    left[uid] = str(error)
            except Exception as error:
                left[uid] = f"{type(error).__name__}: {error}"
        deleted = len(dict.fromkeys(made)) - len(left)
        log.info("selftest: %d jobs deleted", deleted)
        if left:
            log.warning(
                "selftest: these jobs could not be deleted (%s); delete them in the web page: %s",
                next(iter(left.values())),
                ", ".join(f"{self._project}-{uid}" for uid in left),
            )
        return left

    def _titled(self) -> list[str]:
        client = self._server.client
        return self._server.call(
            "look for the jobs of earlier selftests",
            lambda: client_versions.titled_jobs(client, self._project, self._workspace, TITLE),
        )
