"""What ends a job where micrographs are downloaded, and what costs one micrograph only."""

import csv
import errno
import os
import shutil

import mrcfile
import numpy as np
import pytest
from made_images import write_mrc

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc.stream import Stream
from cryosparc_project import DIAMETER_A, project, requested
from csemu.store import Options, Refused
from test_cryosparc_prune import extracted, prune, rows_of

from frostpick.errors import FrostpickError, InputError, MicrographError
from frostpick.pruning.prune import map_sections
from frostpick.settings import PickSettings
from frostpick.types import ParticleStack
from frostpick_jobs.hosts.cryosparc import run
from frostpick_jobs.hosts.cryosparc.read.sources import Downloader, ProjectFile, RemoteFile
from frostpick_jobs.hosts.cryosparc.run import Tempo
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks.pick import finish

pytestmark = [
    pytest.mark.cryosparc,
    pytest.mark.filterwarnings("ignore:.*API client.*:UserWarning"),
]

SHAPES = ((200, 320), (320, 200), (200, 320))
BAD = "mic_001"


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch):
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])


def pick(p, job=None):
    asked = requested(
        "pick",
        p.uid,
        micrographs=(OutputRef("J2", "exposures"),),
        **({"job": job} if job else {"workspace": "W1"}),
    )
    settings = PickSettings(
        model="blob", diameter=DIAMETER_A, threads=1, device="cpu", threshold="p=0.9"
    )
    code = run.run_task_for_exit_code(
        p.connect(1.0), asked, settings, spool=p.root / "spool", tempo=Tempo(0.1, 0.02)
    )
    return code, job or p.latest()


def check_ended_and_resumed(p, caplog, word):
    """The job fails with a word of the reason, and resumes with every micrograph."""
    code, job = pick(p)
    assert code == 1 and p.job(job).status == "failed"
    assert word in caplog.text and word in p.job(job).errors_run[-1].message
    yield
    assert pick(p, job)[0] == 0 and p.job(job).status == "completed"
    kept = p.store.load_output(p.uid, job, "micrographs", ["micrograph_blob"])
    assert len(kept) == len(SHAPES)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no space left on the disk"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "no space left on the disk"),
        (MemoryError(), "out of memory"),
    ],
    ids=["full", "quota", "memory"],
)
def test_a_full_disk_or_memory_at_one_download_ends_the_job(
    tmp_path, monkeypatch, caplog, error, word
):
    with project(tmp_path, Options(remote_paths=True), shapes=SHAPES) as p:
        real = Stream.save

        def save(self, target):
            if BAD in str(target):
                raise error
            return real(self, target)

        monkeypatch.setattr(Stream, "save", save)
        both = check_ended_and_resumed(p, caplog, word)
        next(both)
        monkeypatch.setattr(Stream, "save", real)
        next(both, None)


@pytest.mark.parametrize("code", [401, 429, 502, 503, 504])
def test_a_server_that_serves_nothing_for_a_while_ends_the_job(tmp_path, monkeypatch, caplog, code):
    with project(tmp_path, Options(remote_paths=True), shapes=SHAPES) as p:
        refuse(p, monkeypatch, Refused(code, "not now"))
        both = check_ended_and_resumed(p, caplog, "not now")
        next(both)
        monkeypatch.undo()
        monkeypatch.setattr(finish, "pick_figures", lambda *a: [])
        next(both, None)


@pytest.mark.parametrize("code", [403, 500])
def test_files_refused_with_their_folder_end_the_job(tmp_path, monkeypatch, caplog, code):
    """A disk that the server has lost, or a right that was taken away: no file can be had."""
    with project(tmp_path, Options(remote_paths=True), shapes=SHAPES) as p:
        refuse(p, monkeypatch, Refused(code, "stale handle"), "J1/imported")
        code, job = pick(p)
        assert code == 1 and p.job(job).status == "failed" and "stale handle" in caplog.text


@pytest.mark.parametrize("code", [400, 403, 404, 422, 500])
def test_one_file_that_an_answering_server_refuses_costs_itself_only(tmp_path, monkeypatch, code):
    with project(tmp_path, Options(remote_paths=True), shapes=SHAPES) as p:
        refuse(p, monkeypatch, Refused(code, "this file is odd"))
        done, job = pick(p)
        assert done == 0 and p.job(job).status == "completed"
        text = "\n".join(p.texts(job))
        assert "this file is odd" in text and "micrographs that failed     1" in text


def refuse(p, monkeypatch, answer, what=BAD):
    """Let the server refuse every file with a text in its path."""
    real = p.store.path

    def path(project, rel, inside=True):
        if what in str(rel):
            raise answer
        return real(project, rel, inside)

    monkeypatch.setattr(p.store, "path", path)


