"""Folders of the server that are elsewhere on this machine, and links into them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from frostpick_jobs.hosts.cryosparc.read.mounts import AS_TOLD, Mounts
from frostpick_jobs.hosts.cryosparc.read.sources import ProjectFile


def test_the_longest_folder_that_fits_decides() -> None:
    mounts = Mounts.parse(["/bulk=/mnt/bulk", "/bulk/fast = /nvme", "/=/server"])
    assert mounts.local("/bulk/P1/J2") == Path("/mnt/bulk/P1/J2")
    assert mounts.local("/bulk/fast/P1") == Path("/nvme/P1")
    assert mounts.local("/bulky/P1") == Path("/server/bulky/P1")
    assert mounts.local("/bulk") == Path("/mnt/bulk")
    assert Mounts.parse(mounts.texts()) == mounts
    assert AS_TOLD.local("/bulk/P1") == Path("/bulk/P1")


@pytest.fixture
def disks(tmp_path: Path) -> tuple[Path, Mounts]:
    """Return a project here, and where the disks of the server are here.

    On the server the project is /srv/P1; its job J1 has moved to /bulk, where an imported
    micrograph is a link to /raw.
    """
    project, bulk, raw = (tmp_path / name for name in ("project", "bulk", "raw"))
    for folder in (project, bulk / "J1", raw):
        folder.mkdir(parents=True)
    (project / "J1").symlink_to("/srv-of-nobody/bulk/J1")
    (bulk / "J1" / "a.mrc").symlink_to("b.mrc")
    (bulk / "J1" / "b.mrc").symlink_to("/srv-of-nobody/raw/a.mrc")
    (raw / "a.mrc").write_text("pixels")
    return project, Mounts.parse([f"/srv-of-nobody/bulk={bulk}", f"/srv-of-nobody/raw={raw}"])


def test_links_are_followed_into_mapped_folders(disks: tuple[Path, Mounts]) -> None:
    project, mounts = disks
    source = ProjectFile(project, "J1/a.mrc", mounts)
    with source.fetch() as path:
        assert path.read_text() == "pixels"
    assert source.fingerprint().startswith("6:")


def test_a_link_that_no_folder_is_mapped_for_is_named(disks: tuple[Path, Mounts]) -> None:
    project, mounts = disks
    only_bulk = Mounts(mounts.pairs[:1])
    with pytest.raises(FileNotFoundError, match=r"link to /srv-of-nobody/raw/a\.mrc"):
        ProjectFile(project, "J1/a.mrc", only_bulk).fetch()


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    mounts = Mounts.parse([f"/elsewhere={tmp_path}"])
    with pytest.raises(OSError):
        ProjectFile(tmp_path, "a", mounts).fetch()
    assert os.path.islink(mounts.follow(tmp_path / "a"))
