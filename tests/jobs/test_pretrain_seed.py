"""The seed of a pretraining: the one given, 0 too, is used, and the one used is recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from frostpick.models.cryomae.model import AutoencoderModel
from frostpick.pretraining.cryomae.pretrain import MaeRecipe
from frostpick.pretraining.picker.pretrain import PickerRecipe
from frostpick.pretraining.pruner.pretrain import PretrainRecipe
from frostpick.runtime.run_record import RunRecord
from frostpick.settings import PretrainSettings
from frostpick_jobs.cli.main import app
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.tasks import pretrain as command

RECIPES = {"picker": PickerRecipe, "mae": MaeRecipe, "pruner": PretrainRecipe}


class Enough(Exception):
    """Ends a pretraining where its recipe is known."""


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect the recipe that each method's own function is called with."""
    recipes: list[Any] = []

    def first(*given: Any, **named: Any) -> None:
        recipes.extend(one for one in given if isinstance(one, tuple(RECIPES.values())))
        raise Enough

    for name in ("pretrain_picker", "pretrain_mae", "pretrain_pruner"):
        monkeypatch.setattr(command, name, first)
    return recipes


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Collect the settings that run records begin with."""
    found: list[dict[str, Any]] = []

    class Watched(RunRecord):
        def __init__(self, task: str, host: str, settings: Any) -> None:
            found.append(dict(settings))
            super().__init__(task, host, settings)

    monkeypatch.setattr("frostpick_jobs.tasks.begin.RunRecord", Watched)
    return found


@pytest.mark.parametrize("method", RECIPES)
@pytest.mark.parametrize("given", [0, 7, None])
def test_the_seed_that_is_used_is_recorded(
    tmp_path: Path,
    used: list[Any],
    recorded: list[dict[str, Any]],
    method: str,
    given: int | None,
) -> None:
    told: dict[str, Any] = {"method": method, "device": "cpu", "threads": 1}
    if given is not None:
        told["seed"] = given
    with pytest.raises(Enough):
        command.run_pretrain(FolderHost(tmp_path / "out"), PretrainSettings(**told))
    expected = RECIPES[method]().seed if given is None else given
    assert [recipe.seed for recipe in used] == [expected]
    assert [settings["seed"] for settings in recorded] == [expected]


def test_a_typed_zero_is_in_card_and_record(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["pretrain", "--method", "mae", "--steps", "1", "--seed", "0", "-o", str(out)]
    done = CliRunner().invoke(app, [*words, "--device", "cpu", "--threads", "1"])
    assert done.exit_code == 0, done.output
    assert AutoencoderModel.load(out / "model").card.trained_on["seed"] == 0
    assert json.loads((out / "run.json").read_text())["settings"]["seed"] == 0
