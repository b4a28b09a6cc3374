"""The benchmarks of size, diameter and false picks, on cases done by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from accuracy.matching import match_picks
from accuracy.measure import Picked
from accuracy.sets import BenchSet, Split
from accuracy.truth_table import TruthTable
from response.extent_recall import recall_by_tilt, views_table
from response.false_picks import counts, false_table, phase_randomised, pick_empties, pick_ice
from response.film import Film, filtered, frequency_per_A, noise, transfer
from response.micrographs import (
    DEFOCUS_A,
    DIAMETER,
    DIAMETER_A,
    PIXEL_A,
    SHAPE,
    SNR,
    add_points,
    darkness,
    power,
    scenes,
)
from response.names import open_models, short_name
from response.objects import HOLE, body, random_rotation
from response.picking import Jobs
from response.plot import draw_curves
from response.score import Scorer
from response.stated_diameter import (
    diameter_table,
    even_table,
    extents_table,
    figures,
    pick_stated,
    warned_table,
)
from response.table import Answer, answered, reached, response_table, target_lines

from frostpick.models.shipped import load_model
from frostpick.picking.pick import pick_image
from frostpick.picking.plan import plan_picking
from frostpick.settings import PickSettings
from frostpick.simulate import write_mrc
from frostpick.types import Picks

FILM = Film(defocus_A=15_000.0, b_factor_A2=100.0, structural=0.5, red=1.0, ice=0.0)


@pytest.mark.parametrize(
    ("kind", "volume"),
    [
        ("rod", np.pi / 4 * 0.36),
        ("tube", np.pi / 4 * 0.36 * 0.75),
        ("disc", np.pi / 4 * 0.36 * 0.4),
        ("ring", np.pi / 4 * 0.36 * 0.75 * 0.4),
        ("shell", np.pi / 6 * 0.216 * (1 - 0.63**3)),
    ],
)
def test_a_body_has_its_outline_and_as_many_points_as_its_volume(kind: str, volume: float) -> None:
    points = body(np.random.default_rng(1), kind, 0.6, 100_000)
    # Half of the volume is solvent, in domains: the share in one body varies.
    assert len(points) == pytest.approx(100_000 * volume, rel=0.25)
    if kind == "shell":
        away = np.linalg.norm(points, axis=1)
        assert away.min() == pytest.approx(0.3 * 0.63, rel=0.01)
        assert away.max() == pytest.approx(0.3, rel=0.01)
        return
    # Upright but for a few degrees, of which a rod of length 1 shows at most a few hundredths.
    across = np.hypot(points[:, 0], points[:, 1])
    assert 0.29 < np.quantile(across, 0.99) < 0.36
    height = 1.0 if kind in ("rod", "tube") else 0.4
    assert np.ptp(points[:, 2]) == pytest.approx(height, abs=0.12)
    middle = points[np.abs(points[:, 2]) < 0.1]
    inner = np.hypot(middle[:, 0], middle[:, 1]).min()
    assert (inner > 0.3 * HOLE - 0.02) if kind in ("tube", "ring") else (inner < 0.05)


def test_a_particle_is_as_long_as_its_size_at_most_and_turned_anyhow() -> None:
    rng = np.random.default_rng(2)
    spans = []
    for _ in range(30):
        points = body(rng, "particle", 0.8, 20_000)
        assert np.linalg.norm(points, axis=1).max() <= 0.4 + 1e-9
        spans.append(np.ptp(points, axis=0))
    # No axis of the microscope is longer than another on the average.
    assert np.ptp(np.mean(spans, axis=0)) < 0.08
    turn = random_rotation(rng)
    assert np.allclose(turn @ turn.T, np.eye(3)) and np.linalg.det(turn) == pytest.approx(1)


def test_points_are_projected_where_they_are() -> None:
    density = np.zeros((40, 50))
    add_points(density, np.array([[0.0, 0.0, 0.4], [0.0, 0.0, -0.4]]), 20.25, 10.0, 3.0)
    assert density.sum() == pytest.approx(6.0)
    assert density[10, 20] == pytest.approx(4.5) and density[10, 21] == pytest.approx(1.5)
    add_points(density, np.array([[5.0, 0.0, 0.0]]), 20.0, 10.0)
    assert density.sum() == pytest.approx(6.0)


def test_the_transfer_is_dark_at_zero_and_vanishes_where_it_should() -> None:
    assert transfer(np.zeros(1), FILM)[0] == pytest.approx(-0.1)
    # Without the aberration, chi = pi - arcsin(A) at k^2 = (1 - arcsin(A) / pi) / (lambda z).
    k = np.sqrt((1 - np.arcsin(0.1) / np.pi) / (0.019687 * 15_000.0))
    assert abs(transfer(np.array([k]), FILM)[0]) < 0.02
    low = transfer(np.linspace(0, 0.9 * k, 50), FILM)
    assert (low < 0).all()


def test_noise_has_its_power_and_its_law() -> None:
    quiet = Film(15_000.0, 100.0, structural=0.5, red=0.0, ice=0.0)
    rng = np.random.default_rng(3)
    assert noise(rng, SHAPE, PIXEL_A, DIAMETER_A, quiet).var() == pytest.approx(1.0, rel=0.02)
    loud = Film(15_000.0, 100.0, structural=0.0, red=1e6, ice=0.0)
    image = noise(rng, SHAPE, PIXEL_A, DIAMETER_A, loud)
    spectrum = np.abs(np.fft.rfft2(image)) ** 2 / image.size
    k = frequency_per_A(SHAPE, PIXEL_A)

    def mean_power(diameters: float) -> float:
        at = np.abs(k * DIAMETER_A * diameters - 1) < 0.1
        return float(spectrum[at].mean())

    assert mean_power(1.0) == pytest.approx(1e6, rel=0.2)
    # Amplitude k^-1.2: power falls by 4^2.4 from one over the diameter to four over it.
    assert mean_power(1.0) / mean_power(0.25) == pytest.approx(4**2.4, rel=0.2)


def test_a_typical_particle_is_as_clear_as_stated_and_nothing_is_made_fainter() -> None:
    grey = darkness("particle", 1.0, "density")
    assert grey**2 * power("particle", 1.0) == pytest.approx(SNR)
    assert darkness("tube", 0.6, "density") == grey
    for kind, size in (("tube", 0.6), ("particle", 0.5), ("ring", 1.0)):
        seen = darkness(kind, size, "fair") ** 2 * power(kind, size)
        assert seen >= SNR * (1 - 1e-9)
        assert darkness(kind, size, "fair") >= grey
    # A tube end-on is darker than most, an undersized particle fainter.
    assert power("tube", 0.6) > power("particle", 1.0) > power("particle", 0.5)


def test_scenes_hold_every_object_once_and_far_enough_apart() -> None:
    made = list(scenes(9, False, kinds=("rod", "shell"), sizes=(0.5, 1.0)))
    objects = [one for scene in made for one in scene.objects]
    assert len(objects) == 36
    for kind in ("rod", "shell"):
        for size in (0.5, 1.0):
            assert sum(o.kind == kind and o.size == size for o in objects) == 9
    for scene in made:
        assert scene.image.shape == SHAPE and scene.image.dtype == np.float32
        xy = np.array([(o.x, o.y) for o in scene.objects])
        away = np.hypot(*(xy[:, None] - xy[None]).T) + 1e9 * np.eye(len(xy))
        assert away.min() >= 2.2 * DIAMETER - 1e-9
        low, high = xy.min(axis=0), xy.max(axis=0)
        assert low.min() > DIAMETER and (high < np.array(SHAPE[::-1]) - DIAMETER).all()
    again = next(scenes(9, False, kinds=("rod", "shell"), sizes=(0.5, 1.0)))
    assert np.array_equal(again.image, made[0].image)


def test_objects_are_dark_in_their_places() -> None:
    scene = next(scenes(9, True, kinds=("rod",), sizes=(0.6,)))
    k = frequency_per_A(SHAPE, PIXEL_A)
    smooth = filtered(scene.image.astype(float), np.exp(-2 * (np.pi * 0.15 * DIAMETER_A * k) ** 2))
    wide = filtered(scene.image.astype(float), np.exp(-2 * (np.pi * 0.8 * DIAMETER_A * k) ** 2))
    at = [(round(o.y), round(o.x)) for o in scene.objects]
    assert np.mean([smooth[y, x] - wide[y, x] for y, x in at]) < -2 * np.std(smooth - wide)
    assert len(DEFOCUS_A) == 4


def test_the_score_is_that_of_the_pick_at_the_place() -> None:
    """The fixed filter on three blobs: the same scores as its picks, and none where is nothing."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:300, :320]
    centres = [(80.0, 90.3), (200.6, 110.0), (150.0, 240.0)]
    image = rng.normal(0, 0.3, y.shape)
    for cx, cy in [(c[1], c[0]) for c in centres]:
        image -= 3 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 9.0**2))
    model = load_model("blob")
    scorer = Scorer(model, 170.0)
    places_y, places_x = [*(c[0] for c in centres), 40.0], [*(c[1] for c in centres), 260.0]
    scores = scorer.at(image.astype(np.float32), 5.0, places_x, places_y)
    plan = plan_picking(model, PickSettings(diameter=170.0, threads=1, device="cpu"))
    picks = pick_image(model, image.astype(np.float32), 5.0, plan).picks
    for k in range(3):
        near = np.hypot(picks.x_px - places_x[k], picks.y_px - places_y[k]) < 7
        # A pick's score is refined between the cells of the grid; ours is the best cell's.
        assert scores[k] == pytest.approx(picks.score[near].max(), abs=0.3)
    assert scores[3] < scores[:3].min() - 2


