"""The diameter is found where most particles are sure, and a wrong one is told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_images import write_mrc

from frostpick.errors import ConfigError, MicrographError
from frostpick.models.shipped import load_model
from frostpick.picking import own_scale
from frostpick.picking.own_scale import (
    AROUND,
    DIAMETERS_A,
    ScalePlan,
    check_diameter,
    decided,
    find_diameter,
)
from frostpick.picking.scale_curve import ScaleCurve, counted_curve, scale_curve
from frostpick.report.own_scale import scale_figure
from frostpick.runtime.executors.local import LocalExecutor
from frostpick.runtime.reporter import SilentReporter
from frostpick.simulate import SimulationSettings, random_protein, simulate_micrograph
from frostpick.types import LocalFile, Micrograph, Picks

HERE, SILENT = LocalExecutor("cpu", 1), SilentReporter()


def picks(*probability: float) -> Picks:
    score = [math.log(p / (1 - p)) for p in probability]
    return Picks.from_xy("m", np.arange(len(score)), np.zeros(len(score)), score=score)


def curve(*surplus: float) -> ScaleCurve:
    values = np.array(surplus)
    return ScaleCurve(60.0 * 1.25 ** np.arange(len(values)), values, values, 1)


def test_surplus_by_hand() -> None:
    # of .9, .6 and .4 two are likely; .8 + .2 more of these are particles than not
    found = counted_curve([100.0, 125.0, 156.25], [picks(0.9, 0.6, 0.4), None, picks(0.75)])
    assert found.likely.tolist() == [2, 0, 1]
    assert found.surplus == pytest.approx([1.0, 0.0, 0.5])
    assert (found.best_A, found.most) == (100.0, pytest.approx(1.0))
    both = found + found
    assert both.micrographs == 2 and both.surplus == pytest.approx([2.0, 0.0, 1.0])
    assert found.surplus_at(math.sqrt(100 * 125)) == pytest.approx(0.5)
    again = ScaleCurve.of(found.told())
    assert again.told() == found.told()
    with pytest.raises(ValueError, match="differ in length"):
        ScaleCurve.of({**found.told(), "likely": [1.0]})


def test_a_second_peak_is_told_and_a_shoulder_is_not() -> None:
    assert curve(0, 30, 80, 40, 60, 100, 70).others_A == [93.75]
    assert curve(0, 30, 80, 75, 80, 100, 70).others_A == []  # the dip is no fifth deep
    assert curve(0, 30, 45, 20, 60, 100, 70).others_A == []  # less than half as much
    assert curve(0, 0, 0).others_A == []


def test_too_few_particles_decide_nothing() -> None:
    assert decided(curve(0, 9, 10, 3)) == 93.75
    with pytest.raises(ConfigError, match=r"found 9 particles at diameters from 60 to 94 A"):
        decided(curve(0, 9, 8))


@pytest.fixture
def responds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[float, ...], float]]:
    """Let each micrograph answer with its mean grey level of particles, all of 120 A.

    The answer falls by a factor of e where the diameter is off by a factor of 1.5.
    """
    asked: list[tuple[tuple[float, ...], float]] = []

    def answer(
        model: Any, image: Any, pixel_A: float, diameters: Sequence[float], *rest: Any
    ) -> ScaleCurve:
        side = min(image.shape) * pixel_A
        asked.append((tuple(diameters), side))
        off = np.log(np.array(diameters) / 120.0) / math.log(1.5)
        surplus = float(image.mean()) * np.exp(-(off**2))
        return ScaleCurve(np.array(diameters), surplus, surplus)

    monkeypatch.setattr(own_scale, "scale_curve", answer)
    return asked


def written(folder: Path, levels: Sequence[float]) -> list[Micrograph]:
    """Write images of a mean grey level each, 2000 A wide."""
    stripes = np.tile(np.float32([-0.5, 0.5]), (200, 100))
    paths = [
        write_mrc(folder / f"m{n}.mrc", stripes + np.float32(level), 10.0)
        for n, level in enumerate(levels)
    ]
    return [Micrograph(path.name, LocalFile(path)) for path in paths]


@pytest.mark.quick
def test_blank_micrographs_do_not_decide(tmp_path: Path, responds: list[Any]) -> None:
    model = load_model("general")
    levels = [0, 40, 0, 0, 0, 30, 0, 0, 0, 20, 50, 60]
    # of twelve, those in the middles of six equal parts are looked at: 1, 3, 5, 7, 9 and 11,
    # every second one first: 3 and 7 are blank, 11 has particles; then 1 and 5, and that is enough
    found = find_diameter(model, written(tmp_path, levels), ScalePlan(), HERE, SILENT)
    assert found.micrographs == 3 and len(responds) == 5
    assert found.best_A == pytest.approx(60 * 1.25**3)  # 117 A, the nearest to 120 A
    assert found.most == pytest.approx(130.0, rel=0.01)

    nothing = find_diameter(model, written(tmp_path / "b", [0, 1, 2]), ScalePlan(), HERE, SILENT)
    assert nothing.micrographs == 0 and nothing.most == 0.0
    with pytest.raises(ConfigError, match="found 0 particles"):
        decided(nothing)


def test_a_given_diameter_is_looked_at_closely_only_where_in_doubt(
    tmp_path: Path, responds: list[Any]
) -> None:
    model, micrographs = load_model("general"), written(tmp_path, [40, 40, 40])

    def check(given: float) -> float | None:
        responds.clear()
        return check_diameter(model, micrographs, given, ScalePlan(), HERE, SILENT).better_A

    assert check(120.0) is None
    assert len(responds) == 3  # three micrographs, and no second look
    assert responds[0] == (tuple(120.0 * f for f in AROUND), 13 * 120.0)
    for near in (100.0, 144.0):
        assert check(near) is None
    for far in (60.0, 70.0, 240.0):
        assert check(far) == pytest.approx(60 * 1.25**3)
        assert responds[-1] == (DIAMETERS_A, 2000.0)


def test_nothing_seen_says_nothing(tmp_path: Path, responds: list[Any]) -> None:
    checked = check_diameter(
        load_model("general"), written(tmp_path, [1, 1, 1]), 120.0, ScalePlan(), HERE, SILENT
    )
    assert checked.better_A is None and not checked.says_anything
    # the middles first, then all of each at the diameters from the given one on
    assert [side for _, side in responds] == [1560.0] * 3 + [2000.0] * 3
    assert responds[-1][0] == (120.0, 168.0, 240.0)


def test_a_protein_is_found_at_its_own_size() -> None:
    wanted = SimulationSettings(
        seed=5,
        size=384,
        diameter_A=140.0,
        family="compact",
        symmetry="D2",
        particles_per_micrograph=20,
        fragments=False,
        aggregates=False,
        carbon=False,
    )
    made = simulate_micrograph(random_protein(wanted), wanted, 0)
    model = load_model("general")
    found = scale_curve(model, made.image, made.pixel_size_A, DIAMETERS_A)
    assert abs(math.log(found.best_A / 140.0)) <= math.log(1.25)
    assert found.most > 0.6 * len(made.truth.particles)
    with pytest.raises(MicrographError, match="check the pixel size"):
        scale_curve(model, made.image, 100.0, DIAMETERS_A)


def test_the_picture_says_what_was_taken() -> None:
    figure = scale_figure(curve(0, 30, 80, 40, 60, 100, 70), 183.0, given_A=90.0)
    assert figure.png.startswith(b"\x89PNG") and figure.name == "own_scale"
    assert "largest at 183 A" in figure.caption and "found at 94 A too" in figure.caption
