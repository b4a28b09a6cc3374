"""Whatever a file holds, reading it gives picks or one sentence, never a traceback."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from frostpick.errors import InputError
from frostpick_jobs.formats import read_micrographs_star, read_picks

SCRAPS = [
    "data_", "data_optics", "data_particles", "loop_", "\n", "\n\n", " ", "\t", ",", ";", '"', "'",
    "#1", "_rlnCoordinateX", "_rlnCoordinateY", "_rlnMicrographName", "_rlnOriginX", "_rlnOriginY",
    "_rlnOriginXAngst", "_rlnOriginYAngst", "_rlnOpticsGroup", "_rlnMicrographPixelSize",
    "_rlnMicrographCoordinates", "_rlnAutopickFigureOfMerit", "1", "2.5", "nan", "-inf", "a.mrc",
    "micrograph", "x_px", "y_px", "score", "selected", "x", "y", "1e400", "\x00", "\ufeff", "\xa0",
]  # fmt: skip
salad = st.lists(st.sampled_from(SCRAPS), max_size=60).map(
    lambda words: " ".join(words).replace(" \n ", "\n").encode()
)


@settings(max_examples=300, deadline=None)
@given(
    salad | st.binary(max_size=300),
    st.sampled_from([".star", ".csv", ".txt", ".box", "", "coords_suffix_a.star"]),
)
@example(b'x,y\n"' + b"1" * 200_000, ".csv")
@example(b"", ".star")
@example(b"data_ " * 60, "coords_suffix_a.star")  # a name too long for any file
def test_only_our_own_errors(tmp_path_factory, content, suffix):
    folder = tmp_path_factory.mktemp("fuzz") / "External" / "job004"
    folder.mkdir(parents=True)
    path = folder / (suffix if suffix.startswith("coords") else f"file{suffix}")
    path.write_bytes(content)
    try:
        table = read_picks(path)
    except InputError as error:
        assert str(path) in str(error)
    else:
        n = len(table)
        assert len(table.x_px) == len(table.y_px) == n
        assert all(map(math.isfinite, [*table.x_px, *table.y_px]))
    try:
        rows = read_micrographs_star(path)
    except InputError as error:
        assert str(path) in str(error)
    else:
        assert all(row.pixel_size_A is None or row.pixel_size_A > 0 for row in rows)


def test_a_folder_or_nothing_in_place_of_a_file(tmp_path):
    for path in (tmp_path, tmp_path / "none.csv", tmp_path / "none.star"):
        with pytest.raises(InputError, match="cannot be read"):
            read_picks(path)
