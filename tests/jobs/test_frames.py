"""Data frames of what frostpick gives, and STAR files of data frames."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import starfile
from hypothesis import given, settings
from hypothesis import strategies as st

import frostpick_jobs
from frostpick.errors import InputError
from frostpick.types import Decisions, Labels, Picks
from frostpick_jobs.formats import (
    MicrographRow,
    read_micrographs_star,
    read_picks,
    read_star_blocks,
    write_csv,
)
from frostpick_jobs.formats.frames import to_dataframe, write_star

ONE = Picks.from_xy("a.mrc", [1.25, 2.5], [3, 4], score=[0.0, -1.5], selected=[True, False])
TWO = Picks.from_xy("b\udcff.mrc", [5], [6], score=[2.0], row=[7])


def test_picks_of_several_micrographs_are_one_frame() -> None:
    frame = frostpick_jobs.to_dataframe(one for one in (ONE, TWO))
    names = ["micrograph", "x_px", "y_px", "score", "probability", "selected", "row"]
    assert frame.columns.tolist() == names
    assert frame["micrograph"].tolist() == ["a.mrc", "a.mrc", "b\udcff.mrc"]
    assert frame["x_px"].tolist() == [1.25, 2.5, 5] and frame["y_px"].tolist() == [3, 4, 6]
    assert frame["score"].tolist() == [0, -1.5, 2]
    # 1 / (1 + exp(1.5)) and 1 / (1 + exp(-2))
    assert np.allclose(frame["probability"], [0.5, 0.1824255, 0.8807971], atol=1e-7)
    assert frame["selected"].tolist() == [True, False, True] and frame["selected"].dtype == bool
    assert frame["row"].tolist() == [-1, -1, 7] and frame["row"].dtype == np.int64
    pd.testing.assert_frame_equal(to_dataframe(ONE), frame[:2])
    for nothing in ([], [Picks.empty("a")]):
        empty = to_dataframe(nothing)
        assert len(empty) == 0 and empty.dtypes.tolist() == frame.dtypes.tolist()


def test_optional_columns_are_in_the_frame_where_there_are_any(tmp_path: Path) -> None:
    tubes = Picks.from_xy("t.mrc", [1, 2], [3, 4], filament=[1, 1], angle_deg=[10.0, 20.0])
    frame = to_dataframe([tubes, Picks.empty("a")])
    assert frame["filament"].tolist() == [1, 1] and frame["angle_deg"].tolist() == [10, 20]
    write_csv(tmp_path / "picks.csv", [tubes])
    frame = to_dataframe(read_picks(tmp_path / "picks.csv"))
    assert frame["filament"].tolist() == [1, 1] and frame["angle_deg"].tolist() == [10, 20]


def test_labels_have_a_sign() -> None:
    labels = Labels.from_xy("a", [1, 2], [3, 4], sign=np.array([1, -1], np.int8))
    assert to_dataframe(labels)["sign"].tolist() == [1, -1]
    assert "sign" not in to_dataframe([labels, ONE])


def test_a_table_of_a_file_has_the_columns_of_the_file(tmp_path: Path) -> None:
    write_csv(tmp_path / "picks.csv", [ONE])
    frame = to_dataframe(read_picks(tmp_path / "picks.csv"))
    assert frame.columns.tolist() == [
        *("micrograph", "x_px", "y_px", "score", "probability", "selected"),
    ]
    assert frame["x_px"].tolist() == [1.25, 2.5] and frame["selected"].tolist() == [True, False]
    (tmp_path / "p.star").write_text(
        "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographPixelSize #2\n1 1.5\n\n"
        "data_particles\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
        "_rlnOriginXAngst #4\n_rlnOriginYAngst #5\n_rlnOpticsGroup #6\n00012 1 2 3 -4 1\n\n"
    )
    frame = to_dataframe(read_picks(tmp_path / "p.star"))
    assert frame.to_dict("list") == {
        **{"micrograph": ["00012"], "x_px": [1.0], "y_px": [2.0]},
        **{"shift_x_A": [3.0], "shift_y_A": [-4.0], "pixel_size_A": [1.5]},
    }
    (tmp_path / "truth.csv").write_text("x_px,y_px,edge,kind\n1,2,1,ice\n")
    frame = to_dataframe(read_picks(tmp_path / "truth.csv"))
    assert frame["edge"].tolist() == [True] and frame["kind"].tolist() == ["ice"]


def test_decisions_and_lists() -> None:
    nan = np.nan
    decisions = Decisions(
        np.arange(3),
        np.array([True, False, False]),
        np.array([2.0, -1.0, nan]),
        np.array([0.88, 0.27, nan]),
        np.array([0.1, 0.2, nan]),
        np.array([0, 1, 8], np.int8),
    )
    frame = to_dataframe(decisions)
    assert frame.columns.tolist() == ["row", "keep", "score", "probability", "spread", "reason"]
    assert frame["reason"].tolist() == ["", "not particle", "not read"]
    assert frame["keep"].tolist() == [True, False, False] and np.isnan(frame["score"][2])
    frame = to_dataframe([MicrographRow("0007", 1.5, "fine"), MicrographRow("b")])
    assert frame["micrograph"].tolist() == ["0007", "b"] and frame["group"].tolist() == [
        "fine",
        None,
    ]
    assert frame["pixel_size_A"][0] == 1.5 and np.isnan(frame["pixel_size_A"][1])


@pytest.mark.parametrize("wrong", [3, "picks.csv", [ONE, MicrographRow("a")], [1.0]])
def test_anything_else_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match="expected picks of one or more micrographs, decisions"):
        to_dataframe(wrong)  # type: ignore[arg-type]


def test_a_frame_of_picks_is_a_star_file_for_relion(tmp_path: Path) -> None:
    path = tmp_path / "below" / "picks.star"
    write_star(to_dataframe(ONE)[["micrograph", "x_px", "y_px", "score", "selected"]], path)
    assert path.read_bytes() == (
        b"\n# version 30001\n\ndata_\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n"
        b"_rlnCoordinateY #3\n_rlnAutopickFigureOfMerit #4\n_selected #5\n"
        b"a.mrc\t1.000000\t3.000000\t0.000000\t1\na.mrc\t3.000000\t4.000000\t-1.500000\t0\n\n"
    )
    found = read_picks(path)
    assert found.x_px.tolist() == [1, 3] and found.micrograph == ("a.mrc", "a.mrc")
    assert list(path.parent.iterdir()) == [path]


def test_blocks_and_numbers_of_every_size(tmp_path: Path) -> None:
    path = tmp_path / "p.star"
    numbers = [0.0, 1e-9, -2.5e-4, 0.001, 123456.789, -1e300, 100000.0]
    particles = pd.DataFrame(
        {"rlnImageName": [f"00000{n}@a b.mrcs" for n in range(7)], "rlnNumber": numbers},
        index=[f"not written {n}" for n in range(7)],
    )
    particles["rlnCount"] = np.arange(7, dtype=np.int16)
    optics = pd.DataFrame({"rlnOpticsGroupName": ["#1"], "rlnOpticsGroup": [1]})
    write_star({"optics": optics, "particles": particles}, path, 50001)
    ours = read_star_blocks(path)
    assert path.read_text().count("# version 50001\n") == 2 and list(ours) == [
        "optics",
        "particles",
    ]
    assert ours["optics"].columns == {"rlnOpticsGroupName": ["#1"], "rlnOpticsGroup": ["1"]}
    assert ours["particles"].columns["rlnNumber"] == [
        *("0.000000", "1.000000e-09", "-2.500000e-04", "0.001000", "1.234568e+05"),
        *("-1.000000e+300", "100000.000000"),
    ]
    assert ours["particles"].columns["rlnImageName"][3] == "000003@a b.mrcs"
    assert ours["particles"].columns["rlnCount"] == list("0123456")
    write_star(optics, path, None)
    assert path.read_text().lstrip("\n").startswith("data_\n")


def test_a_list_of_micrographs_comes_back(tmp_path: Path) -> None:
    rows = [MicrographRow("a.mrc", 1.5), MicrographRow("b.mrc", 2.0)]
    frame = to_dataframe(rows).drop(columns="group")
    write_star({"micrographs": frame}, tmp_path / "m.star")
    assert read_micrographs_star(tmp_path / "m.star") == rows


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ({"rlnA": [1.0, np.nan]}, "row 2: rlnA is nan; a STAR file has text and finite numbers"),
        ({"rlnA": ["a", None]}, "row 2: rlnA is (None|nan)"),
        ({"rlnA": [np.inf]}, "rlnA is inf"),
        ({"rlnA": [pd.Timestamp(2020, 1, 1)]}, "rlnA is Timestamp"),
        ({"x_px": [5.0, -0.51]}, r"row 2: x_px is -0.51, off the image"),
        ({"y_px": [-1]}, "y_px is -1, off the image"),
        ({"rlnA": ["a\tb"]}, "cannot write a tab"),
        ({"rlnA": ["a\u2028b"]}, "cannot write a tab, a line break"),
        ({"rlnA": ["a\nb"]}, "line break"),
        ({"micrograph": pd.Series(["a\udcff"], dtype=object)}, "no UTF-8"),
        ({"_rlnA": [1]}, "without an underscore in front"),
        ({"rln A": [1]}, "without blanks"),
        ({3: [1]}, "column 3; expected a label"),
        ({"score": [1], "rlnAutopickFigureOfMerit": [1]}, "comes twice"),
        ({}, "with 0 columns"),
    ],
)
def test_what_cannot_be_written_is_told_and_nothing_is_lost(
    tmp_path: Path, frame: dict[str, Any], words: str
) -> None:
    path = tmp_path / "p.star"
    path.write_text("as it was")
    with pytest.raises(InputError, match=words):
        write_star({"good": to_dataframe(ONE), "x": pd.DataFrame(frame)}, path)
    assert path.read_text() == "as it was" and list(tmp_path.iterdir()) == [path]


word = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(word, st.integers(-(2**40), 2**40), st.booleans()), max_size=5))
def test_any_frame_reads_back(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    path = tmp_path_factory.mktemp("frame") / "t.star"
    frame = pd.DataFrame(rows, columns=["rlnMicrographName", "b", "c"])
    try:
        write_star({"x": frame}, path)
    except InputError:
        assert any('"' in name and "'" in name for name, *_ in rows)
        return
    found = read_star_blocks(path)["x"].columns
    assert found["rlnMicrographName"] == [name for name, *_ in rows]
    assert found["b"] == [str(b) for _, b, _ in rows]
    assert found["c"] == [str(int(c)) for *_, c in rows]


def test_no_module_of_ours_loads_pandas_until_a_frame_is_made() -> None:
    code = """
import importlib, pkgutil, sys
import frostpick, frostpick_jobs
for package in (frostpick, frostpick_jobs):
    for one in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not one.name.startswith("frostpick_jobs.hosts.cryosparc"):  # may not be installed
            importlib.import_module(one.name)
assert "frostpick_jobs.formats.frames" in sys.modules
assert callable(frostpick_jobs.to_dataframe)
sys.exit(bool({"pandas", "starfile"} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_starfile_reads_what_it_has_written(tmp_path: Path) -> None:
    write_star(to_dataframe(ONE), tmp_path / "p.star")
    frame = starfile.read(tmp_path / "p.star")
    assert frame["rlnCoordinateX"].tolist() == [1, 3] and frame["selected"].tolist() == [1, 0]
