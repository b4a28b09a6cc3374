"""What proves who the user is, and what is said where the server does not take it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from frostpick_jobs.hosts.cryosparc.server import client_versions
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError, cut, detail, status_code

#: Answers of a server that does not take a login.
REFUSED = (400, 401, 403)


@dataclass(frozen=True)
class Credentials:
    """What proves who the user is; nothing of it is ever shown, ``repr`` included."""

    email: str | None = None
    password: str | None = None
    licence: str | None = None

    def __repr__(self) -> str:
        return "Credentials(...)"

    @property
    def by_password(self) -> bool:
        """Whether the login is e-mail and password; else it is a saved token."""
        return bool(self.email and self.password)

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


def check_credentials(url: str, credentials: Credentials) -> None:
    """Raise `ServerError` where there is nothing to log in with."""
    if credentials.by_password:
        if client_versions.is_five() or credentials.licence:
            return
        raise ServerError("CryoSPARC 4.7 also needs the licence: set CRYOSPARC_LICENSE_ID")
    if any(client_versions.has_token(form, credentials.email) for form in (url, url + "/")):
        return
    raise ServerError(
        f"no login for {url}, or it has expired: run  {_log_in(url)}  "
        "or set CRYOSPARC_EMAIL and CRYOSPARC_PASSWORD"
    )


def as_saved(url: str, credentials: Credentials) -> str:
    """Return the URL in the spelling that a login is saved for; the client compares texts."""
    if credentials.by_password:
        return url
    return url if client_versions.has_token(url, credentials.email) else url + "/"


def refused_login(url: str, credentials: Credentials, error: BaseException) -> str | None:
    """Return what to say of a login that the server did not take; None for another failure.

    Parameters
    ----------
    error
        What connecting raised: the client's error has the server's answer as its cause.
    """
    answer = error.__cause__ or error
    code = status_code(answer)
    if code not in REFUSED:
        return None
    said = credentials.hide(cut(detail(answer), 300))
    if credentials.by_password:
        what = "it refuses the e-mail or the password; set CRYOSPARC_EMAIL and CRYOSPARC_PASSWORD"
    else:
        what = (
            "it does not take the saved login any more, which has expired or was revoked; run  "
            + _log_in(url)
        )
    return f"cannot connect to {url}: {what} (answer {code}: {said})"


def lost_login(url: str, credentials: Credentials) -> str:
    """Return what to say where a server stops to know a login, and takes no new one."""
    what = (
        "does the password in CRYOSPARC_PASSWORD still hold?"
        if credentials.by_password
        else f"it has expired or was revoked: run  {_log_in(url)}"
    )
    return f"the login was lost, and could not be renewed; {what}"


def _log_in(url: str) -> str:
    return f"python -m cryosparc.tools login --url {url}"
