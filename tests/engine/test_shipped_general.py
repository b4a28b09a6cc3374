"""The shipped picker, on simulated micrographs of a protein it was not trained on."""

from __future__ import annotations

import pytest

from frostpick.evaluation import Truth, evaluate
from frostpick.models.shipped import load_model, shipped_names
from frostpick.models.versions import VERSIONS, WEIGHTS
from frostpick.picking.pick import pick_image
from frostpick.picking.plan import plan_picking
from frostpick.settings import PickSettings
from frostpick.simulate import SimulationSettings, random_protein, simulate_micrograph


def test_small_and_without_a_path_in_its_card() -> None:
    assert shipped_names()[0] == "general"
    files = list((WEIGHTS / VERSIONS["general"][-1]).iterdir())
    assert 0 < sum(file.stat().st_size for file in files) < 10e6
    card = load_model("general").card
    assert card.diameter_A is None and card.parent is None
    assert card.trained_on["data"] == (
        "simulated micrographs of made-up proteins and of assemblies of real chains"
    )
    assert "/" not in card.canonical().replace("https://", "")


@pytest.mark.parametrize("family", ["hollow", "lobed"])
def test_finds_particles_without_a_label(family: str) -> None:
    # seeds of `simulate`, whose scenes and proteins the corpus does not share
    wanted = SimulationSettings(
        seed=41, size=640, diameter_A=150.0, family=family, symmetry="C3", micrographs=2
    )
    protein = random_protein(wanted)
    truth, found = {}, {"general": {}, "blob": {}}
    for index in range(2):
        made = simulate_micrograph(protein, wanted, index)
        whole = made.truth.particles
        truth[made.name] = Truth.from_xy(made.name, whole.x_px, whole.y_px, edge=whole.edge)
        for name, picks in found.items():
            model = load_model(name)
            plan = plan_picking(model, PickSettings(model=name, diameter=150.0, device="cpu"))
            one = pick_image(model, made.image, made.pixel_size_A, plan, made.name)
            picks[made.name] = one.picks
    shapes = dict.fromkeys(truth, (640, 640))
    ap = {
        name: evaluate(picks, truth, wanted.diameter_px, shapes).ap for name, picks in found.items()
    }
    assert ap["general"] > 0.85 and ap["general"] > ap["blob"] + 0.1, ap
