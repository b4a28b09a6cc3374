"""Files of a project that is mounted here, elsewhere than on the server, or not to be read."""

import errno
from pathlib import Path

import pytest

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc_project import DIAMETER_A, project, requested
from csemu.store import Options

from frostpick.settings import PickSettings
from frostpick_jobs.hosts.cryosparc import run
from frostpick_jobs.hosts.cryosparc.read.mounts import Mounts
from frostpick_jobs.hosts.cryosparc.read.sources import Downloader
from frostpick_jobs.hosts.cryosparc.run import Tempo
from frostpick_jobs.hosts.cryosparc.server import upload
from frostpick_jobs.hosts.cryosparc.server.job import ExternalJob
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks.pick import finish

pytestmark = pytest.mark.cryosparc

SHAPES = ((200, 320), (320, 200))
#: Where the server says that a project is which it shows with ``remote_paths``.
SERVER = "/not-mounted-here"


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch):
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])


def pick(p, **request):
    asked = requested("pick", p.uid, "W1", micrographs=(OutputRef("J2", "exposures"),), **request)
    settings = PickSettings(model="blob", diameter=DIAMETER_A, threads=1, device="cpu")
    spool, tempo = p.root / "spool", Tempo(0.1, 0.02)
    code = run.run_task_for_exit_code(p.connect(), asked, settings, spool=spool, tempo=tempo)
    assert code == 0
    text = "\n".join(p.texts(p.latest()))
    assert "micrographs that failed     0" in text
    return text, p.store.load_output(p.uid, p.latest(), "particles", "all")


def test_a_mounted_project_can_be_downloaded_and_one_elsewhere_mapped(tmp_path, monkeypatch):
    downloads, download = [], Downloader.download

    def noted(self, path, target):
        downloads.append(path)
        download(self, path, target)

    monkeypatch.setattr(Downloader, "download", noted)
    with project(tmp_path, shapes=SHAPES) as p:
        text, downloaded = pick(p, download=True)
        assert (
            "is not looked for here: micrographs are downloaded" in text
            and len(set(downloads)) == 2
        )
    with project(tmp_path / "2", Options(remote_paths=True), shapes=SHAPES) as p:
        downloads.clear()
        text, mapped = pick(p, mounts=Mounts.parse([f"{SERVER}=/"]))
        assert f"is mounted at {p.store.pdir(p.uid)}: micrographs are read in place" in text
        assert not downloads
        for name in ("location/center_x_frac", "location/center_y_frac", "pick_stats/power"):
            assert list(downloaded[name]) == list(mapped[name]) and len(mapped) > 0
        text, _ = pick(p, mounts=Mounts.parse([f"{SERVER}={tmp_path / 'nothing'}"]))
        assert f", here {tmp_path}/nothing/" in text and downloads
        assert "is not mounted here: micrographs are downloaded" in text


@pytest.mark.parametrize("what", ["another", "unreadable"])
def test_the_job_s_path_on_this_machine_does_not_decide_whether_a_file_arrived(
    tmp_path, monkeypatch, what
):
    with project(tmp_path, shapes=SHAPES[:1]) as p:
        server = p.connect()
        job = ExternalJob(server, p.uid, server.client.create_external_job(p.uid, "W1"))
        here = tmp_path / "another"
        (here / "model").mkdir(parents=True)
        (here / "model" / "x.bin").write_bytes(b"foreign, and longer")
        monkeypatch.setattr(p.store, "shown_dir", lambda path: str(here))
        if what == "unreadable":
            stat = Path.stat

            def refused(path, **options):
                if str(path).startswith(str(here)):
                    raise PermissionError(errno.EACCES, "Permission denied", str(path))
                return stat(path, **options)

            monkeypatch.setattr(Path, "stat", refused)
        upload.upload_file(job, "model/x.bin", b"12345")
        assert (p.store.jdir(p.job(job.uid)) / "model/x.bin").read_bytes() == b"12345"
