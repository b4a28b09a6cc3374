"""A resumed External job keeps the shipped weights that it began with; a new one has the newest."""

import json

import pytest

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc_project import DIAMETER_A, project, requested
from shelf import GENERAL_1, Shelf

from frostpick.errors import ModelError
from frostpick.models.shipped import load_model
from frostpick.settings import PickSettings
from frostpick_jobs.hosts.cryosparc import run
from frostpick_jobs.hosts.cryosparc.run import Tempo
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks.pick import finish, not_yet_picked
from frostpick_jobs.tasks.pick import run as pick_task

pytestmark = pytest.mark.cryosparc

EXPOSURES = OutputRef("J2", "exposures")


@pytest.fixture
def inferred(monkeypatch):
    """Note what is picked."""
    found, real = [], not_yet_picked.pick_micrographs
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])

    def noted(*arguments, **options):
        for one in real(*arguments, **options):
            found.append(one.micrograph_id)
            yield one

    monkeypatch.setattr(not_yet_picked, "pick_micrographs", noted)
    return found


def pick(p, model="general", **request):
    where = {} if "job" in request else {"workspace": "W1", "micrographs": (EXPOSURES,)}
    code = run.run_task_for_exit_code(
        p.connect(),
        requested("pick", p.uid, **where, **request),
        PickSettings(model=model, diameter=DIAMETER_A, threads=1, device="cpu"),
        spool=p.root / "spool",
        tempo=Tempo(poll=0.1, events=0.02),
    )
    return code, request.get("job") or p.latest()


def record_of(p, job):
    return json.loads((p.store.pdir(p.uid) / job / "frostpick.json").read_text())


def test_a_job_that_failed_goes_on_after_an_upgrade(tmp_path, monkeypatch, inferred):
    shelf = Shelf(tmp_path / "shelf", monkeypatch)
    with project(tmp_path) as p:
        with monkeypatch.context() as patch:
            patch.setattr(pick_task, "finish_picking", lambda *a: 1 / 0)
            code, job = pick(p)
        assert code == 1 and p.job(job).status == "failed"
        count, first = len(inferred), f"{GENERAL_1[:16]} |"
        assert count == 3 and first in p.job(job).description
        assert "general, now general-1 |" in p.job(job).description
        shelf.add("general-2", load_model("blob"))
        shelf.drop("general-1")
        with pytest.raises(ModelError, match="versions of general are: general-2"):
            pick(p, "general-1")  # in a new job; none is made
        assert p.latest() == job
        assert pick(p, job=job) == (0, job)
        assert len(inferred) == count  # nothing is picked again
        assert p.job(job).status == "completed"
        wanted = {"version": "general-1", "digest": GENERAL_1}
        assert record_of(p, job)["shipped"] == {"general": wanted}
        code, new = pick(p)
        assert code == 0 and new != job and len(inferred) == 2 * count
        assert record_of(p, new)["shipped"]["general"]["version"] == "general-2"
        assert "general, now general-2 |" in p.job(new).description
