"""Several devices where micrographs are downloaded: each process connects for itself."""

import numpy as np
import pytest
import torch

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc.dataset import Dataset
from cryosparc_project import DIAMETER_A, LOGIN, project, requested
from csemu.store import Options

from frostpick.settings import PickSettings
from frostpick_jobs.hosts.cryosparc import run
from frostpick_jobs.hosts.cryosparc.run import Tempo
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks.pick import finish

pytestmark = pytest.mark.cryosparc


def pick(p, spool):
    request = requested("pick", p.uid, workspace="W1", micrographs=(OutputRef("J2", "exposures"),))
    settings = PickSettings(model="blob", diameter=DIAMETER_A, threads=1, device="cpu")
    tempo = Tempo(poll=0.1, events=0.02)
    assert (
        run.run_task_for_exit_code(
            p.connect(), request, settings, spool=p.root / spool, tempo=tempo
        )
        == 0
    )
    job = p.latest()
    rows = p.store.load_output(p.uid, job, "particles_all", "all")
    return job, rows


def test_each_process_downloads_with_the_login_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])
    with project(tmp_path, Options(remote_paths=True), shapes=((200, 320),) * 4) as p:
        _, expected = pick(p, "one")
        for name, value in LOGIN.items():
            monkeypatch.setenv(name, value)
        cpus = (torch.device("cpu"), torch.device("cpu"))
        monkeypatch.setattr("frostpick.runtime.executors.local.resolve_devices", lambda text: cpus)
        job, found = pick(p, "two")
        text = "\n".join(p.texts(job))
        assert "is not mounted here: micrographs are downloaded" in text
        assert "cpu, cpu, one process each" in text
        assert isinstance(found, Dataset) and len(found) == len(expected) > 0
        for name in ("location/micrograph_uid", "location/center_x_frac", "pick_stats/power"):
            np.testing.assert_array_equal(found[name], expected[name])
        assert not list(tmp_path.rglob("get-*"))
