"""What we write: the bytes, the rounding, and that it reads back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import starfile
from hypothesis import given, settings
from hypothesis import strategies as st

from frostpick.errors import InputError
from frostpick.pick_columns import OPTIONAL
from frostpick.types import Picks
from frostpick_jobs.formats import (
    read_picks,
    star_list_writer,
    whole_pixels,
    write_csv,
    write_micrograph_star,
)
from frostpick_jobs.formats.converters import optional_names
from frostpick_jobs.formats.delimited import CSV
from frostpick_jobs.formats.star.pick_labels import STAR

pytestmark = pytest.mark.quick


def write_star_list(path, outputs, shapes=None):
    """The list of a job's picks, in one call; return how many are left out."""
    with star_list_writer(path) as write:
        return sum(write(picks, (shapes or {}).get(picks.micrograph_id)) for picks in outputs)


def test_relions_file_to_the_byte(tmp_path):
    path = tmp_path / "Movies" / "m.1_autopick.star"
    # (ny, nx) = (100, 200): 199.5 rounds to 200 and is off, -0.5 rounds to 0 and is on
    picks = Picks.from_xy(
        "m.1.mrc",
        [10.5, 199.49, 199.5, -0.5, -0.51, 5, 5],
        [20.49, 99.49, 5, 5, 5, 99.5, 0],
        score=[3.25, -1.0, 1, 2, 3, 4, np.inf],
        selected=[False, True, True, True, True, True, True],
    )
    assert write_micrograph_star(path, picks, (100, 200)) == 3
    assert path.read_text() == (
        "\n# version 30001\n\ndata_\n\nloop_\n"
        "_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnAutopickFigureOfMerit #3\n"
        "_rlnClassNumber #4\n_rlnAnglePsi #5\n"
        "    11.000000     20.000000     3.250000 0 0.000000\n"
        "   199.000000     99.000000    -1.000000 0 0.000000\n"
        "     0.000000      5.000000     2.000000 0 0.000000\n"
        "     5.000000      0.000000   999.000000 0 0.000000\n"
        "\n"
    )
    frame = starfile.read(path)  # another reader agrees
    assert frame["rlnCoordinateX"].tolist() == [11, 199, 0, 5]
    assert list(path.parent.iterdir()) == [path]


def test_an_empty_micrograph_gets_a_header(tmp_path):
    path = tmp_path / "empty.star"
    assert write_micrograph_star(path, Picks.empty("a"), (10, 10)) == 0
    assert path.read_text().endswith("_rlnAnglePsi #5\n\n")
    assert len(read_picks(path)) == 0


def test_rounding_is_never_truncation():
    picks = Picks.from_xy("a", [0.4999999, 0.5, 1.5, 2.5], [0, 0, 0, 0])
    x, _, inside = whole_pixels(picks, None)
    assert x.tolist() == [0, 1, 2, 3] and inside.all()


def test_csv_to_the_byte(tmp_path):
    path = tmp_path / "picks.csv"
    one = Picks.from_xy(
        "gridA/m,1.mrc", [1.23456, 10000.0005], [0, 2.5], score=[3.1415926, -0.00001234],
        probability=[0.987654321, 0.5], selected=[True, False],
    )  # fmt: skip
    two = Picks.from_xy('say "100%"', [5], [6])
    assert write_csv(path, iter([one, Picks.empty("none"), two])) == 3
    assert path.read_text() == (
        "micrograph,x_px,y_px,score,probability,selected\n"
        '"gridA/m,1.mrc",1.235,0.000,3.1416,0.98765,1\n'
        '"gridA/m,1.mrc",10000.001,2.500,-1.234e-05,0.5,0\n'
        '"say ""100%""",5.000,6.000,0,0.5,1\n'
    )
    table = read_picks(path)
    assert table.micrograph == ("gridA/m,1.mrc", "gridA/m,1.mrc", 'say "100%"')
    assert table.selected.tolist() == [True, False, True]


