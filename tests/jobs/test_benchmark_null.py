"""The benchmark of noise: what a pick lies on, and when truth and decoys agree, by hand."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from accuracy.sets import Split
from accuracy.truth_table import TruthTable
from bench_null import model_of, places
from null_picks.table import ice_table, sets_table, sums_table, within
from null_picks.truth import lies_on
from PIL import Image

from frostpick.models.model_file import WEIGHTS
from frostpick.types import Picks

pytestmark = pytest.mark.quick

SHAPE, D = (300, 400), 40.0


def split_with_junk(folder: Path) -> Split:
    """A particle, one that is cut, a fragment, and a crystal in the mask."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[200:220, 200:220] = 1
    (folder / "masks").mkdir()
    Image.fromarray(mask).save(folder / "masks" / "m.png")
    n = 3
    table = TruthTable(
        np.arange(n),
        np.array(["m"] * n),
        np.array([100.0, 2.0, 300.0]),
        np.array([100.0, 150.0, 50.0]),
        *(np.full(n, np.nan) for _ in range(2)),
        np.array([False, True, False]),
        np.array(["particle", "particle", "fragment"]),
    )
    return Split(folder, folder / "coords.csv", ("m",), SHAPE, table, {}, folder / "masks")


def test_a_pick_lies_on_a_particle_on_junk_or_on_background(tmp_path: Path) -> None:
    places_ = [(119, 100), (121, 100), (10, 150), (319, 50), (209, 191), (209, 188), (380, 280)]
    x, y = np.array(places_, float).T
    found = lies_on(Picks.from_xy("m", x, y, score=[0.0] * 7), split_with_junk(tmp_path), D)
    assert found.particle.tolist() == [True, False, True, False, False, False, False]
    # within half a diameter of a fragment, a quarter of the mask
    assert found.junk.tolist() == [False, False, False, True, True, False, False]
    assert found.background.tolist() == [False, True, False, False, False, True, True]


def row(background: int, expected: float | None, low: float = 0.0, high: float = 0.0) -> dict:
    return {
        **{"p": 0.5, "picks": 100, "particle": 80, "junk": 3, "background": background},
        **{"expected": expected, "low": low, "high": high, "inverted": 7, "decoys": 5},
    }


@pytest.mark.parametrize(
    ("one", "word"),
    [
        (row(30, 20.0), "yes"),
        (row(20, 30.0), "yes"),
        (row(31, 20.0), "no"),
        (row(31, 20.0, 12.0, 33.0), "interval"),
        (row(2, 9.0), "interval"),  # too few on both sides for a factor
        (row(0, 12.0, 3.0, 20.0), "no"),
        (row(5, None), "-"),
    ],
)
def test_truth_and_decoys_agree_within_a_factor_or_the_interval(one: dict, word: str) -> None:
    assert within(one) == word


def test_sums_are_over_sets_of_one_count_of_labels() -> None:
    results = [
        {"set": "a", "labels": "none", "rows": [row(30, 20.0)]},
        {"set": "b", "labels": "none", "rows": [row(1, 40.0)]},
        {"set": "a", "labels": "15", "rows": [row(5, 5.0)]},
    ]
    none, few = sums_table(results).splitlines()[2:]
    cells = [cell.strip() for cell in none.strip("|").split("|")]
    # b's 40 are more than its 1 + 3 false picks
    assert cells == ["none", "0.5", "2", "31", "60", "6", "1", "1", "1", "0"]
    assert few.split("|")[1].strip() == "15"
    assert sets_table(results).count("\n") == 4


def test_the_ice_has_a_row_a_kind_and_no_share_without_a_pick() -> None:
    rows = {"great": [row(0, 4.0)], "none": [{**row(0, 1.0), "picks": 0}]}
    great, none = ice_table([{"diameter_A": 120.0, "kinds": rows}]).splitlines()[2:]
    assert [c.strip() for c in great.strip("|").split("|")][-3:] == ["7", "5", "4%"]
    assert none.strip("| ").endswith("-")


def test_sets_and_models_of_one_version_belong_together(tmp_path: Path) -> None:
    sets, runs = tmp_path / "sets", tmp_path / "runs"
    for name in ("tube_r-aaaa", "tube_r-bbbb"):
        (sets / name).mkdir(parents=True)
    kept = runs / "tube_r-aaaa" / "models" / "tube_r-15-d0-plain-general-2-cc-dd"
    kept.mkdir(parents=True)
    (kept / WEIGHTS).touch()
    options = Namespace(sets="tube_r,apof_r", unseen=sets, runs=runs, model="general")
    assert places(options) == {"tube_r": sets / "tube_r-aaaa", "apof_r": None}
    assert model_of(options, "tube_r", "tube_r-aaaa", "15") == kept
    assert model_of(options, "tube_r", "tube_r-aaaa", "0") is None
    assert model_of(options, "tube_r", "tube_r-aaaa", "none") == "general"
    with pytest.raises(SystemExit, match="no set rod_w"):
        places(Namespace(sets="rod_w", unseen=sets, runs=runs))
