"""CryoSPARC 4.7: its client's calls on recorded documents, and the real one where it is at hand.

``FROSTPICK_TOOLS_4`` names a folder with cryosparc-tools 4.7 in it, made by
``pip install --no-deps --target FOLDER cryosparc-tools==4.7.1``: the two clients cannot
be in one environment.
"""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from waits import LONG

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc_four import LICENCE, document, running_four
from cryosparc_project import LOGIN, MAIN, ROOT, Project, write_project
from csemu.seed import seed_project
from csemu.store import Options, Store

from frostpick_jobs.hosts.cryosparc.server import client_versions

pytestmark = pytest.mark.cryosparc

TOOLS = os.environ.get("FROSTPICK_TOOLS_4")
needs_tools = pytest.mark.skipif(TOOLS is None, reason="FROSTPICK_TOOLS_4 is not set")
PICK = ["--project", "P1", "--diameter", "48", "--device", "cpu", "--threads", "1"]


@pytest.fixture
def four(monkeypatch):
    monkeypatch.setattr(client_versions, "tools_version", lambda: "4.7.1")


@pytest.fixture
def project(tmp_path):
    truth = write_project(tmp_path / "raw")
    store = Store(tmp_path / "state", Options(version="v4.7.1+240807"))
    made = seed_project(store, truth)
    with running_four(store) as (url, seen):
        one = Project(store, made, truth, url, tmp_path)
        one.seen = seen
        yield one


def test_a_document_of_4_reads_as_the_model_of_5(tmp_path, monkeypatch):
    """The same job, described by both versions, looks the same."""
    store = Store(tmp_path / "state", Options())
    seed_project(store, write_project(tmp_path / "raw", shapes=((200, 320),)))
    for job in list(store.jobs.values()):
        five = client_versions.look(SimpleNamespace(model=job))
        monkeypatch.setattr(client_versions, "tools_version", lambda: "4.7.1")
        four = client_versions.look(SimpleNamespace(doc=document(store, job)))
        monkeypatch.undo()
        assert four == five


class Recorder:
    """A client's job that writes down how it is called."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *a, **k: self.calls.append((name, a, k))


def test_the_calls_of_4(four):
    job = Recorder()
    client_versions.stop(job, "")
    client_versions.stop(job, "out of memory")
    client_versions.log_text(job, "3 of 5", "text", "progress")
    client_versions.set_pictures(job, "particles", None)
    assert job.calls == [
        ("stop", (False,), {}),
        ("log", ("out of memory", "error"), {}),
        ("stop", (True,), {}),
        ("log", ("3 of 5",), {"level": "text"}),
    ]
    assert client_versions.slot("a", "b") == {"prefix": "a", "dtype": "b", "required": True}
    assert str(client_versions.directory(SimpleNamespace(dir=lambda: "/p/J1"))) == "/p/J1"
    assert not client_versions.has_token("http://h", None)
    client = SimpleNamespace(
        cli=SimpleNamespace(get_running_version=lambda: "v4.7.1"),
        find_job=lambda project, job: SimpleNamespace(status=f"{project}-{job}"),
    )
    assert client_versions.server_version(client) == "v4.7.1"
    assert client_versions.status(client, "P1", "J2") == "P1-J2"


def command(p, *words, **environ):
    path = os.pathsep.join([str(TOOLS), str(ROOT / "plugin"), str(ROOT / "external_job")])
    clean = {n: v for n, v in os.environ.items() if not n.startswith("CRYOSPARC_")}
    return subprocess.run(
        [sys.executable, "-m", MAIN, "cryosparc", *words, "--url", p.url],
        env={
            **clean,
            **LOGIN,
            "CRYOSPARC_LICENSE_ID": LICENCE,
            "PYTHONPATH": path,
            "OMP_NUM_THREADS": "1",
            "FROSTPICK_SPOOL": str(p.root / "spool"),
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )


@needs_tools
def test_the_real_client_of_4_trains_picks_and_resumes(project):
    checked = command(project, "login-check")
    assert "CryoSPARC v4.7.1+240807, tools 4.7.1" in checked.stdout, checked.stderr
    inputs = ["--workspace", "W1", "--micrographs", "J2.exposures"]
    quick = ["--labels", "J3.particles", "--network", "conv31", "--steps", "50"]
    trained = command(project, "train", *PICK, *inputs, *quick, "--expected-per-micrograph", "8")
    assert trained.returncode == 0, trained.stderr
    assert project.job("J4").status == "completed"
    files = sorted(f.name for f in (project.store.pdir("P1") / "J4/model").iterdir())
    assert files == ["model.json", "model.safetensors"]
    picked = command(project, "pick", *PICK, *inputs, "--model", "J4", "--threshold", "p=0.5")
    assert picked.returncode == 0, picked.stderr
    outputs = project.job("J5").spec.outputs.root
    assert project.job("J5").status == "completed"
    assert outputs["particles"].num_items >= 15 and outputs["micrographs"].num_items == 3
    text = "\n".join(project.texts("J5"))
    assert "Calibrate Pick Score to CTF" in text
    wrong = command(project, "pick", *PICK, "--job", "J3")
    assert wrong.returncode == 1 and "J3 is a manual_picker job" in wrong.stderr
    project.store.clear("P1", "J5")
    again = command(project, "pick", *PICK, "--job", "J5", "--model", "J4")
    assert again.returncode == 0 and project.job("J5").status == "completed", again.stderr
    every = checked.stderr + trained.stderr + picked.stderr + text
    assert LICENCE not in every and "secret" not in every


@needs_tools
def test_what_4_is_refused_is_said_in_one_sentence(project):
    inputs = ["--workspace", "W1", "--micrographs", "J2.exposures"]
    for words, environ, sentence in (
        (inputs, {"CRYOSPARC_LICENSE_ID": ""}, "set CRYOSPARC_LICENSE_ID"),
        (inputs, {"CRYOSPARC_PASSWORD": "hush"}, "a CryoSPARC 5 needs"),
        (["--workspace", "W1", "--micrographs", "J99.x"], {}, "J99"),
        (["--workspace", "W1", "--micrographs", "J3.particles"], {}, "holds particle"),
    ):
        done = command(project, "pick", *PICK, *words, **environ)
        last = done.stderr.strip().splitlines()[-1]
        assert done.returncode == 1 and last.startswith("frostpick:") and sentence in last, done
        assert "hush" not in done.stderr and LICENCE not in done.stderr
    assert len(project.store.jobs) == 3


def test_the_folder_for_4_is_what_the_variable_says():
    assert TOOLS is None or (Path(TOOLS) / "cryosparc" / "command.py").is_file()