def test_star_list(tmp_path):
    path = tmp_path / "picks.star"
    one = Picks.from_xy("a b%.mrc", [1.6, 250], [0, 2.5], score=[1, 2])
    two = Picks.from_xy("00012", [5], [6], score=[-3])
    assert write_star_list(path, iter([one, two]), {"a b%.mrc": (100, 200)}) == 1
    table = read_picks(path)
    assert table.micrograph == ("a b%.mrc", "00012")
    assert table.x_px.tolist() == [2, 5] and table.score.tolist() == [1, -3]
    assert write_star_list(path, iter([])) == 0
    assert len(read_picks(path)) == 0


def test_a_stop_in_the_middle_leaves_the_old_file(tmp_path):
    path = tmp_path / "picks.csv"
    write_csv(path, [Picks.from_xy("a", [1], [2])])
    before = path.read_bytes()

    def stops():
        yield Picks.from_xy("b", [1], [2])
        raise KeyboardInterrupt

    for write in (write_csv, write_star_list):
        with pytest.raises(KeyboardInterrupt):
            write(path, stops())
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_line_break_in_a_name_is_refused(tmp_path):
    for write in (write_csv, write_star_list):
        with pytest.raises(InputError, match="line break"):
            write(tmp_path / "p", [Picks.from_xy("a\nb", [1], [2])])


def on_filaments(name, angle):
    """One filament from (10, 20) on, of which the last pick rounds to a place off the image."""
    return Picks.from_xy(
        name, [10, 12, 199.5], [20, 21.4, 99], score=[2, 1, 0.5], filament=[3, 3, 12],
        angle_deg=angle, selected=[True, False, True],
    )  # fmt: skip


def test_csv_with_optional_columns_to_the_byte(tmp_path):
    path = tmp_path / "picks.csv"
    one, two = (
        on_filaments("a%.mrc", [26.565051, 0, -90]),
        on_filaments("b.mrc", [-0.0, 1, 179.9996]),
    )
    # a micrograph without picks in front does not settle which columns there are
    assert write_csv(path, [Picks.empty("none"), one, two.keep([0, 2]), Picks.empty("x")]) == 5
    assert path.read_text() == (
        "micrograph,x_px,y_px,score,probability,selected,filament_id,angle_deg\n"
        "a%.mrc,10.000,20.000,2,0.8808,1,3,26.565\n"
        "a%.mrc,12.000,21.400,1,0.73106,0,3,0.000\n"
        "a%.mrc,199.500,99.000,0.5,0.62246,1,12,-90.000\n"
        "b.mrc,10.000,20.000,2,0.8808,1,3,0.000\n"
        "b.mrc,199.500,99.000,0.5,0.62246,1,12,180.000\n"
    )
    table = read_picks(path)
    assert table.filament.dtype == np.int64 and table.filament.tolist() == [3, 3, 12, 3, 12]
    assert table.angle_deg.tolist() == [26.565, 0, -90, 0, 180]
    assert table.keep(table.selected).filament.tolist() == [3, 12, 3, 12]


def test_relions_file_with_optional_columns_to_the_byte(tmp_path):
    """Psi is turned the other way, and the tilt of a filament is 90 degrees."""
    path = tmp_path / "m_autopick.star"
    assert write_micrograph_star(path, on_filaments("m", [26.565051, 0, -90]), (100, 200)) == 1
    assert path.read_text() == (
        "\n# version 30001\n\ndata_\n\nloop_\n"
        "_rlnCoordinateX #1\n_rlnCoordinateY #2\n_rlnAutopickFigureOfMerit #3\n"
        "_rlnClassNumber #4\n_rlnAnglePsi #5\n_rlnHelicalTubeID #6\n_rlnAngleTiltPrior #7\n"
        "_rlnAnglePsiPrior #8\n"
        "    10.000000     20.000000     2.000000 0   -26.565051      3    90.000000   -26.565051\n"
        "    12.000000     21.000000     1.000000 0     0.000000      3    90.000000     0.000000\n"
        "\n"
    )
    frame = starfile.read(path)
    assert frame["rlnHelicalTubeID"].tolist() == [3, 3]
    table = read_picks(path)
    assert table.filament.tolist() == [3, 3] and table.angle_deg.tolist() == [26.565051, 0]


