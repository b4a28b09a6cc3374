"""The doctor: what it finds in sick folders, and what its bundle holds."""

from __future__ import annotations

import http.server
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_images import spots_on_noise, write_mrc
from typer.testing import CliRunner

from frostpick.errors import InputError
from frostpick.models.shipped import load_model
from frostpick_jobs import api
from frostpick_jobs.cli.main import app
from frostpick_jobs.commands.doctor import disks
from frostpick_jobs.commands.doctor.bundle import write_bundle
from frostpick_jobs.commands.doctor.finding import Finding, Level
from frostpick_jobs.commands.doctor.output import JobFolder, look_at_output
from frostpick_jobs.commands.doctor.programs import look_at_cryosparc, look_at_relion
from frostpick_jobs.job.journal import BEGINS, LOG, RUNS, append_line, log_line
from frostpick_jobs.job.lock import job_lock

SECRETS = {
    "CRYOSPARC_PASSWORD": "correct-horse",
    "CRYOSPARC_EMAIL": "jo.doe@lab.org",
    "FROSTPICK_API_TOKEN": "tok-0123456789",
    "CRYOSPARC_LICENSE_ID": "01234567-89ab-cdef-0123-456789abcdef",
}


@pytest.fixture(scope="module")
def picked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("picked")
    write_mrc(folder / "m1.mrc", spots_on_noise((192, 224), [(60.0, 60.0)], 1, [4.0]))
    api.pick(
        folder / "out",
        micrographs=folder / "m1.mrc",
        diameter=64.0,
        pixel_size=2.0,
        model="blob",
        device="cpu",
        threads=1,
    )
    return folder / "out"


@pytest.fixture
def out(picked: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(picked, tmp_path / "out"))


def to_do(out: Path) -> list[str]:
    found = look_at_output(JobFolder.read(out))
    return [one.text for one in found if one.level is Level.DO]


@pytest.mark.quick
def test_nothing_is_to_be_done_in_a_finished_job(out: Path) -> None:
    assert to_do(out) == []


def test_what_is_wrong_in_a_folder_is_said(out: Path, tmp_path: Path) -> None:
    assert "no such folder" in to_do(tmp_path / "nowhere")[0]
    (tmp_path / "empty").mkdir()
    assert "no run of frostpick is on record" in to_do(tmp_path / "empty")[0]
    (out / "picks.star").unlink()
    (out / "model").mkdir()
    (out / "model" / "model.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}  ")
    lost, damaged = to_do(out)
    assert "1 of the files that the job wrote are gone: picks.star" in lost
    assert "model.safetensors" in damaged and "train again" in damaged


def test_a_run_that_was_killed_is_told_from_one_that_runs(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "815")
    append_line(out / LOG, log_line("INFO", f"{BEGINS}: frostpick pick -o out"))
    with job_lock(out / ".frostpick"):
        assert to_do(out) == []
    (told,) = to_do(out)
    assert "did not come to its end" in told and "sacct -j 815" in told


def test_a_failed_and_a_stopped_run_are_told(out: Path) -> None:
    last = json.loads((out / RUNS).read_text())
    append_line(out / RUNS, json.dumps({**last, "outcome": "failed", "message": "a.mrc: bad"}))
    assert "failed: a.mrc: bad" in to_do(out)[0]
    append_line(out / RUNS, json.dumps({**last, "outcome": "aborted", "message": "stopped"}))
    assert "give the same command again" in to_do(out)[0]


