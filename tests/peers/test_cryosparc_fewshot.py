"""Few-shot picking in an External job: exemplars in, particles and a model out."""

from functools import partial

import numpy as np
import pytest

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc_project import DIAMETER_A, project, requested

from frostpick.errors import ConfigError, InputError, ModelError
from frostpick.models.cryomae import PRESETS, Preset
from frostpick.models.picking_model import PickingModel
from frostpick.settings import FewshotSettings, PickSettings
from frostpick.training.cryomae import trainer as fewshot_trainer
from frostpick.training.cryomae.recipe import FewshotRecipe
from frostpick.training.cryomae.train import train_fewshot
from frostpick_jobs.hosts.cryosparc import run
from frostpick_jobs.hosts.cryosparc.run import Tempo
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks import fewshot
from frostpick_jobs.tasks.pick import finish

pytestmark = pytest.mark.cryosparc
TEMPO = Tempo(poll=0.1, events=0.02)
EXPOSURES, PARTICLES = OutputRef("J2", "exposures"), OutputRef("J3", "particles")


@pytest.fixture(autouse=True)
def short_training(monkeypatch):
    recipe = FewshotRecipe(steps=4, positives=4, measure_every=2)
    monkeypatch.setitem(PRESETS, "tiny", Preset(2, 32, 2, 1, 16, 2))
    monkeypatch.setattr(fewshot_trainer, "STANDARDS", 64)
    monkeypatch.setattr(fewshot_trainer, "ASIDE", 32)
    monkeypatch.setattr(fewshot, "train_fewshot", partial(train_fewshot, recipe=recipe))
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])


def few(p, particles=(PARTICLES,), **settings):
    asked = requested("fewshot", p.uid, "W1", micrographs=(EXPOSURES,), labels=particles)
    options = {"diameter": DIAMETER_A, "threads": 1, "device": "cpu", "encoder": "none"}
    settings = FewshotSettings(**{**options, "method": "cryomae", "threshold": "p=0.5", **settings})
    code = run.run_task_for_exit_code(
        p.connect(), asked, settings, spool=p.root / "spool", tempo=TEMPO
    )
    return code, p.latest()


def test_exemplars_give_particles_and_a_model_that_pick_takes(tmp_path):
    with project(tmp_path) as p:
        code, job = few(p)
        assert code == 0 and p.job(job).status == "completed"
        cited = p.job(job).description.rpartition("frostpick; ")[2]
        assert cited.startswith("C. Xu") and "Bepler" not in cited
        outputs = p.job(job).spec.outputs.root
        assert outputs["model"].num_items == 1 and outputs["micrographs"].num_items == 3
        everything = p.store.load_output(p.uid, job, "particles_all", "all")
        selected = p.store.load_output(p.uid, job, "particles", "all")
        uids = p.store.load_output(p.uid, "J2", "exposures", "all")["uid"]
        assert len(everything) and set(everything["location/micrograph_uid"]) <= set(uids)
        assert set(selected["uid"]) <= set(everything["uid"])
        model = PickingModel.load(p.store.jdir(p.job(job)) / "model")
        assert model.card.kind == "exemplar"
        assert model.card.trained_on["exemplars"] == len(
            p.store.load_output(p.uid, "J3", "particles", "all")
        )

        asked = requested("pick", p.uid, "W1", micrographs=(EXPOSURES,))
        settings = PickSettings(model=job, threshold="p=0.5", threads=1, device="cpu")
        assert (
            run.run_task_for_exit_code(
                p.connect(), asked, settings, spool=p.root / "spool", tempo=TEMPO
            )
            == 0
        )
        again = p.store.load_output(p.uid, p.latest(), "particles_all", "all")
        for name in ("location/center_x_frac", "location/center_y_frac", "pick_stats/power"):
            np.testing.assert_array_equal(np.sort(again[name]), np.sort(everything[name]))


def test_no_exemplars_and_no_diameter_make_no_job(tmp_path):
    with project(tmp_path) as p:
        before = len(p.store.jobs)
        with pytest.raises(InputError, match=r"give them with --labels J12\.particles"):
            few(p, particles=())
        with pytest.raises(ConfigError, match="--diameter"):
            few(p, diameter=None)
        assert len(p.store.jobs) == before


def test_what_the_method_has_no_use_for_makes_no_job(tmp_path):
    with project(tmp_path) as p:
        before = len(p.store.jobs)
        for given in ({"encoder_size": "small"}, {"picking_rule": "density-cut"}):
            (name,) = (one.replace("_", "-") for one in given)
            told = f"--{name} has no use in --method pu, which auto has chosen"
            with pytest.raises(ConfigError, match=told):
                few(p, method="auto", encoder="", **given)
            with pytest.raises(ConfigError, match=f"--{name} has no use in --method pu: it is"):
                few(p, method="pu", encoder="", **given)
        for method in ("auto", "cryomae", "pu"):
            with pytest.raises(ModelError, match="nowhere"):
                few(p, method=method, encoder="nowhere")
        with pytest.raises(ModelError, match="mae-tiny-1"):
            few(p, method="pu", encoder="mae-tiny-1")
        assert len(p.store.jobs) == before