def answer(medians: dict[float, float], neighbours: bool = False) -> Answer:
    scores = {("ring", s): np.array([m - 1, m, m + 3]) for s, m in medians.items()}
    return Answer("m", neighbours, scores)


def test_the_range_is_the_longest_unbroken_one() -> None:
    sizes = [0.4, 0.5, 0.6, 0.7, 0.8]
    assert answered(sizes, [1, -1, 0, 2, 3]) == (0.6, 0.8)
    assert answered(sizes, [1, 1, -1, -1, 2]) == (0.4, 0.5)
    assert answered(sizes, [-1] * 5) is None
    assert answered(sizes, [0.0] * 5) == (0.4, 0.8)


def test_tables_say_medians_shares_and_the_worst_of_the_target() -> None:
    one = answer({0.4: -9.0, 0.5: -2.0, 1.0: 0.5, 1.15: 4.0, 1.3: -5.0})
    text = response_table([one], ["ring"])
    assert "-2.0 .33" in text and "+0.5 .67" in text and "1.00 to 1.15" in text
    assert reached(one, ["ring"]) == (2, 3, ("ring", 0.5, -2.0))
    assert "2 of 3 medians; worst -2.0, ring of 0.5 diameters" in target_lines([one], ["ring"])


def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "curves.png"
    draw_curves([answer({0.5: 1.0, 1.0: 2.0}), answer({0.5: 0.0}, True)], ["ring"], path)
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_random_phases_keep_every_amplitude_and_the_mean() -> None:
    rng = np.random.default_rng(6)
    for shape in ((40, 60), (41, 61)):
        image = (rng.standard_normal(shape) + 7).astype(np.float32)
        image[10:20, 15:25] -= 4
        other = phase_randomised(rng, image)
        before, after = np.abs(np.fft.fft2(image)), np.abs(np.fft.fft2(other))
        assert np.allclose(after, before, rtol=1e-3, atol=1e-3)
        assert other.mean() == pytest.approx(image.mean(), rel=1e-5)
        assert abs(np.corrcoef(image.ravel(), other.ravel())[0, 1]) < 0.2


