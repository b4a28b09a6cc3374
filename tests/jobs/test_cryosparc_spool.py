"""Where the results of a CryoSPARC job lie: where they were, where there is room, or told."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from frostpick_jobs.hosts.cryosparc import spool
from frostpick_jobs.hosts.cryosparc.spool import choose_base, spool_folder, why_no_room
from frostpick_jobs.job.output_folder import claim_output_folder

URL = "http://a:39000"


class Disks:
    """Free bytes and files of some folders; a quota of some."""

    def __init__(self) -> None:
        self.free: dict[Path, tuple[int, int]] = {}
        self.over_quota: set[Path] = set()

    def statvfs(self, folder: Path) -> SimpleNamespace:
        size, files = self.free.get(Path(folder), (10**12, 10**6))
        return SimpleNamespace(f_bavail=size // 4096, f_frsize=4096, f_files=10**7, f_favail=files)


@pytest.fixture
def disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disks:
    found = Disks()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(spool.os, "statvfs", found.statvfs)

    def allocate(handle: int, start: int, size: int) -> None:
        if Path(os.readlink(f"/proc/self/fd/{handle}")).parent in found.over_quota:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(spool.os, "posix_fallocate", allocate)
    return found


@pytest.fixture
def base(tmp_path: Path, disks: Disks) -> Callable[..., Path]:
    """Return `choose_base` of a user whose state folder and project are below ``tmp_path``."""

    def choose(job: str | None = None, **environ: str) -> Path:
        told = {"XDG_STATE_HOME": str(tmp_path / "state"), **environ}
        return choose_base(URL, "P1", job, lambda: [tmp_path / "project"], told)

    return choose


def test_the_usual_place_and_a_given_one(tmp_path: Path, base, disks: Disks) -> None:
    assert base() == base("J2") == tmp_path / "state" / "frostpick"
    disks.free[tmp_path / "given"] = (0, 0)
    assert base(FROSTPICK_SPOOL=str(tmp_path / "given")) == tmp_path / "given"
    assert list((tmp_path / "state" / "frostpick").iterdir()) == []  # nothing of the probe is left


def fill(disks: Disks, folder: Path, how: str) -> None:
    if how == "disk":
        disks.free[folder] = (900 * 10**6, 10**6)
    elif how == "files":
        disks.free[folder] = (10**12, 1999)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        disks.over_quota.add(folder)


@pytest.mark.parametrize(
    ("how", "word"),
    [
        ("disk", "only 900 MB are free on its disk"),
        ("files", "only 1,999 more files fit on its disk"),
        ("quota", "no space left"),
    ],
)
def test_from_a_full_home_to_the_project_and_to_the_temporary_folder(
    tmp_path: Path, base, disks: Disks, how: str, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "state" / "frostpick"
    fill(disks, home, how)
    assert base() == tmp_path / "project"
    assert f"{home}: {word}; results on the way are kept in {tmp_path / 'project'}." in caplog.text
    assert "restart" not in caplog.text
    fill(disks, tmp_path / "project", how)
    own = tmp_path / "tmp" / f"frostpick-{os.getuid()}"
    assert base("J2") == own and f"{own}, which a restart of this machine may empty" in caplog.text
    assert own.stat().st_mode & 0o077 == 0
    fill(disks, own, how)
    assert base() == home and "there is no other place with room" in caplog.text


def test_a_job_goes_on_where_its_results_are(
    tmp_path: Path, base, disks: Disks, caplog: pytest.LogCaptureFixture
) -> None:
    home, project = tmp_path / "state" / "frostpick", tmp_path / "project"
    claim_output_folder(spool_folder(URL, "P1", "J2", project), "pick")
    assert base("J2") == project and base("J3") == home  # there is room at home by now
    claim_output_folder(spool_folder(URL, "P1", "J3", home), "pick")
    fill(disks, home, "disk")
    assert base("J3") == home
    assert "the results of this job are there: free some space" in caplog.text


def test_a_home_that_cannot_be_written_and_a_folder_of_another(
    tmp_path: Path, base, disks: Disks, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").write_text("a file in the way")
    assert base() == tmp_path / "project"
    fill(disks, tmp_path / "project", "disk")
    (tmp_path / "else").mkdir()
    (tmp_path / "tmp" / f"frostpick-{os.getuid()}").symlink_to(tmp_path / "else")
    assert base() == tmp_path / "state" / "frostpick"


def test_a_disk_that_cannot_tell_counts_as_one_with_room(
    tmp_path: Path, disks: Disks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> Iterator[None]:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(spool.os, "posix_fallocate", cannot)
    assert why_no_room(tmp_path / "new") == ""