@pytest.mark.parametrize(
    ("column", "labels", "row"),
    [
        ("filament", ["rlnHelicalTubeID", "rlnAngleTiltPrior"], "0 0.000000      7    90.000000"),
        ("angle_deg", ["rlnAnglePsiPrior"], "0    -7.000000    -7.000000"),
    ],
)
def test_one_optional_column_brings_no_other(tmp_path, column, labels, row):
    picks = Picks.from_xy("m", [1], [2], **{column: [7]})
    path = tmp_path / "list.star"
    assert write_star_list(path, [Picks.empty("none"), picks]) == 0
    text = path.read_text()
    written = [line.split()[0][1:] for line in text.splitlines() if "_rln" in line]
    assert written[5:] == ["rlnAnglePsi", *labels]
    assert text.endswith(f"m      1.000000      2.000000     0.000000 {row}\n\n")
    assert {n: v.tolist() for n, v in read_picks(path).optional().items()} == {column: [7]}
    write_csv(tmp_path / "p.csv", [picks])
    assert {n: v.tolist() for n, v in read_picks(tmp_path / "p.csv").optional().items()} == {
        column: [7]
    }


def test_every_optional_column_has_a_place_in_each_format():
    for table in (CSV, STAR):
        assert set(optional_names(table)) == set(OPTIONAL)


@pytest.mark.parametrize("write", [write_csv, write_star_list])
def test_micrographs_of_one_file_have_the_same_columns(tmp_path, write):
    plain, full = Picks.from_xy("a", [1], [2]), on_filaments("b", [0, 0, 0])
    for outputs in ([plain, full], [full, plain]):
        with pytest.raises(ValueError, match="optional columns"):
            write(tmp_path / "p", outputs)
    assert list(tmp_path.iterdir()) == []


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=10)
position = st.floats(0, 9999, allow_nan=False)
score = st.floats(-50, 50, allow_nan=False)
micrographs = st.dictionaries(
    names, st.lists(st.tuples(position, position, score, st.booleans()), max_size=5), max_size=5
)


@settings(max_examples=150, deadline=None)
@given(micrographs)
def test_round_trips(tmp_path_factory, content):
    folder: Path = tmp_path_factory.mktemp("trip")
    outputs = []
    for name, rows in content.items():
        x, y, s, chosen = np.array(rows, float).reshape(-1, 4).T
        outputs.append(Picks.from_xy(name, x, y, score=s, selected=chosen > 0))
    flat = [(p.micrograph_id, *row) for p in outputs for row in zip(p.x_px, p.y_px, p.score, p.probability, p.selected, strict=True)]  # fmt: skip  # noqa: E501

    write_csv(folder / "p.csv", outputs)
    table = read_picks(folder / "p.csv")
    assert list(table.micrograph) == [f[0] for f in flat]
    if flat:
        expected = np.array([f[1:5] for f in flat])
        np.testing.assert_allclose(table.x_px, expected[:, 0], atol=5.001e-4, rtol=0)
        np.testing.assert_allclose(table.y_px, expected[:, 1], atol=5.001e-4, rtol=0)
        np.testing.assert_allclose(table.score, expected[:, 2], rtol=5.001e-5, atol=0)
        np.testing.assert_allclose(table.probability, expected[:, 3], rtol=5.001e-5, atol=0)
        assert table.selected.tolist() == [f[5] for f in flat]

    quoted_twice = [n for n in content if '"' in n and "'" in n]
    if not quoted_twice:
        write_star_list(folder / "p.star", outputs)
        table = read_picks(folder / "p.star")
        assert list(table.micrograph) == [f[0] for f in flat]
        assert table.x_px.tolist() == [np.floor(f[1] + 0.5) for f in flat]