def truth_of(*rows: tuple[str, float, float, float]) -> TruthTable:
    """Return whole particles of rows (name, x, y, tilt)."""
    name, x, y, tilt = (list(column) for column in zip(*rows, strict=True))
    n = len(rows)
    return TruthTable(
        np.arange(n),
        np.array(name),
        np.array(x, float),
        np.array(y, float),
        np.zeros(n),
        np.array(tilt, float),
        np.zeros(n, bool),
        np.array(["particle"] * n),
    )


TRUTH = truth_of(("a", 50, 50, 5), ("a", 90, 50, 176), ("a", 50, 90, 90), ("b", 60, 60, 40))
#: On a: the second, the third (doubtful), and a false one; on b: the particle, with certainty.
PICKED = Picked(
    {
        "a": Picks.from_xy("a", [91.0, 51.0, 120.0], [50.0, 90.0, 120.0], score=[2.0, -1.0, 1.0]),
        "b": Picks.from_xy("b", [60.0], [62.0], score=[4.0]),
    },
    threshold=1.5,
)


def test_recall_is_counted_by_folded_tilt() -> None:
    matched = match_picks(PICKED.picks, TRUTH, ("a", "b"), (200, 200), 20.0)
    views = recall_by_tilt(matched, 0.0)
    assert views is not None
    assert [(v["found"], v["particles"]) for v in views] == [
        (1, 2), (0, 0), (1, 1), (0, 0), (0, 0), (0, 1)
    ]  # fmt: skip
    one = {"model": "m", "factor": 0.85, "views": views}
    text = views_table([one, one])
    assert "0.50 of 4" in text and "1.00 of 2" in text and " 0.85 |" in text


def bench_set(folder: Path, truth: TruthTable) -> BenchSet:
    table = folder / "t.csv"
    table.write_text("extent\n" + "\n".join(["0.9"] * len(truth)) + "\n")
    split = Split(folder, table, ("a", "b"), (200, 200), truth)
    return BenchSet("s", 5.0, 100.0, False, split, split)


