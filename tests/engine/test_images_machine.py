"""Input and output errors: of a disk of the network they are the machine's, else one file's."""

import ctypes
import errno
import mmap
import os
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from made_images import write_mrc

from frostpick.errors import MicrographError
from frostpick.images import PixelSizes, is_machine_error, machine, read_header, read_image
from frostpick.images.content import ImageFileError
from frostpick.images.stack import Stack
from frostpick.picking.read import fetch_and_decode
from frostpick.pruning.prune import map_sections
from frostpick.training.digests import fingerprint
from frostpick.types import Micrograph, ParticleStack
from frostpick_jobs.inputs.headers import with_header

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="files of /proc")

#: A file that can be opened, and that the system refuses to read at its beginning, with EIO.
FAILING = Path("/proc/self/mem")


@dataclass(frozen=True)
class At:
    """A source that is a file."""

    path: Path
    name = "a.mrc"

    def fetch(self):
        return nullcontext(self.path)

    def fingerprint(self):
        raise OSError(errno.ESTALE, "Stale file handle", str(self.path))


def mounted(monkeypatch, tmp_path, *lines):
    table = tmp_path / "mounts"
    table.write_text("".join(f"{line} rw,relatime 0 0\n" for line in lines))
    monkeypatch.setattr(machine, "MOUNTED", table)


def readers(path):
    """What reads an image file for a job, by name."""
    micrograph = Micrograph("m", At(path), 2.0)
    one = np.zeros(1, np.int64)
    stack = ParticleStack(At(path), one, one, 2.0)
    return {
        "image": lambda: read_image(path, "m"),
        "header": lambda: read_header(path, "m"),
        "pick": lambda: fetch_and_decode(micrograph),
        "prune": lambda: list(map_sections(stack, lambda images: images)),
        "list": lambda: with_header(micrograph, PixelSizes()),
    }


@pytest.mark.parametrize("reader", ["image", "header", "pick", "prune", "list"])
def test_an_input_error_ends_the_job_where_the_disk_is_of_the_network(
    tmp_path, monkeypatch, caplog, reader
):
    link = tmp_path / "a.mrc"
    link.symlink_to(FAILING)
    read = readers(link)[reader]
    mounted(monkeypatch, tmp_path, "/dev/sda1 / ext4", "server:/x /proc nfs4")
    with pytest.raises(OSError) as told:
        read()
    assert told.value.errno == errno.EIO and told.value.filename == str(link)
    mounted(monkeypatch, tmp_path, "server:/x / nfs4", "proc /proc proc")
    if reader == "list":
        assert read().shape is None and "the header cannot be read" in caplog.text
    else:
        with pytest.raises(MicrographError, match="Input/output error"):
            read()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/bulk/a.mrc", True),
        ("/bulk/scratch/a.mrc", False),
        ("/bulk two/a.mrc", True),
        ("/bulky/a.mrc", False),
        ("/home/me/a.mrc", True),
        ("/over/a.mrc", False),
    ],
)
def test_the_longest_and_last_mount_decides(tmp_path, monkeypatch, path, expected):
    mounted(
        monkeypatch,
        tmp_path,
        "rootfs / ext4",
        "server:/b /bulk nfs",
        "/dev/nvme0 /bulk/scratch xfs",
        "//server/c /bulk\\040two cifs",
        "me@server: /home fuse.sshfs",
        "server:/o /over nfs",
        "/dev/sdb /over xfs",
    )
    assert machine.is_on_network(Path(path)) is expected
    assert is_machine_error(OSError(errno.EIO, "Input/output error", path)) is expected
    assert is_machine_error(OSError(errno.ESTALE, "Stale file handle", path))
    assert not is_machine_error(OSError(errno.EACCES, "Permission denied", path))


def test_an_error_without_a_file_is_not_of_the_machine(tmp_path, monkeypatch):
    """As a server's answer on a file is told."""
    mounted(monkeypatch, tmp_path, "server:/b / nfs")
    assert not is_machine_error(OSError(errno.EIO, "the server sent an empty file"))
    assert not is_machine_error(ValueError("no system"))
    monkeypatch.setattr(machine, "MOUNTED", tmp_path / "nothing")
    assert not machine.is_on_network(tmp_path)


def test_a_failing_disk_is_not_the_end_of_a_file(tmp_path):
    """A page of this process' memory, read as a file, and one behind it that is not there."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    page = mmap.PAGESIZE
    at = libc.mmap(None, 2 * page, 3, 0x22, -1, 0)
    assert libc.munmap(ctypes.c_void_p(at + page), page) == 0
    ctypes.memset(at, 7, page)
    with open(FAILING, "rb") as handle:
        handle.seek(at)
        assert (machine.read_values(handle, "<i2", page // 2) == 0x0707).all()
        handle.seek(at + page - 100)
        with pytest.raises(OSError) as told:
            machine.read_values(handle, "<i2", 200)
        assert told.value.errno == errno.EIO
    libc.munmap(ctypes.c_void_p(at), page)
    (tmp_path / "short").write_bytes(bytes(7))
    with open(tmp_path / "short", "rb") as handle:
        assert machine.read_values(handle, "<i2", 200).size == 3


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.int8])
def test_sections_are_those_of_the_file_and_one_that_is_cut_off_meanwhile_is_told(tmp_path, dtype):
    values = np.random.default_rng(3).integers(-90, 90, (5, 6, 4)).astype(dtype)
    path = write_mrc(tmp_path / "s.mrcs", values)
    stack = Stack.open(path)
    np.testing.assert_array_equal(stack.read(np.array([4, 0, 4])), values[[4, 0, 4]])
    assert stack.read(np.zeros(0, np.int64)).shape == (0, 6, 4)
    os.truncate(path, path.stat().st_size - 1)
    np.testing.assert_array_equal(stack.read(np.array([3])), values[[3]])
    with pytest.raises(ImageFileError, match=r"for 5 images of 4 x 6 pixels: .* become shorter"):
        stack.read(np.array([0, 4]))


def test_a_disk_that_is_away_changes_no_basis_of_a_training(tmp_path):
    """Its micrographs are not gone: a training would begin anew."""
    with pytest.raises(OSError, match="Stale file handle"):
        fingerprint(Micrograph("m", At(tmp_path / "a.mrc"), 2.0))
