"""Where a micrograph of a project comes from: the mounted project, or a download."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from frostpick.errors import FrostpickError, InputError, option
from frostpick.images import is_machine_error
from frostpick_jobs.formats.walk import in_project
from frostpick_jobs.hosts.cryosparc.read.mounts import AS_TOLD, Mounts
from frostpick_jobs.hosts.cryosparc.server import client_versions
from frostpick_jobs.hosts.cryosparc.server.connect import RetryPolicy, Server, connect
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError

log = logging.getLogger(__name__)

#: Micrographs on the local disk at one time.
MOST_AT_ONCE = 4
#: How long a download is repeated before the server is asked whether it is this file alone.
DOWNLOAD_PATIENCE = 120.0
#: Answers that stand for the server, a proxy or the login, whatever file is asked for.
_NOT_OF_A_FILE = (401, 407, 408, 413, 425, 429, 502, 503, 504)


@dataclass(frozen=True)
class ProjectFile:
    """A file of a project whose folder this machine mounts; read in place.

    Parameters
    ----------
    folder
        The project's folder.
    path
        Path relative to it, as the exposure names it.
    mounts
        Where links that lead out of the project go.
    """

    folder: Path
    path: str
    mounts: Mounts = AS_TOLD
    #: See `frostpick.types.at_hand`.
    in_place: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """File name with extension."""
        return PurePosixPath(self.path).name

    def fetch(self) -> AbstractContextManager[Path]:
        """Give the path; `OSError` that names the target of a dangling link.

        `InputError` where the project is not mounted any more: that is no fault of the file.
        """
        path, _ = self._stat()
        return nullcontext(path)

    def fingerprint(self) -> str:
        """Return size and modification time of what the path leads to."""
        _, stat = self._stat()
        return f"{stat.st_size}:{stat.st_mtime_ns}{_order(self.path)}"

    def _stat(self) -> tuple[Path, os.stat_result]:
        path = self.mounts.follow(self.folder / self.path)
        try:
            return path, path.stat()
        except FileNotFoundError:
            if path.is_symlink():
                raise FileNotFoundError(
                    errno.ENOENT,
                    f"{self.path} is a link to {os.readlink(path)}, which is not on this "
                    "machine; mount that disk here",
                ) from None
            if not self.folder.is_dir():
                raise InputError(
                    f"{self.folder}: the project's folder is not there any more; "
                    "mount it again and resume the job"
                ) from None
            raise FileNotFoundError(errno.ENOENT, f"{path} does not exist") from None


class Downloader:
    """Gets files of one project through the client, a bounded number at a time.

    Picklable: another process connects again, with the same credentials.

    Parameters
    ----------
    server
        A connection.
    project
        ``P3``.
    folder
        Local folder for files in use.
    """

    def __init__(self, server: Server, project: str, folder: Path) -> None:
        self._url, self._project, self._folder = server.url, project, folder
        self._ignore_version = server.ignore_version
        self._server: Server | None = server
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)

    def __getstate__(self) -> dict[str, Any]:
        kept = ("_url", "_project", "_folder", "_ignore_version")
        return {name: self.__dict__[name] for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._server = None
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)

    @contextmanager
    def get(self, path: str) -> Iterator[Path]:
        """Download a file for the length of a ``with`` block.

        Raises
        ------
        OSError
            The server answers, and does not serve this file; or this machine fails.
        FrostpickError
            The server does not answer, or nothing can be written here: no file can be had.
        """
        with self._room:
            with self._local():
                self._folder.mkdir(parents=True, exist_ok=True)
                folder = tempfile.TemporaryDirectory(
                    prefix="get-", dir=self._folder, ignore_cleanup_errors=True
                )
            with folder as temporary:
                target = Path(temporary) / PurePosixPath(path).name
                self.download(path, target)
                yield target

    @contextmanager
    def _local(self) -> Iterator[None]:
        """Tell what is wrong with this machine's folder from what is wrong with a file."""
        try:
            yield
        except OSError as error:
            if is_machine_error(error):
                raise
            raise FrostpickError(
                f"{error.filename or self._folder}: {error.strerror or error}; "
                "expected a folder to download micrographs to: choose another with "
                + option("spool")
            ) from error

    def download(self, path: str, target: Path) -> None:
        """Download one file of the project, in two tries: short, and what patience is left."""
        if self._server is None:
            self._server = connect(self._url, ignore_version=self._ignore_version)
        server, client = self._server, self._server.client
        first = min(DOWNLOAD_PATIENCE, server.patience.seconds)
        for seconds in (first, server.patience.seconds - first):
            try:
                server.call(
                    f"download {path}",
                    lambda: client.download_file(self._project, path, str(target)),
                    patience=RetryPolicy(seconds, server.patience.first),
                )
                break
            except ServerError as error:
                if self._is_of_the_file(server, path, error):
                    raise OSError(errno.EIO, f"{error}{_hint(error)}") from None
                refused = error
        else:
            raise refused
        if target.stat().st_size == 0:
            raise OSError(errno.EIO, f"{path}: the server sent an empty file")

    def _is_of_the_file(self, server: Server, path: str, error: ServerError) -> bool:
        """Tell whether the server would serve another file: then this one's micrograph is bad."""
        code, client = error.code, server.client
        if _hint(error):
            return True
        if code is None or code in _NOT_OF_A_FILE:
            return False
        try:
            if code == 403 or code >= 500:
                folder = PurePosixPath(path).parent
                server.once(f"list {folder}", lambda: client.list_files(self._project, folder))
            else:
                # A proxy whose server is gone has answers of its own.
                server.once("version", lambda: client_versions.server_version(client))
        except ServerError:
            return False
        return True


