"""A program that is stopped in its first moments, or was started without its streams."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waits import LONG, ended, wait_until

ROOT = Path(__file__).parents[2]
#: An import that a module is in the middle of, and what some libraries make of an exception there.
SLOW = """
import pathlib, time
try:
    pathlib.Path('importing').touch()
    time.sleep(3600)
except BaseException as error:
    raise ImportError('half a module') from error
"""


def start(folder: Path, *words: str, **streams: object) -> subprocess.Popen[str]:
    paths = [str(folder), str(ROOT / "plugin"), str(ROOT / "external_job")]
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        cwd=folder,
        text=True,
        **streams,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize("module", ["typer", "torch"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_of_an_import(tmp_path: Path, module: str, number: int) -> None:
    (tmp_path / f"{module}.py").write_text(SLOW)
    (tmp_path / "m.mrc").touch()
    words = ["pick", "--micrographs", "m.mrc", "--diameter", "90", "-o", "out"]
    process = start(
        tmp_path,
        "frostpick_jobs.cli.main",
        *words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_until((tmp_path / "importing").exists)
    process.send_signal(number)
    printed, told = ended(process)
    assert process.returncode == 128 + number
    assert printed == "" and told == f"frostpick: stopped by {signal.Signals(number).name}\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_relion_is_told_of_it(tmp_path: Path, number: int) -> None:
    (tmp_path / "torch.py").write_text(SLOW)
    (tmp_path / "m.star").write_text("\ndata_\n\nloop_\n_rlnMicrographName #1\na.mrc\n\n")
    words = ["pick", "--o", "External/job002/", "--in_mics", "m.star"]
    process = start(tmp_path, "frostpick_jobs.cli.relion", *words, stderr=subprocess.PIPE)
    wait_until((tmp_path / "importing").exists)
    process.send_signal(number)
    _, told = ended(process)
    assert process.returncode == 128 + number and "Traceback" not in told
    assert (tmp_path / "External/job002/RELION_JOB_EXIT_FAILURE").exists()


@pytest.mark.parametrize("words", [["simulate", "-o", "out"], ["demo", "-o", "out"]])
def test_a_command_without_a_job_is_stopped_in_order(tmp_path: Path, words: list[str]) -> None:
    code = (
        "import pathlib, time, frostpick_jobs.commands.simulate as s\n"
        "def slow(*a):\n"
        "    pathlib.Path('working').touch()\n"
        "    time.sleep(3600)\n"
        "s.random_protein = slow\n"
        "import frostpick_jobs.cli.main as m; m.main()\n"
    )
    (tmp_path / "begin.py").write_text(code)
    process = start(tmp_path, "begin", *words, stderr=subprocess.PIPE)
    wait_until((tmp_path / "working").exists)
    process.send_signal(signal.SIGINT)
    _, told = ended(process)
    assert process.returncode == 130 and "Traceback" not in told
    assert told.endswith("frostpick: stopped by SIGINT\n")


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_without_streams_it_works_and_logs_into_no_file(tmp_path: Path, closed: str) -> None:
    command = (
        f"{sys.executable} -m frostpick_jobs.cli.main simulate -o out --micrographs 1 --size 96 "
        f"{closed}; s=$?; [ $s = 0 ] && {sys.executable} -m frostpick_jobs.cli.main pick "
        f"--micrographs out/micrographs --model blob --diameter 160 --threads 1 -o p {closed}"
    )
    paths = os.pathsep.join([str(ROOT / "plugin"), str(ROOT / "external_job")])
    done = subprocess.run(
        ["bash", "-c", command],
        env=os.environ | {"PYTHONPATH": paths},
        cwd=tmp_path,
        check=False,
        timeout=LONG,
    )
    assert done.returncode == 0
    for path in (tmp_path / "out/particles.csv", tmp_path / "p/picks.csv"):
        assert "simulated" not in path.read_text() and path.read_text().startswith("micrograph,")


def test_docs_and_help_have_the_one_table_of_endings() -> None:
    """Every status once, in the order of the table, wherever a user may look."""
    statuses = ["0", "1", "2", "3", "4", "129, 130, 143"]
    lines = (ROOT / "docs/endings.md").read_text().splitlines()
    rows = [line.split("|") for line in lines if line.startswith("| ")][1:]
    assert [row[1].strip() for row in rows] == statuses
    for words in (["main", "pick"], ["main", "cryosparc", "prune"], ["relion", "train"]):
        command = [sys.executable, "-m", f"frostpick_jobs.cli.{words[0]}", *words[1:], "--help"]
        paths = os.pathsep.join([str(ROOT / "plugin"), str(ROOT / "external_job")])
        done = subprocess.run(
            command,
            env=os.environ | {"PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=True,
        )
        told = " ".join(done.stdout.split()).partition("Exit status: ")[2]
        for row in rows:
            meaning = row[2].strip().partition(" or ")[0].partition(" (")[0].partition(" that ")[0]
            assert f"{row[1].strip()} {meaning}" in told
    assert "label strict = yes" in told and "--strict" not in told
