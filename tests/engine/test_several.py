"""Several processes, driven here with two CPUs in place of two GPUs."""

import errno
import os
import signal
import subprocess
import sys
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from made_images import draw_discs, write_mrc
from odd_sources import OddSource
from waits import wait_until

from frostpick.errors import DeviceError, FrostpickError, JobStopped, MicrographError, ModelError
from frostpick.models.shipped import shipped
from frostpick.picking.pick import MicrographFailure
from frostpick.picking.plan import plan_picking
from frostpick.picking.work import PickWork, pick_micrographs
from frostpick.runtime.executors import local, processes
from frostpick.runtime.executors.local import LocalExecutor
from frostpick.runtime.executors.transport import Ending
from frostpick.runtime.reporter import SilentReporter
from frostpick.settings import PickSettings
from frostpick.types import Micrograph

CPU = torch.device("cpu")
MODEL = shipped("blob")
PLAN = plan_picking(MODEL, PickSettings(diameter=80.0, device="cpu", threads=1))


def pick_on_devices(micrographs, reporter, devices=2):
    """Pick as a job does whose --device names so many GPUs; results as they are finished."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "resolve_devices", lambda text: (CPU,) * devices)
        executor = LocalExecutor("0,1", 1)
        assert len(executor.devices) == devices
    return pick_micrographs(MODEL, micrographs, PLAN, reporter, executor, ordered=False)


@pytest.fixture(scope="module")
def pixels():
    rng = np.random.default_rng(0)
    images = rng.normal(20.0, 2.0, (6, 200, 230)).astype(np.float32)
    for image, centre in zip(images, rng.uniform(60, 140, (6, 2)), strict=True):
        draw_discs(image, centre[::-1], 3.0, 20)
    return images


@pytest.fixture
def folder(tmp_path, pixels):
    for number, image in enumerate(pixels):
        write_mrc(tmp_path / f"m{number}.mrc", image, 2.2)
    return tmp_path


def micrographs(folder, **odd):
    """Micrographs of 2 A a pixel, whatever their headers say; some of them odd."""
    return [
        Micrograph(p.name, OddSource(p, odd.get(p.stem, "")), 2.0)
        for p in sorted(folder.glob("*.mrc"))
    ]


def content(found):
    if isinstance(found, MicrographFailure):
        return found.micrograph_id, found.reason
    picks = found.picks
    return (
        found.micrograph_id,
        found.shape,
        found.pixel_size_A,
        *(getattr(picks, name).tolist() for name in picks.columns()),
    )


def seen(folder, pattern="*.seen"):
    return {int(path.name.split(".")[-2]) for path in folder.glob(pattern)}


def alive(pids):
    return [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


def ignores(pid, number):
    """Tell whether a process ignores a signal."""
    with open(f"/proc/{pid}/status") as status:
        (mask,) = (line.split()[1] for line in status if line.startswith("SigIgn:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_picks_do_not_depend_on_the_number_of_processes(folder, caplog):
    (folder / "m2.mrc").write_bytes(b"broken")
    alone = pick_micrographs(MODEL, micrographs(folder), PLAN, SilentReporter())
    expected = sorted(content(found) for found in alone)
    assert seen(folder) == {os.getpid()}
    caplog.clear()
    with caplog.at_level("INFO"):
        found = list(pick_on_devices(micrographs(folder), SilentReporter()))
    assert sorted(content(each) for each in found) == expected
    assert len(expected) == 6 and sum(isinstance(f, MicrographFailure) for f in found) == 1
    others = seen(folder) - {os.getpid()}
    assert len(others) == 2 and not alive(others)
    assert "cpu, cpu, one process each" in caplog.text
    # what a process logs comes out here: once from each, as each saw such a file first
    assert 1 <= sum("the header says" in record.message for record in caplog.records) <= 2


def test_one_micrograph_or_one_device_needs_no_process(folder):
    few = pick_on_devices(micrographs(folder)[:1], SilentReporter())
    assert [found.micrograph_id for found in few] == ["m0.mrc"]
    one = pick_on_devices(iter(micrographs(folder)), SilentReporter(), devices=1)
    assert [found.micrograph_id for found in one] == [f"m{n}.mrc" for n in range(6)]
    assert seen(folder) == {os.getpid()}


def test_a_process_that_dies_ends_the_job_in_a_sentence(folder):
    with pytest.raises(DeviceError, match=r"on cpu died \(SIGKILL.*kept: continue the job"):
        list(pick_on_devices(micrographs(folder, m1="kill"), SilentReporter()))
    assert not alive(seen(folder))


def test_a_full_disk_there_is_a_full_disk_here(folder):
    odd = micrographs(folder, m1="full disk")
    with pytest.raises(OSError, match="No space left") as caught:
        list(pick_on_devices(odd, SilentReporter()))
    assert caught.value.errno == errno.ENOSPC and caught.value.filename.endswith("m1.mrc")
    assert not alive(seen(folder))


def test_a_stop_ends_them_all_even_one_that_hangs(folder, monkeypatch):
    monkeypatch.setattr(processes, "GRACE", 0.3)
    reporter = SilentReporter()
    found = pick_on_devices(micrographs(folder, m1="hang"), reporter)
    next(found)
    wait_until(lambda: len(seen(folder)) == 2 and seen(folder, "hanging.*"))
    assert len(alive(pids := seen(folder))) == 2
    reporter.stop_requested = True
    with pytest.raises(JobStopped):
        next(found)
    assert not alive(pids)


SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from test_several import micrographs, pick_on_devices, SilentReporter
if __name__ == "__main__":
    list(pick_on_devices(micrographs(Path({folder!r}), m1="hang"), SilentReporter()))
"""


def test_no_process_outlives_a_killed_parent(folder, tmp_path):
    script = tmp_path / "parent.py"
    here = os.path.dirname(__file__)
    path = [here, *(os.path.join(os.path.dirname(here), one) for one in ("peers", "support"))]
    script.write_text(SCRIPT.format(path=path, folder=str(folder)))
    parent = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    wait_until(lambda: len(seen(folder)) == 2 and seen(folder, "hanging.*"))
    pids = seen(folder)
    for pid in pids:
        # a Ctrl-C reaches them all, and is the parent's to answer
        assert ignores(pid, signal.SIGINT)
        os.kill(pid, signal.SIGINT)
    assert len(alive(pids)) == 2
    parent.kill()
    parent.wait()
    wait_until(lambda: not alive(pids))


@pytest.mark.parametrize(
    "error,kind,text",
    [
        (ModelError("no such model"), ModelError, "no such model"),
        (MicrographError("m1", "bad"), FrostpickError, "m1: bad"),
        (OSError(errno.ENOSPC, "full", "/spool"), OSError, "full"),
        (MemoryError("much"), MemoryError, "much"),
        (RuntimeError("can't allocate memory: 8 bytes"), MemoryError, "allocate"),
        (torch.cuda.OutOfMemoryError("CUDA out of memory.\nmore"), DeviceError, "cpu ran out"),
        (KeyError("x"), RuntimeError, "KeyError: 'x'"),
    ],
)
def test_errors_arrive_as_what_they_were(error, kind, text):
    try:
        raise error
    except BaseException as raised:
        ending = Ending.by(raised)
    again = ending.error(CPU)
    assert type(again) is kind and text in str(again)
    assert "test_several.py" in ending.trace


def test_a_model_survives_being_taken_apart():
    again = ForkingPickler.loads(ForkingPickler.dumps(PickWork(MODEL, PLAN)))
    assert again.model.digest == MODEL.digest and again.plan == PLAN
