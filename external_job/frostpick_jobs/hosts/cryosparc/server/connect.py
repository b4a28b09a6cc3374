"""The connection to a CryoSPARC instance: credentials, versions, patience."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from frostpick.errors import ConfigError, option
from frostpick_jobs.hosts.cryosparc.server import client_versions
from frostpick_jobs.hosts.cryosparc.server.errors import (
    ServerError,
    cut,
    detail,
    is_of_the_machine,
    is_transient,
    status_code,
)
from frostpick_jobs.hosts.cryosparc.server.login import (
    Credentials,
    as_saved,
    check_credentials,
    lost_login,
    refused_login,
)
from frostpick_jobs.hosts.cryosparc.server.versions import check_versions, other_kind
from frostpick_jobs.hosts.cryosparc.server.waiting import Waiting

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_LOGINS = 5
UNKNOWN_LOGIN = 401


def no_stop() -> None:
    """Stop nothing."""


@dataclass(frozen=True)
class RetryPolicy:
    """How long to repeat a request that got no answer: waits double up to half a minute.

    Parameters
    ----------
    seconds
        In all.
    first
        The first wait.
    hang
        How long one attempt may go without an answer; None leaves that to the client.
    """

    seconds: float = 600.0
    first: float = 1.0
    hang: float | None = None


class Server:
    """A CryoSPARC instance that answers, and repeats what gets no answer.

    Parameters
    ----------
    url
        Base URL.
    client
        The cryosparc-tools client; its calls are wrapped in `call`.
    version
        The server's version as it told it.
    patience
        For requests that must not be lost.
    ignore_version
        Whether versions that differ were accepted, see `connect`.
    """

    def __init__(
        self,
        url: str,
        client: Any,
        version: str,
        credentials: Credentials,
        patience: RetryPolicy | None = None,
        ignore_version: bool = False,
    ) -> None:
        self.url, self.client, self.version = url, client, version
        self.ignore_version = ignore_version
        self.patience = patience or RetryPolicy()
        #: Called while a request waits, from any thread, and between requests; raises to stop.
        self.stop: Callable[[], None] = no_stop
        self._credentials = credentials

    def call(
        self,
        what: str,
        request: Callable[[], T],
        *,
        patience: RetryPolicy | None = None,
    ) -> T:
        """Make a request, again and again while there is no answer.

        Parameters
        ----------
        what
            For the message: ``save particles``.
        request
            The call; must be safe to repeat.
        patience
            Where it differs from the server's.

        Raises
        ------
        ServerError
            The server refused, or gave no answer for too long.
        OSError, MemoryError
            This machine's disk is full, or it is out of files or memory.
        """
        limit = patience or self.patience
        wait, began, logins = limit.first, time.monotonic(), 0
        waiting = Waiting(f"CryoSPARC at {self.url}: {what}", self.stop)
        while True:
            try:
                return waiting.answer(request, limit.hang)
            except (ServerError, MemoryError):
                raise
            except Exception as error:
                if is_of_the_machine(error):
                    raise
                spent, unknown = time.monotonic() - began, status_code(error) == UNKNOWN_LOGIN
                logins += unknown
                # What is refused for the login alone was not done, and may be asked once more.
                too_late = spent >= limit.seconds and not (unknown and logins == 1)
                if not is_transient(error) or too_late or logins > MOST_LOGINS:
                    raise self._refused(what, error) from None
                waiting.said = self._credentials.hide(detail(error))
                log.debug("%s: %s; again in %.1f s", what, waiting.said, wait)
                if unknown:
                    self.renew_login()
            waiting.pause(min(wait, max(0.0, limit.seconds - spent)))
            wait = min(2 * wait, 30.0)

    def once(self, what: str, request: Callable[[], T]) -> T:
        """Make a request that must not be repeated by us."""
        return self.call(what, request, patience=RetryPolicy(0.0))

    def close(self) -> None:
        """Give the connections back."""
        client_versions.close(self.client)

    def _refused(self, what: str, error: BaseException) -> ServerError:
        said, code = self._credentials.hide(detail(error)), status_code(error)
        lost = f"; {lost_login(self.url, self._credentials)}" if code == UNKNOWN_LOGIN else ""
        return ServerError(f"CryoSPARC at {self.url}: {what}: {said}{lost}", code)

    def renew_login(self) -> None:
        """Get a new session, where the server has forgotten this one; never raises."""
        try:
            client_versions.login_again(
                self.client, self.url, self._credentials.email, self._credentials.password
            )
        except Exception as error:
            log.debug("login: %s", self._credentials.hide(detail(error)))


def connect(
    url: str | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    patience: RetryPolicy | None = None,
    ignore_version: bool = False,
) -> Server:
    """Connect with a saved login, or with CRYOSPARC_EMAIL and CRYOSPARC_PASSWORD.

    Parameters
    ----------
    url
        Base URL; without one CRYOSPARC_BASE_URL, or CRYOSPARC_MASTER_HOSTNAME and
        CRYOSPARC_BASE_PORT.
    ignore_version
        Go on with a server of another version than the client, with a warning.

    Raises
    ------
    ConfigError
        No URL.
    ServerError
        No answer, no login or a wrong one, or a version this client cannot work with.
    """
    tools = client_versions.tools_version()
    address, credentials = find_url(url, environ), Credentials.from_environment(environ)
    # The client reports every request at this level.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    check_credentials(address, credentials)
    address = as_saved(address, credentials)
    try:
        client = client_versions.new_client(
            address, credentials.email, credentials.password, credentials.licence
        )
        version = client_versions.server_version(client)
    except Exception as error:
        refused = refused_login(address, credentials, error)
        raise ServerError(refused or _no_connection(address, tools, credentials, error)) from None
    server = Server(address, client, version, credentials, patience, ignore_version)
    try:
        check_versions(address, version, tools, ignore=ignore_version)
    except ServerError:
        server.close()
        raise
    return server


def find_url(url: str | None, environ: Mapping[str, str]) -> str:
    """Return the base URL without a slash at the end; `ConfigError` when none is known."""
    found = url or environ.get("CRYOSPARC_BASE_URL")
    host, port = environ.get("CRYOSPARC_MASTER_HOSTNAME"), environ.get("CRYOSPARC_BASE_PORT")
    if not found and (host or port):
        found = f"http://{host or 'localhost'}:{port or 39000}"
    if not found:
        raise ConfigError(
            f"which CryoSPARC? give {option('url', 'http://HOST:39000')}, or set CRYOSPARC_BASE_URL"
        )
    if not re.match(r"https?://[^/\s]+", found):
        raise ConfigError(f"{option('url')} {found!r}: expected http:// or https:// and a host")
    if re.match(r"https?://[^/]*@", found):
        raise ConfigError(
            f"{option('url')}: no user name or password in the URL; log in with the token"
        )
    return found.rstrip("/")


def _no_connection(url: str, tools: str, credentials: Credentials, error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = " ".join(lines[:2]) if lines else type(error).__name__
    return (
        f"cannot connect to {url} with cryosparc-tools {tools}: "
        f"{credentials.hide(cut(said, 300))}; check URL and login; "
        f"{other_kind(client_versions.is_five())}"
    )