@dataclass(frozen=True)
class RemoteFile:
    """A file of a project that this machine does not mount.

    Parameters
    ----------
    downloader
        Gets it.
    path
        Path relative to the project's folder.
    signature
        CryoSPARC's own signature of the file, 0 where it keeps none.
    """

    downloader: Downloader
    path: str
    signature: int

    @property
    def name(self) -> str:
        """File name with extension."""
        return PurePosixPath(self.path).name

    def fetch(self) -> AbstractContextManager[Path]:
        """Download, and delete at the end of the block."""
        return self.downloader.get(self.path)

    def fingerprint(self) -> str:
        """Return path and signature: the server tells no time of change."""
        return f"{self.path}:{self.signature}{_order(self.path)}"


@dataclass(frozen=True)
class ProjectFiles:
    """Makes the sources of a project's files.

    Parameters
    ----------
    folder
        The project's folder where this machine mounts it, else None.
    downloader
        Used where it does not.
    mounts
        Of the folder's links.
    """

    folder: Path | None
    downloader: Downloader
    mounts: Mounts = AS_TOLD

    def source(self, path: str, signature: int = 0) -> ProjectFile | RemoteFile:
        """Return the source of a path relative to the project, which exports mark by a ``>``."""
        path = in_project(path)
        if self.folder is not None:
            return ProjectFile(self.folder, path, self.mounts)
        return RemoteFile(self.downloader, path, signature)


def find_project_files(
    server: Server,
    project: str,
    spool: Path,
    jobs: Sequence[str] = (),
    *,
    mounts: Mounts = AS_TOLD,
    download: bool = False,
) -> ProjectFiles:
    """Find out whether the project's folder is mounted here, and can be read.

    Parameters
    ----------
    jobs
        Jobs of the project whose files are read; a folder without theirs is another one.
    mounts
        Where folders of the server are here.
    download
        Read nothing in place, whatever is mounted.
    """
    told = server.call(
        f"find project {project}",
        lambda: client_versions.directory(server.client.find_project(project)),
    )
    folder = mounts.local(told)
    against = "is not looked for here" if download else _why_not_read(folder, jobs)
    if against is None:
        log.info("project %s is mounted at %s: micrographs are read in place", project, folder)
    else:
        where = f"{told}" if folder == Path(told) else f"{told}, here {folder}"
        log.info(
            "project %s (%s) %s: micrographs are downloaded, %d at a time",
            project,
            where,
            against,
            MOST_AT_ONCE,
        )
    downloader = Downloader(server, project, spool / "downloads")
    return ProjectFiles(folder if against is None else None, downloader, mounts)


def _why_not_read(folder: Path, jobs: Sequence[str]) -> str | None:
    """Return why a project's folder is not read here, None where it can be."""
    try:
        os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return "is not mounted here"
    except OSError as error:
        return f"cannot be read here ({error.strerror or error})"
    for job in jobs:
        try:
            os.listdir(folder / job)
        except (FileNotFoundError, NotADirectoryError):
            return f"is another folder here, without {job}"
        except OSError as error:
            return f"cannot be read here ({job}: {error.strerror or error})"
    return None


def _order(path: str) -> str:
    """Tell results of TIFF files apart from those of a time when their rows were reversed."""
    return ":rows as stored" if path.lower().endswith((".tif", ".tiff")) else ""


def _hint(error: ServerError) -> str:
    if "project directory" in str(error):
        return "; the file is a link out of the project: run where the project is mounted"
    return ""
