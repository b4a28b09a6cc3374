"""The log and the records of runs: what is in them, what is not, and that they only grow."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made_images import spots_on_noise, write_mrc

from frostpick_jobs import api
from frostpick_jobs.cli.relion import guarded
from frostpick_jobs.job.journal import LOG, RUNS
from frostpick_jobs.job.secrets import hide_secrets, without_secrets

LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \S+ \d+ slurm=\S+ frostpick=\S+ [A-Z]+ .*", re.DOTALL
)
SMALL = {"diameter": 64.0, "pixel_size": 2.0, "model": "blob", "device": "cpu", "threads": 1}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    xy = [(60.0, 60.0), (150.0, 120.0)]
    for number in (1, 2):
        pixels = spots_on_noise((192, 224), xy, number, [4.0, 4.0])
        write_mrc(tmp_path / "mics" / f"m{number}.mrc", pixels)
    return tmp_path


def runs(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / RUNS).read_text().splitlines()]


@pytest.mark.quick
def test_every_run_leaves_one_record_and_select_replaces_none(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    monkeypatch.setattr("sys.argv", ["frostpick", "pick", "--token", "abcdef123", "-o", "a b"])
    found = api.pick("out", micrographs="mics", **SMALL)
    api.select("out", threshold="0.5")
    api.pick("out", micrographs="mics", **SMALL)
    first, second, third = runs(project / "out")
    assert first["counts"]["selected"] == found.selected and first["outcome"] == "finished"
    assert first["command"] == "frostpick pick --token *** -o 'a b'"
    assert first["slurm_job"] == "4711" and first["device"] == "cpu"
    assert first["settings"]["diameter"] == 64.0 and first["model"]["name"] == "blob"
    ids = hashlib.sha256(b"m1.mrc\nm2.mrc\n").hexdigest()
    assert first["micrographs_read"] == {"count": 2, "sha256": ids} == third["micrographs_read"]
    assert first["inputs"] == {"micrographs": [{"given": "mics"}]}
    assert first["cpu_s"] > 0 and first["wall_s"] > 0
    assert (second["threshold"]["score"], second["settings"]["threshold"]) == (0.5, "0.5")
    lines = (project / "out" / LOG).read_text().splitlines()
    assert all(LINE.fullmatch(line) for line in lines), lines
    assert sum("run begins: " in line for line in lines) == 3
    assert sum("run ends: finished" in line for line in lines) == 3
    assert all("slurm=4711" in line for line in lines)


def test_a_failure_and_every_warning_are_in_the_log(project: Path) -> None:
    (project / "mics" / "bad.mrc").write_bytes(b"no image")
    api.pick("out", micrographs="mics", **SMALL)
    with pytest.raises(Exception, match="threshold"):
        api.select("out", threshold="often")
    with pytest.raises(Exception, match="this folder holds a pick job"):
        api.train("out", micrographs="mics", diameter=64.0)
    text = (project / "out" / LOG).read_text()
    assert " WARNING not picked: bad.mrc: " in text
    assert [one["outcome"] for one in runs(project / "out")] == ["finished", "failed", "failed"]
    assert "this folder holds a pick job" in runs(project / "out")[2]["message"]
    assert "run ends: failed: " in text.splitlines()[-1]


def test_the_content_of_files_of_input_is_on_record(project: Path) -> None:
    text = "data_\n\nloop_\n_rlnMicrographName #1\nmics/m2.mrc\n\n"
    (project / "two.star").write_text(text)
    api.pick("out", micrographs="two.star", **SMALL)
    digest = hashlib.sha256(text.encode()).hexdigest()
    (one,) = runs(project / "out")
    told = {"given": "two.star", "bytes": len(text), "sha256": digest}
    assert one["inputs"] == {"micrographs": [told]}
    assert one["micrographs_read"]["count"] == 1


def test_a_command_line_that_relion_cannot_run_is_in_the_log(project: Path) -> None:
    job = project / "External" / "job001"
    assert guarded("pick", ["--o", "External/job001/", "--diametre", "64"]) == 2
    (line,) = (job / LOG).read_text().splitlines()
    assert LINE.fullmatch(line) and " ERROR " in line and "diametre" in line


def test_a_full_disk_stops_no_job(project: Path) -> None:
    (project / "out" / LOG).mkdir(parents=True)  # no line can be written there
    (project / "out" / RUNS).mkdir()
    assert api.pick("out", micrographs="mics", **SMALL).micrographs == 2


APPEND = """
import sys
from pathlib import Path
from frostpick_jobs.job.journal import append_line
for _ in range(300):
    append_line(Path(sys.argv[1]), sys.argv[2] * 3000)
"""


def test_lines_of_two_processes_do_not_mix(tmp_path: Path) -> None:
    words = [sys.executable, "-c", APPEND, str(tmp_path / LOG)]
    both = [subprocess.Popen([*words, letter]) for letter in "ab"]
    assert [one.wait() for one in both] == [0, 0]
    lines = (tmp_path / LOG).read_text().splitlines()
    assert sorted(lines) == ["a" * 3000] * 300 + ["b" * 3000] * 300


@pytest.mark.quick
@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("no login for jo.doe@lab.org yet", "no login for *** yet"),
        ("CRYOSPARC_PASSWORD=hunter2 go", "CRYOSPARC_PASSWORD=*** go"),
        ('{"password": "two words", "x": 1}', '{"password": ***, "x": 1}'),
        ("--api-token abc123 -o out", "--api-token *** -o out"),
        ("http://jo:pw@host:39000/x", "http://***@host:39000/x"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
        ("licence 01234567-89ab-cdef-0123-456789abcdef.", "licence ***."),
        ("a value of xyzzy-plugh here", "a value of *** here"),
        # and what is no secret stays
        ("000001@Extract/job007/a.mrcs", "000001@Extract/job007/a.mrcs"),
        (
            "000001@stack.mrcs: 3 tokens, first pass: 200",
            "000001@stack.mrcs: 3 tokens, first pass: 200",
        ),
        (
            '"license": "BSD-3-Clause", sha256 0123456789ab',
            '"license": "BSD-3-Clause", sha256 0123456789ab',
        ),
        ("Micrographs/a-b_c.mrc: threshold=0.5", "Micrographs/a-b_c.mrc: threshold=0.5"),
    ],
)
def test_secrets_are_hidden(text: str, hidden: str) -> None:
    assert without_secrets(text, {"MY_TOKEN": "xyzzy-plugh", "HOME": "/a"}) == hidden


@pytest.mark.quick
def test_secrets_of_records_are_hidden_by_their_names() -> None:
    told = {"email": "x", "inner": [{"api_key": 7, "count": 7}], "token": None}
    assert hide_secrets(told, {}) == {
        "email": "***",
        "inner": [{"api_key": "***", "count": 7}],
        "token": None,
    }
