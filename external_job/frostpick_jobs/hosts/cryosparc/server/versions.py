"""Which cryosparc-tools works with which CryoSPARC: those of one X.Y."""

from __future__ import annotations

import logging
import re

from frostpick.errors import option
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError

log = logging.getLogger(__name__)

#: Versions of CryoSPARC that this package knows; there are cryosparc-tools of both.
KNOWN = ("4.7", "5.0")


def check_versions(url: str, server: str, tools: str, *, ignore: bool = False) -> None:
    """Raise `ServerError` unless server and client are of one X.Y; ``develop`` passes.

    Parameters
    ----------
    server, tools
        Their versions, such as ``v5.0.3`` and ``5.0.3``.
    ignore
        Warn, and go on.
    """
    told, own = _two_numbers(server), _two_numbers(tools)
    if told is None or own is None or told == own:
        return
    differ = f"CryoSPARC at {url} is {server} and cryosparc-tools here is {tools}"
    if ignore:
        log.warning("%s; going on all the same, what comes of it is not known", differ)
        return
    raise ServerError(
        f"{differ}; they work together only when the first two numbers agree{_remedy(told, own)}"
    )


def other_kind(five: bool) -> str:
    """Return what a server of the other kind than the installed client's needs."""
    version = KNOWN[0] if five else KNOWN[1]
    return f"a CryoSPARC {version} needs: {pin(version)}"


def pin(version: str) -> str:
    """Return the command that installs the client of a version, such as ``5.0``."""
    return f"pip install --force-reinstall 'cryosparc-tools~={version}.0'"


def _remedy(told: str, own: str) -> str:
    if told in KNOWN:
        return f": {pin(told)}"
    major, minor = map(int, told.split("."))
    if (major, minor) < (4, 7):
        return "; expected CryoSPARC 4.7 or 5"
    same_kind = told.split(".")[0] == own.split(".")[0]
    without = f"; else go on as it is with {option('ignore_version')}" if same_kind else ""
    return f": {pin(told)}  if there is one of {told}{without}"


def _two_numbers(version: str) -> str | None:
    found = re.match(r"v?(\d+\.\d+)", version)
    return None if found is None else found[1]
