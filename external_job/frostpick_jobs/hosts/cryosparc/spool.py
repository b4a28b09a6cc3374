"""Where the results of a CryoSPARC job lie until they are saved: never in the job.

Clearing a job in the web page empties its folder.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from frostpick.errors import Wording, option
from frostpick_jobs.job.output_folder import claimed_by

log = logging.getLogger(__name__)

#: What a place must have free to be taken without a word: bytes, files, and bytes that are
#: asked for to see whether a quota gives them, for free space does not tell of quotas.
LEAST_BYTES, LEAST_FILES, ASKED = 10**9, 2000, 16 * 2**20
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_ANSWER = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS}


def spool_folder(url: str, project: str, job: str, base: Path) -> Path:
    """Return the local folder of a job, below the folder of all."""
    where = urlsplit(url)
    server = re.sub(r"[^A-Za-z0-9.-]+", "_", where.netloc)
    return base / "cryosparc" / server / f"{project}-{job}"


def usual_base(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of all jobs' folders where there is room in it."""
    given = environ.get("FROSTPICK_SPOOL")
    if given:
        return Path(given)
    state = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "frostpick"


def choose_base(
    url: str,
    project: str,
    job: str | None,
    elsewhere: Callable[[], Iterable[Path]] = tuple,
    environ: Mapping[str, str] = os.environ,
) -> Path:
    """Return the folder of all jobs' folders, where the user has given none.

    That is ``FROSTPICK_SPOOL``, whatever is free there; else ``frostpick`` in ``XDG_STATE_HOME``
    (``~/.local/state``). Where that is nearly full, or cannot be written, it is the first other
    place with room, with a warning. A job that has results goes on where they are.

    Parameters
    ----------
    job
        The job, where it is there already.
    elsewhere
        Returns folders that do as well, asked for when there is no room; the temporary folder
        of this machine comes after them.
    """
    usual = usual_base(environ)
    if environ.get("FROSTPICK_SPOOL"):
        return usual
    places: list[Path] = []
    if job:
        places = list(_others(elsewhere))
        for one in (usual, *places):
            if claimed_by(spool_folder(url, project, job, one)) is not None:
                _warn_of_full(one)
                return one
    why = why_no_room(usual)
    if not why:
        return usual
    places = places or list(_others(elsewhere))
    found = next((one for one in places if not why_no_room(one)), None)
    if found is None:
        log.warning("%s: %s, and there is no other place with room", usual, why)
        return usual
    temporary = ", which a restart of this machine may empty" if _is_temporary(found) else ""
    log.warning(
        Wording(
            "%s: %s; results on the way are kept in %s%s. Another place can be given with "
            f"{option('spool')} or FROSTPICK_SPOOL"
        ),
        *(usual, why, found, temporary),
    )
    return found


def _warn_of_full(place: Path) -> None:
    why = why_no_room(place)
    if why:
        log.warning("%s: %s; the results of this job are there: free some space", place, why)


def why_no_room(folder: Path) -> str:
    """Say why results cannot be kept in a folder, which is made; empty where they can."""
    try:
        private = _is_temporary(folder)  # in a folder where everybody may write
        folder.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o777)
        free = os.statvfs(folder)
        size = free.f_bavail * free.f_frsize
        if size < LEAST_BYTES:
            return f"only {size / 1e6:,.0f} MB are free on its disk"
        if free.f_files and free.f_favail < LEAST_FILES:
            return f"only {free.f_favail:,} more files fit on its disk"
        with tempfile.TemporaryFile(dir=folder) as handle:
            os.posix_fallocate(handle.fileno(), 0, ASKED)
    except OSError as error:
        if error.errno in _NO_ANSWER:
            return ""
        return "no space left" if error.errno in _FULL else f"{error.strerror or error}"
    return ""


def _others(elsewhere: Callable[[], Iterable[Path]]) -> Iterator[Path]:
    """Yield other places, the temporary folder last; one of another user is none."""
    yield from elsewhere()
    own = _temporary()
    if not own.exists() or (not own.is_symlink() and own.stat().st_uid == os.getuid()):
        yield own


def _temporary() -> Path:
    return Path(tempfile.gettempdir()) / f"frostpick-{os.getuid()}"


def _is_temporary(place: Path) -> bool:
    return place == _temporary()
