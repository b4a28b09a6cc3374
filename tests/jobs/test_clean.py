"""``frostpick clean``: what goes, what stays, what is refused, and what still works afterwards."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from made_images import spots_on_noise, write_mrc
from typer.testing import CliRunner

from frostpick.errors import InputError
from frostpick_jobs import api
from frostpick_jobs.cli.main import app  # type: ignore[attr-defined]
from frostpick_jobs.commands.clean import cleaning
from frostpick_jobs.job.lock import JobRunningError, job_lock
from frostpick_jobs.job.output_folder import claim_output_folder
from frostpick_jobs.store import PickStore
from frostpick_jobs.tasks.pick import finish, not_yet_picked, prepare

PLACES = ((50, 60), (120, 60), (80, 130))
TOLD: dict[str, Any] = {"diameter": 64, "model": "blob", "threads": 1, "threshold": "p=0.5"}


@pytest.fixture
def picked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished pick of three micrographs, whose results are small files."""
    monkeypatch.setattr(finish, "pick_figures", lambda *arguments: [])
    for number in range(3):
        image = spots_on_noise((192, 192), PLACES, number)
        write_mrc(tmp_path / "mics" / f"m{number}.mrc", image, 2.0)
    api.pick(tmp_path / "out", micrographs=tmp_path / "mics", **TOLD)
    return tmp_path / "out"


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def clean(*words: object, answer: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(app, ["clean", *map(str, words)], input=answer)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_a_finished_pick_is_packed_and_keeps_what_select_reads(picked: Path) -> None:
    before = files(picked)
    code, said = clean(picked, answer="y\n")
    assert code == 0 and "nothing to remove" in said
    assert "Kept for select, audit and new micrographs" in said
    small = {name for name in before if name.startswith(".frostpick/picks/")}
    assert len(small) == 3
    assert files(picked) == before - small | {".frostpick/picks/pack-00001.zip"}
    rows = (picked / "picks.csv").read_text()
    assert api.select(picked, "-100").selected == rows.count("\n") - 1


def test_everything_of_a_pick(picked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {name: (picked / name).read_bytes() for name in ("picks.csv", "picks.star")}
    before = files(picked)
    size = sum((picked / n).stat().st_size for n in before if "/picks/" in n or "/models/" in n)
    size += (picked / ".frostpick/delivered.json").stat().st_size
    with cleaning(picked, everything=True) as found:
        assert found.size == size and found.files and not found.foreign
    code, said = clean(picked, "--everything", answer="n\n")
    assert code == 0 and "select and audit no longer go" in said
    assert files(picked) == before
    code, said = clean(picked, "--everything", "--yes")
    assert f"{len(found.files)} files removed" in said
    gone = {name for name in before if "/picks/" in name or "/models/" in name}
    gone |= {".frostpick/delivered.json"}
    assert files(picked) == before - gone | {".frostpick/cleaned.json"}
    assert {name: (picked / name).read_bytes() for name in tables} == tables
    for call in (lambda: api.select(picked, "auto"), lambda: api.audit(picked)):
        with pytest.raises(InputError, match=r"removed by frostpick clean on 20"):
            call()
    inferred = []
    real = not_yet_picked.pick_micrographs
    noted = lambda *a, **b: (inferred.append(one.micrograph_id) or one for one in real(*a, **b))  # noqa: E731
    monkeypatch.setattr(not_yet_picked, "pick_micrographs", noted)
    api.pick(picked, micrographs=picked.parent / "mics", **TOLD)
    assert sorted(inferred) == ["m0.mrc", "m1.mrc", "m2.mrc"]
    assert {name: (picked / name).read_bytes() for name in tables} == tables
    assert files(picked) == before


def test_a_stopped_pick_is_refused_and_can_be_given_up(
    picked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "PickStore", partial(PickStore, full=2))
    out = picked.parent / "stopped"
    monkeypatch.setattr(finish, "deliver_picks", lambda *a, **b: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        api.pick(out, micrographs=picked.parent / "mics", **TOLD)
    before = files(out)
    assert clean(picked, "--yes")[0] == 0
    with pytest.raises(InputError, match=r"did not come to its end.*--everything"):
        clean(out, "--yes")
    assert files(out) == before
    clean(out, "--yes", "--everything")
    assert not any("/picks/" in name for name in files(out))


def test_a_running_job_and_no_job(picked: Path) -> None:
    before = files(picked)
    with job_lock(picked / ".frostpick"), pytest.raises(JobRunningError, match="another frostpick"):
        clean(picked, "--yes", "--everything")
    assert files(picked) == before
    with pytest.raises(InputError, match="no job of frostpick here"):
        clean(picked.parent / "mics", "--yes")


def trained(folder: Path) -> Path:
    """Write what a finished training leaves: its states are older than its record."""
    spool = folder / ".frostpick"
    claim_output_folder(spool, "train")
    for name in (
        "training.safetensors",
        "training.json",
        "working/ab.npy",
        "working/.ab.npy.7.tmp",
    ):
        path = spool / "training" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 100)
        os.utime(path, ns=(10**18, 10**18))
    (folder / "model").mkdir()
    (folder / "model" / "model.safetensors").write_bytes(b"weights")
    (folder / "run.json").write_text(json.dumps({"task": "train"}))
    return spool


def test_a_training_goes_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    out, spool = tmp_path / "out", trained(tmp_path / "out")
    (spool / "training" / "notes.txt").write_text("mine")
    elsewhere = tmp_path / "scratch"
    elsewhere.mkdir()
    (elsewhere / "big.npy").write_bytes(b"x")
    (spool / "training" / "linked").symlink_to(elsewhere)
    (spool / "training" / "linked.npy").symlink_to(elsewhere / "big.npy")
    (spool / "downloads").symlink_to(elsewhere)
    code, said = clean(out, "--yes")
    assert code == 0 and "4 files, 400 bytes, to remove" in said
    assert "After that the same command trains anew." in said
    assert "Not written by frostpick, and left:" in said and "and 3 more" in said
    assert files(out) == {
        *("model/model.safetensors", "run.json", ".frostpick/job.json", ".frostpick/lock"),
        *(".frostpick/training/notes.txt", ".frostpick/training/linked.npy"),
    }
    assert (elsewhere / "big.npy").read_bytes() == b"x"
    assert "nothing to remove" in clean(out, "--yes")[1]


def test_a_training_that_went_on_after_its_report_is_unfinished(tmp_path: Path) -> None:
    spool = trained(tmp_path)
    later = (tmp_path / "run.json").stat().st_mtime_ns + 10**9
    os.utime(spool / "training" / "training.safetensors", ns=(later, later))
    with pytest.raises(InputError, match="the train here did not come to its end"):
        clean(tmp_path, "--yes")
    assert clean(spool, "--yes", "--everything")[1].endswith("4 files removed\n")