def test_figures_of_a_wrong_diameter_are_those_of_the_true_one(tmp_path: Path) -> None:
    found = figures(bench_set(tmp_path, TRUTH), "test", PICKED)
    # True, true, false, true at 4, 2, 1 and -1; four particles: (1 + 1 + 3/4) / 4.
    assert found["ap"] == pytest.approx(0.6875)
    assert found["even"] == {"precision": pytest.approx(2 / 3), "recall": 0.5}
    assert found["selected"] == {"precision": 1.0, "recall": 0.5}
    assert found["extents"] == [{"low": 0.0, "high": 1.0, "found": 2, "particles": 4}]
    told = {"set": "s", "model": "m", "in_force": 1.02, **found}
    rows = [
        {**told, "factor": f, "warned": f == 0.7, "ap": ap}
        for f, ap in ((0.7, 0.25), (1.0, 0.9), ("auto", 0.95))
    ]
    warned = " ".join(warned_table(rows).split())
    assert "0.7 | 1 | auto" in warned and "yes | no | 1.02" in warned
    extents = " ".join(extents_table(rows).split())
    assert "0.50 | 0.50 | 0.50" in extents and "0-1 (4)" in extents
    text = diameter_table([row for row in rows if row["factor"] != "auto"])
    assert "0.250 | 0.900 | 0.250" in text
    assert "0.67 / 0.50" in even_table(rows)


def test_counts_are_a_micrograph_and_none_is_none() -> None:
    assert counts(PICKED, ["a", "b", "c"]) == {"even": 1.0, "selected": pytest.approx(2 / 3)}
    assert counts(PICKED, ["c"]) == {"even": 0.0, "selected": 0.0}
    one = {"where": "x", "kind": "", "model": "m", "kinds": {"blank": {"even": 1, "selected": 2}}}
    other = {"where": "y", "model": "n", "kinds": {"carbon": {"even": 0.25, "selected": 0}}}
    text = false_table([one, other])
    assert "m, P > .5" in text and "n, own threshold" in text
    assert text.count("|  ") and "1.0" in text and "-" in text


def test_jobs_pick_with_the_stated_diameter_and_keep_what_they_found(tmp_path: Path) -> None:
    """The fixed filter through the whole product on two micrographs of dark discs."""
    rng = np.random.default_rng(8)
    y, x = np.mgrid[:200, :200]
    micrographs = tmp_path / "micrographs"
    micrographs.mkdir()
    rows = []
    for name in ("a", "b"):
        image = rng.normal(10, 0.3, (200, 200))
        for cx, cy in ((50, 60), (140, 70), (90, 150)):
            image -= 3 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 6.0**2))
            rows.append((name, cx, cy, 10.0))
        write_mrc(micrographs / f"{name}.mrc", image.astype(np.float32), 5.0)
    data = bench_set(tmp_path, truth_of(*rows))
    models = open_models(["blob"])
    (name,) = models
    assert name == short_name("blob", models[name]) and name.startswith("blob-")
    jobs = Jobs(tmp_path / "out")
    found = pick_stated(jobs, name, models[name], data, "test", 1.0)
    assert found["ap"] == pytest.approx(1.0) and found["views"][0] == {"found": 6, "particles": 6}
    (file,) = (tmp_path / "out" / "results").iterdir()
    file.write_text(file.read_text().replace('"factor": 1.0', '"factor": 9.0'))
    assert pick_stated(jobs, name, models[name], data, "test", 1.0)["factor"] == 9.0

    empties = pick_empties(jobs, name, models[name], data)
    assert list(empties["kinds"]) == ["test: true", "test: false", "random phases"]
    assert empties["kinds"]["test: true"]["even"] == 3.0
    assert not list((tmp_path / "out" / "work").iterdir())


def test_ice_is_counted_by_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kinds.csv").write_text(
        "micrograph,kind\na.mrc,great\nb.mrc,no_ice\nc.mrc,no_ice\n"
    )
    asked = []

    def pick(self: Jobs, model: object, folder: Path, diameter_A: float) -> Picked:
        asked.append((folder, diameter_A))
        return PICKED

    monkeypatch.setattr(Jobs, "pick", pick)
    ice = pick_ice(Jobs(tmp_path / "out"), "blob-1", load_model("blob"), tmp_path, 120.0)
    assert asked == [(tmp_path, 120.0)]
    assert ice["kinds"] == {
        "great": {"even": 2.0, "selected": 1.0},
        "no_ice": {"even": 0.5, "selected": 0.5},
    }
