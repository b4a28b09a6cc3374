"""Where a micrograph of a project comes from: the mounted project, or a download."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from frostpick_jobs.hosts.cryosparc.server import shim
from frostpick_jobs.hosts.cryosparc.server.connect import Patience, Server, connect
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError

log = logging.getLogger(__name__)

#: Micrographs on the local disk at one time.
MOST_AT_ONCE = 4
#: How long a download is repeated while the server does not answer.
DOWNLOAD_PATIENCE = 120.0


@dataclass(frozen=True)
class ProjectFile:
    """A file of a project whose folder this machine mounts; read in place.

    Parameters
    ----------
    folder
        The project's folder.
    path
        Path relative to it, as the exposure names it.
    """

    folder: Path
    path: str

    @property
    def name(self) -> str:
        """File name with extension."""
        return PurePosixPath(self.path).name

    def fetch(self) -> AbstractContextManager[Path]:
        """Give the path; `OSError` that names the target of a dangling link."""
        self._stat()
        return nullcontext(self.folder / self.path)

    def fingerprint(self) -> str:
        """Return size and modification time of what the path leads to."""
        stat = self._stat()
        return f"{stat.st_size}:{stat.st_mtime_ns}"

    def _stat(self) -> os.stat_result:
        path = self.folder / self.path
        try:
            return path.stat()
        except FileNotFoundError:
            if path.is_symlink():
                raise FileNotFoundError(
                    errno.ENOENT,
                    f"{self.path} is a link to {os.readlink(path)}, which is not on this "
                    "machine; mount that disk here",
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
        self._server: Server | None = server
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)

    def __getstate__(self) -> dict[str, Any]:
        return {"_url": self._url, "_project": self._project, "_folder": self._folder}

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
            The server does not serve it.
        """
        with self._room:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="get-", dir=self._folder) as temporary:
                target = Path(temporary) / PurePosixPath(path).name
                self._download(path, target)
                yield target

    def _download(self, path: str, target: Path) -> None:
        if self._server is None:
            self._server = connect(self._url)
        client = self._server.client
        try:
            self._server.call(
                f"download {path}",
                lambda: client.download_file(self._project, path, str(target)),
                patience=Patience(min(DOWNLOAD_PATIENCE, self._server.patience.seconds)),
            )
        except ServerError as error:
            raise OSError(errno.EIO, f"{error}{_hint(error)}") from None
        if target.stat().st_size == 0:
            raise OSError(errno.EIO, f"{path}: the server sent an empty file")


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
        return f"{self.path}:{self.signature}"


@dataclass(frozen=True)
class ProjectFiles:
    """Makes the sources of a project's files.

    Parameters
    ----------
    folder
        The project's folder where this machine mounts it, else None.
    downloader
        Used where it does not.
    """

    folder: Path | None
    downloader: Downloader

    def source(self, path: str, signature: int = 0) -> ProjectFile | RemoteFile:
        """Return the source of a path relative to the project."""
        if self.folder is not None:
            return ProjectFile(self.folder, path)
        return RemoteFile(self.downloader, path, signature)


def find_project_files(server: Server, project: str, spool: Path) -> ProjectFiles:
    """Find out whether the project's folder is mounted here."""
    told = server.call(
        f"find project {project}",
        lambda: shim.directory(server.client.find_project(project)),
    )
    folder = Path(told)
    mounted = folder.is_dir()
    if mounted:
        log.info("project %s is mounted at %s: micrographs are read in place", project, folder)
    else:
        log.info(
            "project %s (%s) is not mounted here: micrographs are downloaded, %d at a time",
            project,
            folder,
            MOST_AT_ONCE,
        )
    return ProjectFiles(
        folder if mounted else None, Downloader(server, project, spool / "downloads")
    )


def _hint(error: ServerError) -> str:
    if "project directory" in str(error):
        return "; the file is a link out of the project: run where the project is mounted"
    return ""
