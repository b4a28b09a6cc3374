"""kill -9 at random times: the continued job ends as an uninterrupted one, without remains."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

KILLS = 10
NAMES = [f"grid{i % 3}/mic_{i:02d}.mrc" for i in range(12)]

# Everything is imported once; each attempt is a fork that is killed, or at last left to end.
ATTEMPTS = """
import json, os, random, signal, sys, time
from frostpick_jobs import api
import frostpick_jobs.tasks.finish as finish

project, kills, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
# Pictures take most of the time, and no result depends on them.
finish.pick_figures = lambda *a: []

def attempt(out):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            api.pick(f"{project}/Micrographs", out, diameter=64, pixel_size=2.0, threads=1)
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

def finished():
    return sum(n.endswith(".npz") for n in os.listdir(stored)) if os.path.isdir(stored) else 0

while len(killed) < kills:
    before, gain = finished(), dice.choice([0, 1, 1, 2, 3])
    child, until = attempt(f"{project}/killed"), time.monotonic() + whole
    while finished() < before + gain and time.monotonic() < until:
        time.sleep(0.002)
    # In the rest of a micrograph, or, once all are picked, anywhere in the delivery.
    time.sleep(dice.uniform(0, 0.05 if finished() < 12 else whole / 2))
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


@pytest.mark.slow
def test_killed_at_random_times(tmp_path: Path, data: Any) -> None:
    data.write_micrographs(tmp_path, NAMES)
    seed = random.SystemRandom().randrange(10**6)
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, str(tmp_path), str(KILLS), str(seed)],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONPATH": f"{root / 'plugin'}:{root / 'external_job'}", "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    print(f"seed {seed}: {said}")
    assert said["status"] == 0 and any(killed for killed, _ in said["killed"])
    whole, killed = contents(tmp_path / "whole"), contents(tmp_path / "killed")
    assert sorted(whole) == sorted(killed)
    timed = {"run.json", "report.html", "lock", "delivered.json", "threshold.json"}
    for name in whole:
        if Path(name).name not in timed and not name.endswith(".npz"):
            assert whole[name] == killed[name], name
    assert not [name for name in killed if name.endswith(".tmp")]
    first, second = (json.loads(c["run.json"]) for c in (whole, killed))
    assert first["counts"] == second["counts"] and first["model"] == second["model"]
    assert first["threshold"]["score"] == second["threshold"]["score"]