def test_the_status_of_the_command_says_whether_something_is_to_be_done(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("run.look_at_weights", "run.look_at_disks"):
        monkeypatch.setattr(f"frostpick_jobs.commands.doctor.{module}", lambda *a: ())
    monkeypatch.delenv("CRYOSPARC_BASE_URL", raising=False)
    monkeypatch.setenv("PATH", str(out))
    well = CliRunner().invoke(app, ["doctor", str(out)])
    assert well.exit_code == 0 and "came to its end" in well.output, well.output
    (out / "picks.csv").unlink()
    sick = CliRunner().invoke(app, ["doctor", str(out)])
    assert sick.exit_code == 1 and "DO    " in sick.output


def test_relion_is_needed_only_in_its_own_folder(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [one.level for one in look_at_relion(False)] == [Level.NOTE]
    assert [one.level for one in look_at_relion(True)] == [Level.DO]
    program = tmp_path / "relion_refine"
    program.write_text("#!/bin/sh\necho 'RELION version: 5.0'\n")
    program.chmod(0o755)
    (well,) = look_at_relion(True)
    assert well.level is Level.OK and "RELION version: 5.0" in well.text
    program.write_text("#!/bin/sh\nwhile :; do :; done\n")
    (hangs,) = look_at_relion(True, seconds=0.2)
    assert hangs.level is Level.DO and "does not run" in hangs.text


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as one:
        thread = threading.Thread(target=one.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{one.server_port}"
        one.shutdown()
        thread.join()


def test_a_server_that_answers_and_one_that_does_not(server: str) -> None:
    (well,) = look_at_cryosparc(True, environ={"CRYOSPARC_BASE_URL": server})
    assert well.level is Level.OK and server in well.text  # it answers 501: not implemented
    (away,) = look_at_cryosparc(True, 1.0, {"CRYOSPARC_BASE_URL": "http://127.0.0.1:9"})
    assert away.level is Level.DO and "does not answer" in away.text
    assert [one.level for one in look_at_cryosparc(False, environ={})] == [Level.NOTE]


def test_a_full_and_a_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {one.level for one in disks.look_at_place("output", tmp_path / "new")} == {Level.OK}
    monkeypatch.setattr(disks, "LEAST_BYTES", 1 << 62)
    (full,) = disks.look_at_place("output", tmp_path)
    assert full.level is Level.DO and "too little" in full.text
    monkeypatch.setattr(disks, "LEAST_BYTES", 0)

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(disks.tempfile, "TemporaryFile", refuse)
    assert "no right to write" in list(disks.look_at_place("output", tmp_path))[-1].text


def test_the_bundle_has_no_secret_and_no_image(out: Path, tmp_path: Path) -> None:
    words = " ".join(f"{name}={value}" for name, value in SECRETS.items())
    with (out / LOG).open("a") as log:  # as another program may have written them
        log.write(f"{words}\nlogin of {SECRETS['CRYOSPARC_EMAIL']}: correct-horse\n")
    record = json.loads((out / "run.json").read_text())
    record["settings"] |= {"email": "jo.doe@lab.org", "tokens": ["tok-0123456789"], "seed": 41}
    (out / "run.json").write_text(json.dumps(record))
    append_line(out / RUNS, json.dumps(record))
    (out / "run.err").write_text("Bearer abc.def.ghi http://jo:correct-horse@host/\n")
    (out / ".frostpick" / "traceback.txt").write_text("password = 'correct-horse'\n")
    file = tmp_path / "bundle.zip"
    write_bundle(file, [Finding(Level.OK, "mail jo.doe@lab.org")], JobFolder.read(out), SECRETS)
    with zipfile.ZipFile(file) as packed:
        texts = {name: packed.read(name).decode() for name in packed.namelist()}
    everything = "\n".join(texts.values())
    for secret in (*SECRETS.values(), "abc.def.ghi", "jo.doe", "jo:"):
        assert secret not in everything
    assert {LOG, RUNS, "run.json", "settings.json", "doctor.txt"} <= set(texts)
    assert json.loads(texts["settings.json"])["seed"] == 41  # and the rest is there
    assert not [name for name in texts if name.endswith((".mrc", ".html", ".pdf", ".png"))]
    assert BEGINS in texts[LOG]
    with pytest.raises(InputError, match="already there"):
        write_bundle(file, [], None)


def test_a_sites_files_and_models_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    for name in ("ribosome-1", "general"):
        load_model("blob").save(models / name)
    (models / "cut.safetensors").write_bytes(b"")
    settings = tmp_path / "frostpick.yaml"
    settings.write_text("threads: 2\n")
    monkeypatch.setenv("FROSTPICK_MODELS", str(models))
    monkeypatch.setenv("FROSTPICK_CONFIG", str(settings))
    said = CliRunner().invoke(app, ["doctor"]).output.splitlines()
    assert "ok    FROSTPICK_MODELS: ribosome-1" in said
    assert f"ok    settings of the site: {settings}" in said
    assert any(one.startswith("DO") and "cannot be called general" in one for one in said)
    assert any(one.startswith("DO") and "cut.safetensors" in one for one in said)
    settings.write_text("thread: 2\n")
    wrong = CliRunner().invoke(app, ["doctor"])
    assert wrong.exit_code == 1
    assert any(one.startswith("DO") and "thread" in one for one in wrong.output.splitlines())
