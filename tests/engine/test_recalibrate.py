"""The calibration of a round's model is a training's, by the user's labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import torch
from tiny_pruner import disc_micrograph

from frostpick.config import TrainSettings
from frostpick.models.card import CalibrationSpec
from frostpick.models.picking_model import PickingModel
from frostpick.models.shipped import load_model
from frostpick.recipes.recalibrate import recalibrate
from frostpick.runtime.reporter import SilentReporter
from frostpick.training.recipe import Recipe
from frostpick.training.train import TrainingResult, train_picker
from frostpick.types import Labels, LocalFile, Micrograph

DIAMETER_A, PIXEL_A = 96.0, 3.0
ONE_PASS = replace(Recipe(), passes=1, epoch_steps=5, tuning_epochs=2, few_tuning_epochs=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Micrograph], np.ndarray]:
    """Five micrographs with the same 12 discs; labels are some of them."""
    folder = tmp_path_factory.mktemp("discs")
    xy = np.array([(40 + 60 * i, 40 + 60 * j) for i in range(4) for j in range(3)], float)
    found = []
    for number in range(5):
        path = folder / f"m{number}.mrc"
        with mrcfile.new(path) as mrc:
            mrc.set_data(disc_micrograph((210, 270), xy, seed=number, depth=1.5))
        found.append(Micrograph(path.name, LocalFile(path), PIXEL_A))
    return found, xy


def labels_of(data: Any, each: int, micrographs: int) -> dict[str, Labels]:
    xy = data[1][:each]
    return {m.id: Labels.from_xy(m.id, xy[:, 0], xy[:, 1]) for m in data[0][:micrographs]}


def trained(data: Any, labels: dict[str, Labels], spool: Path, start: str | None) -> TrainingResult:
    settings = TrainSettings(
        diameter=DIAMETER_A, device="cpu", threads=1, start_from=start or "none"
    )
    return train_picker(
        data[0],
        labels,
        settings,
        start=load_model(start) if start else None,
        spool=spool,
        reporter=SilentReporter(),
        recipe=replace(ONE_PASS, epochs=4, few_epochs=4) if start is None else ONE_PASS,
    )


def again(
    data: Any, model: PickingModel, labels: dict[str, Labels], spool: Path, start: str | None
) -> PickingModel:
    return recalibrate(
        model,
        data[0],
        labels,
        start=load_model(start) if start else None,
        sharpness=ONE_PASS.anchor_sharpness,
        expected=12.0,
        pixel_size_A=None,
        device=torch.device("cpu"),
        spool=spool,
        reporter=SilentReporter(),
    )


@pytest.mark.parametrize(
    ("each", "micrographs", "start"),
    [(5, 1, "general"), (8, 4, "general"), (0, 0, "general"), (8, 4, None)],
)
def test_a_round_on_the_users_labels_is_calibrated_as_a_training(
    data: Any, tmp_path: Path, each: int, micrographs: int, start: str | None
) -> None:
    labels = labels_of(data, each, micrographs)
    plain = trained(data, labels, tmp_path / "train", start).model
    # whatever it was calibrated to before
    card = plain.card.model_copy(
        update={"calibration": CalibrationSpec(slope=0.3, offset=2.0), "threshold": 9.0}
    )
    made = again(data, PickingModel(card, plain.network), labels, tmp_path, start)
    for name in ("slope", "offset"):
        expected = getattr(plain.card.calibration, name)
        assert getattr(made.card.calibration, name) == pytest.approx(expected, rel=1e-6)
    assert made.card.threshold == pytest.approx(plain.card.threshold, rel=1e-6)
    assert made.card.calibration.fitted_on == plain.card.calibration.fitted_on


def test_mined_labels_do_not_count(data: Any, tmp_path: Path) -> None:
    own = labels_of(data, 3, 3)
    mined = trained(data, labels_of(data, 12, 5), tmp_path / "train", "general").model
    made = again(data, mined, own, tmp_path, "general")
    assert made.card.calibration != mined.card.calibration
    assert made.card.calibration == again(data, made, own, tmp_path, "general").card.calibration


def test_without_labels_or_start_it_stays_as_it_is(data: Any, tmp_path: Path) -> None:
    blob = load_model("blob")
    model = PickingModel(blob.card.model_copy(update={"diameter_A": DIAMETER_A}), blob.network)
    assert again(data, model, {}, tmp_path, None) is model
