"""A picker that stays: picks at known places, one micrograph at a time, files and arrays."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_images import spots_on_noise, write_mrc

import frostpick
from frostpick.errors import ConfigError, MicrographError
from frostpick.models.card import ModelCard, NetworkSpec
from frostpick.models.shipped import load_model
from frostpick.notebook import html_table
from frostpick.picker import picker as picking

pytestmark = pytest.mark.quick

SHAPE, PIXEL_A, DIAMETER_A = (150, 210), 2.0, 64
#: x and y, far apart, no two mirror each other; the deepest first.
PLACES = np.array([(40.0, 50.0), (170.0, 60.0), (60.0, 118.0), (150.0, 104.0)])
DEPTHS = [6.0, 5.0, 4.0, 3.0]
BLOB = {"diameter": DIAMETER_A, "device": "cpu", "threads": 1}


def image(light: bool = False) -> np.ndarray:
    found = spots_on_noise(SHAPE, PLACES, 3, DEPTHS)
    return -found if light else found


def numbers(picks: frostpick.Picked) -> list[int]:
    """Which place each selected pick is at; -1 for none."""
    best = picks.best()
    xy = np.column_stack([best.x_px, best.y_px])
    away = np.hypot(*(xy[:, None] - PLACES[None]).transpose(2, 0, 1))
    return [int(one.argmin()) if one.min() < 2.5 else -1 for one in away]


def test_places_are_columns_and_rows_of_the_array_as_it_is() -> None:
    picks = frostpick.Picker("blob", **BLOB, threshold="per-micrograph=4").pick(
        image(), pixel_size_A=PIXEL_A
    )
    assert numbers(picks) == [0, 1, 2, 3]
    assert (np.diff(picks.score) <= 0).all() and picks.selected.sum() == 4 < len(picks)
    assert picks.probability == pytest.approx(1 / (1 + np.exp(-picks.score)))
    assert picks.shape == SHAPE and picks.diameter_A == DIAMETER_A
    assert picks.threshold == picks.score[3] and picks.micrograph_id == "array"


def test_a_file_and_an_array_give_the_same_and_the_model_is_made_ready_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    original = picking.prepared_for_inference

    def count(model: Any, *others: Any) -> Any:
        made.append(model)
        return original(model, *others)

    monkeypatch.setattr(picking, "prepared_for_inference", count)
    path = write_mrc(tmp_path / "m7.mrc", image(), PIXEL_A)
    picker = frostpick.Picker("blob", **BLOB)
    monkeypatch.setattr(picking, "load_model", None)
    one, other, last = picker.pick(path), picker.pick(image(), pixel_size_A=2.0), picker.pick(path)
    assert len(made) == 1 and one.micrograph_id == "m7.mrc"
    for found in (other, last):
        for name in ("x_px", "y_px", "score", "selected"):
            assert np.array_equal(getattr(found, name), getattr(one, name))
    named = picker.pick(image().astype(np.float64), pixel_size_A=2, name="session/m8")
    assert named.micrograph_id == "session/m8" and np.array_equal(named.score, one.score)


@pytest.mark.parametrize(
    "rule, expected", [("per-micrograph=2", [0, 1]), ("fraction=0.0001", [0]), ("99", [])]
)
def test_rules_are_of_the_one_micrograph(rule: str, expected: list[int]) -> None:
    picks = frostpick.Picker("blob", **BLOB, threshold=rule).pick(image(), pixel_size_A=PIXEL_A)
    assert numbers(picks) == expected


def test_auto_is_the_models_own_threshold() -> None:
    model = load_model("blob")
    card = model.card.model_copy(update={"threshold": 0.12345})
    picks = frostpick.Picker(type(model)(card, model.network), **BLOB).pick(
        image(), pixel_size_A=PIXEL_A
    )
    assert picks.threshold == 0.123
    assert np.array_equal(picks.selected, picks.score >= 0.123)


def test_light_particles_are_found_where_contrast_is_auto() -> None:
    asked = {**BLOB, "threshold": "per-micrograph=4"}
    picker = frostpick.Picker("blob", **asked, contrast="auto")
    for _ in range(2):
        assert numbers(picker.pick(image(light=True), pixel_size_A=PIXEL_A)) == [0, 1, 2, 3]
    dark = frostpick.Picker("blob", **asked).pick(image(light=True), pixel_size_A=PIXEL_A)
    assert -1 in numbers(dark)


def test_one_that_cannot_be_used_costs_itself_alone(tmp_path: Path) -> None:
    picker = frostpick.Picker("blob", **BLOB, threshold="per-micrograph=4")
    (tmp_path / "half.mrc").write_bytes(b"no image at all")
    hole = image()
    hole[3, 4] = np.nan
    for wrong, why in (
        (tmp_path / "half.mrc", "half.mrc"),
        (tmp_path / "none.mrc", "none.mrc"),
        (hole, "finite"),
        (np.zeros((3, 4, 5)), r"shape \(3, 4, 5\)"),
        (image().astype(complex), "complex"),
        (np.zeros(SHAPE), "array"),
    ):
        with pytest.raises(MicrographError, match=why):
            picker.pick(wrong, pixel_size_A=PIXEL_A)
    with pytest.raises(MicrographError, match="pixel size"):
        picker.pick(image())
    with pytest.raises(ConfigError, match="above 0"):
        picker.pick(image(), pixel_size_A=-1)
    assert numbers(picker.pick(image(), pixel_size_A=PIXEL_A)) == [0, 1, 2, 3]


def test_settings_of_whole_jobs_and_wrong_ones_are_refused() -> None:
    with pytest.raises(ConfigError, match="no setting max_micrographs"):
        frostpick.Picker("blob", **BLOB, max_micrographs=3)
    with pytest.raises(ConfigError, match="is not understood"):
        frostpick.Picker("blob", **BLOB, threshold="best")
    with pytest.raises(ConfigError, match="needs its size"):
        frostpick.Picker("blob", device="cpu")


def test_too_few_particles_leave_the_diameter_open() -> None:
    picker = frostpick.Picker("blob", device="cpu", threads=1, diameter="auto")
    noise = np.random.default_rng(0).normal(size=(96, 96))
    for _ in range(2):
        with pytest.raises(ConfigError, match="expected at least 10"):
            picker.pick(noise, pixel_size_A=8.0)
    assert picker.diameter_A is None


def test_the_models_own_diameter_serves_auto() -> None:
    model = load_model("blob")
    own = type(model)(model.card.model_copy(update={"diameter_A": 64.0}), model.network)
    picker = frostpick.Picker(own, device="cpu", threads=1, diameter="auto")
    assert picker.diameter_A == 64 and picker.card.diameter_A == 64
    assert picker.pick(image(), pixel_size_A=PIXEL_A).diameter_A == 64


def test_a_notebook_shows_picks_models_and_figures(tmp_path: Path) -> None:
    picker = frostpick.Picker("blob", **BLOB, threshold="per-micrograph=4")
    path = write_mrc(tmp_path / "a<b>.mrc", image(), PIXEL_A)
    picks = picker.pick(path)
    figure = picks.plot()
    width, height = struct.unpack(">II", figure.png[16:24])
    assert figure._repr_png_() == figure.png and width > height > 100
    assert "4 selected picks" in figure.caption
    figure.save(tmp_path / "picks.png")
    assert (tmp_path / "picks.png").read_bytes() == figure.png
    shown = picks._repr_html_()
    assert "a&lt;b&gt;.mrc" in shown and "<b>.mrc" not in shown and "data:image/png" in shown
    assert f"4 of {len(picks)}" in shown
    card = ModelCard(network=NetworkSpec(name="<x>"), diameter_A=90.0)
    assert "&lt;x&gt;" in card._repr_html_() and "90 A" in card._repr_html_()
    assert load_model("blob")._repr_html_() == load_model("blob").card._repr_html_()


def test_a_table_leaves_out_what_is_none() -> None:
    assert html_table("t", {"a": None, "b": 0}).count("<tr>") == 1


def test_an_array_is_a_source_of_pixels() -> None:
    source = frostpick.InMemory(image())
    with source.fetch() as path:
        assert np.array_equal(frostpick.read_image(path, "m").data, image())
    assert not path.exists()
    assert source.fingerprint() == frostpick.InMemory(image().copy()).fingerprint()
    assert source.fingerprint() != frostpick.InMemory(image() + 1).fingerprint()
