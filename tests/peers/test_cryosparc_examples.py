"""The examples of CryoSPARC run as they stand."""

import argparse
import json
import os
import runpy
import shutil
import subprocess
import sys

import pytest
from waits import LONG

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc_project import DIAMETER_A, LOGIN, ROOT, project
from csemu.seed import complete

from frostpick.errors import InputError
from frostpick_jobs.hosts.cryosparc import run as cryosparc_run

pytestmark = pytest.mark.cryosparc

EXAMPLES = ROOT / "examples" / "cryosparc"


def run(p, words, **environ):
    """Run a program with ``frostpick`` on the path, as after an installation."""
    folder = p.root / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / "frostpick"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m frostpick_jobs.cli.main "$@"\n')
    program.chmod(0o755)
    clean = {n: v for n, v in os.environ.items() if not n.startswith("CRYOSPARC_")}
    environment = {
        **clean,
        **LOGIN,
        "CRYOSPARC_BASE_URL": p.url,
        "PYTHONPATH": os.pathsep.join(str(ROOT / n) for n in ("plugin", "external_job")),
        "PATH": f"{folder}:{os.environ['PATH']}",
        "FROSTPICK_SPOOL": str(p.root / "spool"),
        "OMP_NUM_THREADS": "1",
        **environ,
    }
    return subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=LONG, check=False
    )


@pytest.mark.slow
def test_from_picks_to_boxes(tmp_path):
    with project(tmp_path) as p:
        done = run(
            p,
            [
                sys.executable,
                str(EXAMPLES / "train_pick_extract.py"),
                *(p.uid, "W1", "--micrographs", "J2.exposures", "--particles", "J3.particles"),
                *("--diameter", "48", "--box", "20", "--device", "cpu", "--steps", "50"),
            ],
        )
        assert done.returncode == 0, done.stderr
        picks, boxes = (word.split(".")[0] for word in done.stdout.split() if word[0] == "J")
        assert p.job(boxes).spec.type == "extract_micrographs_cpu_parallel"
        assert p.job(boxes).status == "completed"
        selected = p.job(picks).spec.outputs.root["particles"].num_items
        assert 0 < p.job(boxes).spec.outputs.root["particles"].num_items <= selected


def then_another(p, run_task, theirs):
    """Return a run after which another user's job of the same title is the last one completed."""

    def run_both(server, request, settings):
        result = run_task(server, request, settings)
        job = p.store.create_job(p.uid, "W1", "snowflake", f"frostpick {request.task.name}")
        complete(p.store, job)
        theirs.append(job.uid)
        return result

    return run_both


@pytest.mark.slow
def test_another_users_jobs_of_the_same_titles_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("FROSTPICK_SPOOL", str(tmp_path / "spool"))
    script = runpy.run_path(str(EXAMPLES / "train_pick_extract.py"))
    theirs: list[str] = []
    with project(tmp_path) as p:
        both = then_another(p, cryosparc_run.run_task, theirs)
        monkeypatch.setattr(cryosparc_run, "run_task", both)
        outputs = {"micrographs": "J2.exposures", "particles": "J3.particles"}
        told = {"diameter": DIAMETER_A, "device": "cpu", "steps": 50}
        options = argparse.Namespace(project=p.uid, workspace="W1", **outputs, **told)
        picked = script["train_and_pick"](p.connect(), options)
        external = [uid for (_, uid), job in p.store.jobs.items() if job.spec.type == "snowflake"]
        ours = [uid for uid in external if uid not in theirs]
        assert len(theirs) == 2 and len(ours) == 2 and picked == ours[1]
        trained, done = (
            json.loads((p.store.pdir(p.uid) / uid / "frostpick.json").read_text()) for uid in ours
        )
        model = done["model"]
        assert (model["digest"], model["name"]) == (trained["model"]["digest"], ours[0])
        # what cannot work leaves no empty job behind
        options.particles = "J3.nothing"
        with pytest.raises(InputError, match=r"no output 'nothing'"):
            script["train_and_pick"](p.connect(), options)
        assert len(p.store.jobs) == len(ours) + len(theirs) + 3


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_the_batch_script(tmp_path):
    with project(tmp_path, shapes=((200, 320),)) as p:
        script = ["bash", str(EXAMPLES / "pick.sbatch")]
        missing = run(p, script, MODEL="blob")
        assert missing.returncode != 0 and "PROJECT" in missing.stderr
        asked = {"PROJECT": p.uid, "MODEL": "blob", "EXTRA": "--diameter 48 --device cpu"}
        done = run(p, script, **asked, WORKSPACE="W1", MICROGRAPHS="J2.exposures")
        assert done.returncode == 0, done.stderr
        assert p.job("J4").status == "completed"
        p.connect().client.find_job(p.uid, "J4").clear()
        again = run(p, script, **asked, JOB="J4")
        assert again.returncode == 0 and p.job("J4").status == "completed", again.stderr


def test_the_page_names_outputs_that_exist():
    from frostpick_jobs.hosts.cryosparc import ports

    page = (EXAMPLES.parents[1] / "docs" / "cryosparc.md").read_text()
    for name in (ports.PICKS, ports.ALL_PICKS, ports.MICROGRAPHS, ports.MODEL):
        assert f": `{name}`" in page
