"""A folder that a group shares: what a job writes there has the group's rights."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made_images import places_apart, spots_on_noise, write_mrc

import frostpick
import frostpick_jobs
from frostpick.models.shipped import load_model
from frostpick_jobs import api

SHAPE = (320, 360)
#: Makes a file or a folder for its user alone, or takes the group's bit from a folder.
PRIVATE = re.compile(r"mkdtemp|mkstemp|NamedTemporaryFile|\bumask\(|\bchmod\(")


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """Return a folder of a group, whose members write with umask 002."""
    folder = tmp_path / "shared"
    folder.mkdir()
    os.chown(folder, -1, (os.getgroups() or [os.getgid()])[-1])
    folder.chmod(0o2775)
    before = os.umask(0o002)
    try:
        yield folder
    finally:
        os.umask(before)


def test_everything_that_a_job_writes_is_the_groups(shared: Path, tmp_path: Path) -> None:
    for number in range(2):
        xy = places_apart(np.random.default_rng(number), SHAPE, 18, 24, 44)
        write_mrc(tmp_path / "mics" / f"m{number}.mrc", spots_on_noise(SHAPE, xy, number))
    settings = {"diameter": 64, "pixel_size": 2.0, "device": "cpu", "threads": 1}
    out = shared / "new" / "pick"
    for threshold in ("p=0.05", "p=0.1"):  # the second time over what is there
        micrographs = tmp_path / "mics"
        api.pick(out, micrographs=micrographs, model="blob", threshold=threshold, **settings)
    (audit,) = api.audit(out, picks=10).folders
    load_model("blob").save(shared / "model")
    assert audit.parent == out and (out / "run.json").exists() and (out / "report.html").exists()
    group, found = shared.stat().st_gid, list(shared.rglob("*"))
    assert len(found) > 30
    for path in found:
        told = path.lstat()
        wanted = 0o2775 if stat.S_ISDIR(told.st_mode) else 0o664
        assert (oct(stat.S_IMODE(told.st_mode)), told.st_gid) == (oct(wanted), group), path


def test_no_source_makes_private_files() -> None:
    """A `tempfile.TemporaryDirectory`, which the process itself removes, may be private."""
    for package in (frostpick, frostpick_jobs):
        for path in Path(str(package.__file__)).parent.rglob("*.py"):
            found = PRIVATE.search(path.read_text(encoding="utf-8"))
            assert found is None, f"{path}: {found}"
