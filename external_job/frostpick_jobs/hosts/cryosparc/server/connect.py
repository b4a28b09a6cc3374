"""The connection to a CryoSPARC instance: credentials, versions, patience."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

from frostpick.errors import ConfigError, option
from frostpick_jobs.hosts.cryosparc.server import shim
from frostpick_jobs.hosts.cryosparc.server.errors import (
    ServerError,
    cut,
    detail,
    is_of_the_machine,
    is_transient,
    status_code,
)
from frostpick_jobs.hosts.cryosparc.server.waiting import Waiting

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_LOGINS = 5


def no_stop() -> None:
    """Stop nothing."""


@dataclass(frozen=True)
class Patience:
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


@dataclass(frozen=True)
class Credentials:
    """What proves who the user is; nothing of it is ever shown, ``repr`` included."""

    email: str | None = None
    password: str | None = None
    licence: str | None = None

    def __repr__(self) -> str:
        return "Credentials(...)"

    def hide(self, text: str) -> str:
        """Return a text without any of the secrets."""
        for secret in (self.password, self.licence):
            if secret:
                for form in (secret, sha256(secret.encode()).hexdigest()):
                    text = text.replace(form, "***")
        return re.sub(r"(?i)bearer\s+\S+", "Bearer ***", text)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Credentials:
        """Read CRYOSPARC_EMAIL, CRYOSPARC_PASSWORD and (4.7) CRYOSPARC_LICENSE_ID now."""
        return cls(
            environ.get("CRYOSPARC_EMAIL") or None,
            environ.get("CRYOSPARC_PASSWORD") or None,
            environ.get("CRYOSPARC_LICENSE_ID") or None,
        )


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
    """

    def __init__(
        self,
        url: str,
        client: Any,
        version: str,
        credentials: Credentials,
        patience: Patience | None = None,
    ) -> None:
        self.url, self.client, self.version = url, client, version
        self.patience = patience or Patience()
        #: Called while a request waits, from any thread, and between requests; raises to stop.
        self.stop: Callable[[], None] = no_stop
        self._credentials = credentials

    def call(
        self,
        what: str,
        request: Callable[[], T],
        *,
        patience: Patience | None = None,
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
                spent = time.monotonic() - began
                logins += status_code(error) == 401
                if not is_transient(error) or spent >= limit.seconds or logins > MOST_LOGINS:
                    raise self._refused(what, error) from None
                waiting.said = self._credentials.hide(detail(error))
                log.debug("%s: %s; again in %.1f s", what, waiting.said, wait)
                if status_code(error) == 401:
                    self.renew_login()
            waiting.pause(min(wait, max(0.0, limit.seconds - spent)))
            wait = min(2 * wait, 30.0)

    def once(self, what: str, request: Callable[[], T]) -> T:
        """Make a request that must not be repeated by us."""
        return self.call(what, request, patience=Patience(0.0))

    def close(self) -> None:
        """Give the connections back."""
        shim.close(self.client)

    def _refused(self, what: str, error: BaseException) -> ServerError:
        said = self._credentials.hide(detail(error))
        return ServerError(f"CryoSPARC at {self.url}: {what}: {said}", status_code(error))

    def renew_login(self) -> None:
        """Get a new session, where the server has forgotten this one; never raises."""
        try:
            shim.login_again(
                self.client, self.url, self._credentials.email, self._credentials.password
            )
        except Exception as error:
            log.debug("login: %s", self._credentials.hide(detail(error)))


def connect(
    url: str | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    patience: Patience | None = None,
) -> Server:
    """Connect with a saved login, or with CRYOSPARC_EMAIL and CRYOSPARC_PASSWORD.

    Parameters
    ----------
    url
        Base URL; without one CRYOSPARC_BASE_URL, or CRYOSPARC_MASTER_HOSTNAME and
        CRYOSPARC_BASE_PORT.

    Raises
    ------
    ConfigError
        No URL.
    ServerError
        No answer, no login or a wrong one, or a version this client cannot work with.
    """
    tools = shim.tools_version()
    address, credentials = find_url(url, environ), Credentials.from_environment(environ)
    # The client reports every request at this level.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    _check_credentials(address, credentials)
    address = _as_saved(address, credentials)
    try:
        client = shim.new_client(
            address, credentials.email, credentials.password, credentials.licence
        )
        version = shim.server_version(client)
    except Exception as error:
        raise ServerError(_no_connection(address, tools, credentials, error)) from None
    server = Server(address, client, version, credentials, patience)
    try:
        check_versions(address, version, tools)
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


def check_versions(url: str, server: str, tools: str) -> None:
    """Raise `ServerError` unless server and client are of one X.Y; ``develop`` passes."""
    told = re.match(r"v?(\d+\.\d+)", server)
    own = re.match(r"\d+\.\d+", tools)
    if told and own and told[1] != own[0]:
        raise ServerError(
            f"CryoSPARC at {url} is {server} and cryosparc-tools here is {tools}; they work "
            f"together only when the first two numbers agree: "
            f"pip install --force-reinstall 'cryosparc-tools~={told[1]}.0'"
        )


def _check_credentials(url: str, credentials: Credentials) -> None:
    if credentials.email and credentials.password:
        if shim.is_five() or credentials.licence:
            return
        raise ServerError("CryoSPARC 4.7 also needs the licence: set CRYOSPARC_LICENSE_ID")
    if any(shim.has_token(form, credentials.email) for form in (url, url + "/")):
        return
    raise ServerError(
        f"no login for {url}: run  python -m cryosparc.tools login --url {url}  "
        "or set CRYOSPARC_EMAIL and CRYOSPARC_PASSWORD"
    )


def _as_saved(url: str, credentials: Credentials) -> str:
    """Return the URL in the spelling that a login is saved for; the client compares texts."""
    if credentials.email and credentials.password:
        return url
    return url if shim.has_token(url, credentials.email) else url + "/"


def _no_connection(url: str, tools: str, credentials: Credentials, error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = " ".join(lines[:2]) if lines else type(error).__name__
    hint = (
        "a CryoSPARC 4.7 needs: pip install 'cryosparc-tools~=4.7.0'"
        if shim.is_five()
        else "a CryoSPARC 5 needs: pip install 'cryosparc-tools~=5.0.3'"
    )
    return (
        f"cannot connect to {url} with cryosparc-tools {tools}: "
        f"{credentials.hide(cut(said, 300))}; check URL and login; {hint}"
    )
