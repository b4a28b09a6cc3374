"""kill -9 at random times: the continued job ends as an uninterrupted one, without remains."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from waits import LONG

from frostpick.models.picking_model import PickingModel

#: More of them: FROSTPICK_KILLS=20 pytest -s tests/contract/test_kill.py
KILLS = os.environ.get("FROSTPICK_KILLS")
PICKING_KILLS, TRAINING_KILLS = (int(KILLS), int(KILLS)) if KILLS else (8, 3)
#: Files that hold times or a process id.
MAY_DIFFER = {"run.json", "report.html", "lock", "delivered.json", "frostpick.log", "runs.jsonl"}
MAY_DIFFER_SUFFIXES = {".npz"}
NAMES = [f"grid{i % 3}/mic_{i:02d}.mrc" for i in range(max(12, 2 * PICKING_KILLS))]

# Everything is imported once; each attempt is a fork that is killed, or at last left to end.
ATTEMPTS = """
import json, os, random, signal, sys, time
from frostpick_jobs import api
import frostpick_jobs.tasks.pick.finish as finish
import frostpick_jobs.tasks.train as train

task, project, kills, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
# Pictures take most of the time, and no result depends on them.
finish.pick_figures = train.picked_figures = lambda *a, **b: []

def attempt(out):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            given = dict(out=out, diameter=64, pixel_size=2.0, threads=1)
            if task == "pick":
                api.pick(micrographs=f"{project}/Micrographs", **given)
            else:
                given.update(network="conv31", steps=50)
                api.train(
                    micrographs=f"{project}/Micrographs", labels=f"{project}/labels.csv", **given
                )
            code = 0
        finally:
            os._exit(code)
    return child

began = time.monotonic()
_, status = os.waitpid(attempt(f"{project}/whole"), 0)
whole = time.monotonic() - began
assert status == 0, status
dice, killed = random.Random(seed), []
stored = f"{project}/killed/.frostpick/picks"
total = sum(len(names) for _, _, names in os.walk(f"{project}/Micrographs"))

def finished():
    return sum(n.endswith(".npz") for n in os.listdir(stored)) if os.path.isdir(stored) else 0

while len(killed) < kills:
    before, gain = finished(), dice.choice([0, 1, 1, 2, 3]) if task == "pick" else 0
    child, until = attempt(f"{project}/killed"), time.monotonic() + whole
    while finished() < before + gain and time.monotonic() < until:
        time.sleep(0.002)
    # In the rest of a micrograph, or, once all are picked, anywhere in the delivery.
    within_one = task == "pick" and finished() < total
    time.sleep(dice.uniform(0, 0.05 if within_one else whole / 6 if task == "pick" else whole / 2))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    killed.append([os.WIFSIGNALED(status), finished()])
_, status = os.waitpid(attempt(f"{project}/killed"), 0)
print(json.dumps({"status": status, "killed": killed, "seconds": whole}))
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def kill_and_continue(task: str, project: Path, kills: int) -> tuple[Path, Path]:
    """Run a job once whole and once killed so many times; return both output folders."""
    seed = random.SystemRandom().randrange(10**6)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, task, str(project), str(kills), str(seed)],
        capture_output=True,
        text=True,
        timeout=4 * LONG,
        env={"PYTHONPATH": f"{root / 'plugin'}:{root / 'external_job'}", "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    print(f"seed {seed}: {said}")
    assert said["status"] == 0 and any(killed for killed, _ in said["killed"])
    return project / "whole", project / "killed"


def compare(whole: Path, killed: Path) -> None:
    """Check that both folders hold the same files, with the same content but for times."""
    first, second = contents(whole), contents(killed)
    assert sorted(first) == sorted(second)
    assert not [name for name in second if name.endswith(".tmp")]
    for name in first:
        path = Path(name)
        if path.name not in MAY_DIFFER and path.suffix not in MAY_DIFFER_SUFFIXES:
            assert first[name] == second[name], name
    records = [json.loads(content["run.json"]) for content in (first, second)]
    assert records[0]["counts"] == records[1]["counts"]
    assert records[0]["model"] == records[1]["model"]


@pytest.mark.slow
def test_picking_killed_at_random_times(tmp_path: Path, data: Any) -> None:
    data.write_micrographs(tmp_path, NAMES)
    whole, killed = kill_and_continue("pick", tmp_path, PICKING_KILLS)
    compare(whole, killed)
    thresholds = [
        json.loads((out / "run.json").read_text())["threshold"] for out in (whole, killed)
    ]
    assert thresholds[0]["score"] == thresholds[1]["score"]


@pytest.mark.slow
def test_training_killed_at_random_times(tmp_path: Path, data: Any) -> None:
    data.write_micrographs(tmp_path, NAMES[:6])
    lines = [
        f"{name},{x},{y}" for number, name in enumerate(NAMES[:6]) for x, y in data.truth(number)
    ]
    (tmp_path / "labels.csv").write_text("micrograph,x_px,y_px\n" + "\n".join(lines) + "\n")
    whole, killed = kill_and_continue("train", tmp_path, TRAINING_KILLS)
    compare(whole, killed)
    models = [PickingModel.load(out / "model") for out in (whole, killed)]
    assert models[0].digest == models[1].digest
