"""The calibration of a round's model: by the user's labels, and by what is known beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import torch
from tiny_pruner import disc_micrograph

from frostpick.models.picking_model import PickingModel
from frostpick.models.shipped import load_model
from frostpick.recipes import recalibrate as module
from frostpick.runtime.reporter import SilentReporter
from frostpick.types import Labels, LocalFile, Micrograph

DIAMETER_A, PIXEL_A = 96.0, 3.0


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


@pytest.mark.parametrize(
    ("each", "tuned", "told"),
    [
        (6, False, {}),
        # Measured on simulated sets: a fine-tuned network's slope is about 1.45, and its
        # offset strays by .4 with fewer than 30 labels and by 1 with more.
        (5, True, {"slope": 1.45, "offset_spread": 0.4}),
        (6, True, {"slope": 1.45, "offset_spread": 1.0}),
    ],
)
def test_a_fine_tuned_model_is_known_more_closely_before_its_labels(
    data: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    each: int,
    tuned: bool,
    told: dict[str, float],
) -> None:
    micrographs, xy = data
    labels = {m.id: Labels.from_xy(m.id, xy[:each, 0], xy[:each, 1]) for m in micrographs}
    seen: list[dict[str, Any]] = []
    original = module.fit_calibration

    def watch(logit: Any, matched: Any, rate: float, **others: Any) -> Any:
        seen.append({"labelled": int(np.sum(matched)), "rate": rate, **others})
        return original(logit, matched, rate, **others)

    monkeypatch.setattr(module, "fit_calibration", watch)
    blob = load_model("blob")
    card = blob.card.model_copy(update={"diameter_A": DIAMETER_A})
    made = module.recalibrate(
        PickingModel(card, blob.network),
        micrographs,
        labels,
        start=blob if tuned else None,
        expected=12.0,
        pixel_size_A=None,
        device=torch.device("cpu"),
        spool=tmp_path,
        reporter=SilentReporter(),
    )
    (one,) = seen
    assert one.pop("fitted_on") == "training labels"
    assert one.pop("labelled") > 0.7 * each * len(micrographs)
    assert one.pop("rate") == pytest.approx(each / 12)
    assert one == told
    assert made.card.calibration.fitted_on == "training labels"
