"""The examples run as they stand."""

import subprocess
import sys
from pathlib import Path

import pytest
from waits import LONG

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / script), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)


@pytest.mark.slow
def test_train_and_pick_then_a_facility_round_with_that_model(tmp_path) -> None:
    done = run("train_and_pick.py", tmp_path, "--steps", "50")
    assert done.returncode == 0, done.stderr
    assert "particles in" in done.stdout
    words = ("--model", tmp_path / "train" / "model", "--rounds", 2, "--every", 0)
    done = run("facility.py", tmp_path / "data" / "micrographs", tmp_path / "session", *words)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == second and first.startswith("5 micrographs")
    assert "5 micrographs: 0 to pick" in done.stderr


def test_a_session_that_has_not_begun_is_no_end(tmp_path) -> None:
    done = run(
        "facility.py", tmp_path / "later", tmp_path / "out", "--diameter", 160, "--rounds", 1
    )
    assert done.returncode == 0 and "later" in done.stderr