def test_stacks_of_particles_are_told_apart_in_the_same_way(tmp_path, monkeypatch):
    with project(tmp_path, Options(remote_paths=True), shapes=SHAPES) as p:
        files = Downloader(p.connect(0.3), p.uid, tmp_path / "spool")
        rows = np.arange(1)

        def read(path):
            source = RemoteFile(files, path, 0)
            return list(map_sections(ParticleStack(source, rows, rows, 2.0), lambda images: images))

        with pytest.raises(MicrographError, match="is not a file"):
            read("J2/particles.mrc")
        refuse(p, monkeypatch, Refused(503, "not now"), "particles.mrc")
        with pytest.raises(ServerError, match="not now"):
            read("J2/particles.mrc")


def test_a_download_folder_that_cannot_be_written_is_no_fault_of_a_micrograph(tmp_path):
    with project(tmp_path, Options(remote_paths=True), shapes=SHAPES[:1]) as p:
        (tmp_path / "spool").write_text("a file in the way")
        source = RemoteFile(Downloader(p.connect(), p.uid, tmp_path / "spool" / "x"), "J1/a", 0)
        with pytest.raises(FrostpickError, match="expected a folder to download") as told:
            source.fetch().__enter__()
        assert not isinstance(told.value, MicrographError)


def test_a_project_that_is_not_mounted_any_more_ends_the_job(tmp_path):
    (tmp_path / "CS-one").mkdir()
    source = ProjectFile(tmp_path / "CS-one", "J1/a.mrc")
    with pytest.raises(FileNotFoundError):
        source.fetch()
    shutil.rmtree(tmp_path / "CS-one")
    for ask in (source.fetch, source.fingerprint):
        with pytest.raises(InputError, match="not there any more; mount it again"):
            ask()


@pytest.mark.parametrize("what", ["another", "unreadable"])
def test_a_mount_that_is_of_no_use_is_not_read(tmp_path, monkeypatch, what):
    with project(tmp_path, shapes=SHAPES) as p:
        other = tmp_path / "other"
        (other / "J1").mkdir(parents=True)
        (other / "project.json").write_text("{}")
        if what == "another":
            word = "is another folder here, without J2"
            real = p.store.shown_dir
            kept = p.store.pdir(p.uid)
            monkeypatch.setattr(
                p.store, "shown_dir", lambda path: str(other) if path == kept else real(path)
            )
        else:
            word = "cannot be read here (Permission denied)"
            listed = os.listdir

            def listdir(path):
                if str(path) == str(p.store.pdir(p.uid)):
                    raise PermissionError(errno.EACCES, "Permission denied", str(path))
                return listed(path)

            monkeypatch.setattr("frostpick_jobs.hosts.cryosparc.read.sources.os.listdir", listdir)
        code, job = pick(p)
        text = "\n".join(p.texts(job))
        assert code == 0 and f"{word}: micrographs are downloaded" in text
        assert "micrographs that failed     0" in text


def test_an_image_of_another_size_than_the_data_set_says_is_named(tmp_path):
    with project(tmp_path, shapes=SHAPES, link=False) as p:
        (file,) = (p.store.pdir(p.uid) / "J1" / "imported").glob(f"*{BAD}.mrc")
        write_mrc(file, p.image(1)[::2, ::2].copy())
        code, job = pick(p)
        text = "\n".join(p.texts(job))
        assert code == 0 and "micrographs that failed     1" in text
        assert f"{BAD}.mrc has 100 x 160 pixels; expected 200 x 320, as its data set says" in text


def test_a_stack_of_another_size_than_the_data_set_says_is_named(tmp_path, pruner):
    """The particles were extracted again, in larger boxes, into the file that is named."""
    with project(tmp_path) as p:
        rows = rows_of(p)
        source = extracted(p, rows)
        stack = p.store.pdir(p.uid) / source.job / "stack_1.mrc"
        with mrcfile.open(stack) as file:
            larger = np.pad(file.data, ((0, 0), (8, 8), (4, 4)), mode="reflect")
        write_mrc(stack, larger)
        code, job = prune(p, pruner, (source,))
        assert code == 0 and p.job(job).status == "completed"
        text = "\n".join(p.texts(job))
        told = "stack_1.mrc: images of 72 x 80 pixels; expected 64 x 64, as their data set says"
        assert told in text
        table = (p.store.pdir(p.uid) / job / "scores.csv").read_text()
        reasons = {int(row["uid"]): row["reason"] for row in csv.DictReader(table.splitlines())}
        for number, row in enumerate(rows):
            assert (reasons[1000 + number] == "not read") == (row[0] == 1)
