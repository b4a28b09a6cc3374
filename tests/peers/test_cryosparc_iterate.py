"""Iterate in an External job: with particles, and with nothing but a model."""

import csv

import pytest
import torch

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc_project import DIAMETER_A, project, requested
from tiny_pruner import tiny_pruner

from frostpick.errors import InputError, ModelError
from frostpick.iterating import iterate as engine
from frostpick.iterating.pruner_score import PrunerScore
from frostpick.iterating.verification import SureRule
from frostpick.models.picking_model import PickingModel
from frostpick.models.pruner.model import Pruner
from frostpick.settings import IterateSettings
from frostpick.training.picker.recipe import Recipe
from frostpick_jobs.hosts.cryosparc import run
from frostpick_jobs.hosts.cryosparc.run import Tempo
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks import iterate as iterate_task

pytestmark = pytest.mark.cryosparc
EXPOSURES, PARTICLES = OutputRef("J2", "exposures"), OutputRef("J3", "particles")


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    recipe = Recipe(epoch_steps=8, tuning_epochs=1, tiles=2, outputs=5, units=2)
    monkeypatch.setattr(engine, "Recipe", lambda: recipe)
    monkeypatch.setattr(engine, "SureRule", lambda: SureRule(confident=0.0, spread=1.0))
    monkeypatch.setattr(iterate_task, "picked_figures", lambda *a: [])


def iterate(p, particles=(PARTICLES,), **settings):
    asked = requested("iterate", p.uid, "W1", micrographs=(EXPOSURES,), labels=particles)
    options = {"diameter": DIAMETER_A, "threads": 1, "device": "cpu", "steps": 8, "rounds": 1}
    fresh = {} if "start_model" in settings else {"network": "conv31"}
    settings = IterateSettings(**{**options, **fresh, **settings})
    tempo = Tempo(poll=0.1, events=0.02)
    code = run.run_task_for_exit_code(
        p.connect(), asked, settings, spool=p.root / "spool", tempo=tempo
    )
    return code, p.latest()


def test_rounds_with_particles_and_then_from_that_job_alone(tmp_path):
    with project(tmp_path) as p:
        code, job = iterate(p, expected_per_micrograph=8.0)
        assert code == 0 and p.job(job).status == "completed"
        folder = p.store.jdir(p.job(job))
        first = PickingModel.load(folder / "model")
        uids = {str(u) for u in p.store.load_output(p.uid, "J2", "exposures", "all")["uid"]}
        with (folder / "rounds" / "round_00" / "picks.csv").open(newline="") as handle:
            names = {row["micrograph"] for row in csv.DictReader(handle)}
        assert names and names <= uids
        assert (folder / "rounds.csv").is_file()
        outputs = p.job(job).spec.outputs.root
        assert outputs["model"].num_items == 1 and outputs["micrographs"].num_items == 3

        code, alone = iterate(p, particles=(), start_model=job, diameter=None)
        assert code == 0 and p.job(alone).parents == ["J2", job]
        assert "particles" not in p.job(alone).spec.inputs.root
        folder = p.store.jdir(p.job(alone))
        assert PickingModel.load(folder / "rounds" / "round_00").digest == first.digest
        assert PickingModel.load(folder / "model").card.parent == first.digest


def test_neither_particles_nor_a_model_makes_no_job(tmp_path):
    with project(tmp_path) as p:
        before = set(p.store.jobs)
        with pytest.raises(InputError, match="--labels"):
            iterate(p, particles=())
        assert set(p.store.jobs) == before


def test_a_pruner_of_an_earlier_job_gives_the_second_opinion(tmp_path, monkeypatch):
    caught = {}

    class Reached(Exception):
        pass

    def stub(*others, verifier, **more):
        caught["key"] = verifier.key
        raise Reached

    monkeypatch.setattr(iterate_task, "iterate_picker", stub)
    with project(tmp_path) as p:
        with pytest.raises(ModelError, match="P1-J2 has no pruner/"):
            iterate(p, pruner="J2")
        kept = p.store.pdir(p.uid) / "J2" / "pruner"
        tiny_pruner().save(kept)
        code, _ = iterate(p, pruner="J2")
        assert code == 1
        opinion = PrunerScore(Pruner.load(kept), DIAMETER_A, torch.device("cpu"))
        assert caught["key"] == opinion.key
