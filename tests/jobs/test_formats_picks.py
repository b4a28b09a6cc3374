"""Picks of every format we claim to read, from literal text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from frostpick.errors import InputError
from frostpick_jobs.formats import read_pick_files, read_picks

pytestmark = pytest.mark.quick


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def rows(table):
    return list(zip(table.micrograph, table.x_px.tolist(), table.y_px.tolist(), strict=True))


RELION_ONE = """
# version 30001

data_

loop_
_rlnCoordinateX #1
_rlnCoordinateY #2
_rlnAutopickFigureOfMerit #3
_rlnClassNumber #4
_rlnAnglePsi #5
  464.000000   316.600000     5.117774            0     0.000000
   90.000000   530.000000    -1.500000            0     0.000000

"""


def test_relions_file_of_one_micrograph(tmp_path):
    path = put(tmp_path / "gridA" / "mic_1.2_autopick.star", RELION_ONE)
    table = read_picks(path)
    name = (tmp_path / "gridA" / "mic_1.2_autopick").as_posix()
    assert rows(table) == [(name, 464.0, 316.6), (name, 90.0, 530.0)]
    assert table.score.tolist() == [5.117774, -1.5]
    assert table.shift_A is None and table.pixel_size_A is None and table.selected is None


def test_one_list_of_many_micrographs_keeps_numeric_names(tmp_path):
    text = (
        "data_any_name\nloop_\n_rlnCoordinateY #1\n_rlnMicrographName #2\n_rlnCoordinateX #3\n"
        "2 00012 1\n4 12345678901234567890 3\n6 00012 5\n"
    )
    table = read_picks(put(tmp_path / "list.star", text))
    big = "12345678901234567890"
    assert rows(table) == [("00012", 1, 2), (big, 3, 4), ("00012", 5, 6)]
    by_name = {n: r.tolist() for n, r in table.rows_by_micrograph().items()}
    assert by_name == {"00012": [0, 2], big: [1]}


OPTICS = """
# version 30001
data_optics
loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographOriginalPixelSize #3
_rlnImagePixelSize #4
_rlnImageSize #5
g1 1 0.5 4.0 64
g2 2 0.5 3.0 64
"""
PARTICLES = """
data_particles
loop_
_rlnImageName #1
_rlnMicrographName #2
_rlnCoordinateX #3
_rlnCoordinateY #4
_rlnOriginXAngst #5
_rlnOriginYAngst #6
_rlnOpticsGroup #7
000001@Extract/job005/a.mrcs M/a.mrc 100.0 200.0  6.0 -3.0 1
000002@Extract/job005/a.mrcs M/a.mrc 110.0 210.0  0.0  0.0 2
"""


def test_particles_are_recentred_by_the_pixel_size_of_the_micrograph(tmp_path):
    # extraction binned the images: neither 4.0 nor the movie's 0.5 is what coordinates are in
    table = read_picks(put(tmp_path / "particles.star", OPTICS + PARTICLES))
    assert rows(table) == [("M/a.mrc", 100, 200), ("M/a.mrc", 110, 210)]
    x, y = table.centres(np.array([0, 1]), 1.5)
    assert x.tolist() == [96.0, 110.0] and y.tolist() == [202.0, 210.0]
    with pytest.raises(ValueError, match="pixel size"):
        table.centres(np.array([0]), None)
    assert table.centres(np.array([1]), None)[0].tolist() == [110.0]


def test_the_micrographs_pixel_size_where_the_file_tells_it(tmp_path):
    text = OPTICS.replace("_rlnMicrographOriginalPixelSize", "_rlnMicrographPixelSize") + PARTICLES
    assert read_picks(put(tmp_path / "p.star", text)).pixel_size_A.tolist() == [0.5, 0.5]
    lost = (OPTICS + PARTICLES).replace(" -3.0 1", " -3.0 9").replace("OriginalPixel", "Pixel")
    with pytest.raises(InputError, match="'9' is used in 'data_particles'"):
        read_picks(put(tmp_path / "lost.star", lost))


def test_particles_of_relion_30_shift_in_pixels_of_the_image(tmp_path):
    text = (
        "data_\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
        "_rlnOriginX #4\n_rlnOriginY #5\n_rlnDetectorPixelSize #6\n_rlnMagnification #7\n"
        "a.mrc 100 200 2 -1 6.0 10000\n"
    )
    table = read_picks(put(tmp_path / "p.star", text))
    # images of 6 A per pixel, micrograph of 3: 12 A and -6 A are 4 and -2 pixels
    assert table.shift_A.tolist() == [[12.0, -6.0]]
    x, y = table.centres(np.array([0]), 3.0)
    assert (x[0], y[0]) == (96.0, 202.0)
    bare = text.replace("_rlnMagnification", "_rlnVoltage")
    with pytest.raises(InputError, match=r"p\.star: rlnOriginX is in pixels"):
        read_picks(put(tmp_path / "p.star", bare))
    unshifted = bare.replace("2 -1 6.0", "0 0 6.0")
    assert read_picks(put(tmp_path / "p.star", unshifted)).shift_A is None


def test_autopick_list(tmp_path, monkeypatch):
    project = tmp_path
    put(project / "External/job004/Movies/gridA/m.1_autopick.star", RELION_ONE)
    put(
        project / "External/job004/Movies/gridB/m.1_autopick.star",
        "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n",
    )
    put(project / "External/job004/Movies/gridC/m.1_autopick.star", "")
    entries = "".join(
        f"MotionCorr/job002/Movies/{g}/m.1.mrc External/job004/Movies/{g}/m.1_autopick.star\n"
        for g in ("gridB", "gridA", "gridC")
    )
    text = (
        "# version 50001\n\ndata_coordinate_files\n\nloop_\n_rlnMicrographName #1\n"
        "_rlnMicrographCoordinates #2\n" + entries
    )
    path = put(project / "External/job004/autopick.star", text)
    name = "MotionCorr/job002/Movies/gridA/m.1.mrc"
    expected = [(name, 464.0, 316.6), (name, 90.0, 530.0)]
    assert rows(read_picks(path, project)) == expected
    assert rows(read_picks(path)) == expected  # found above the list
    monkeypatch.chdir(project)
    table = read_picks(Path("External/job004/autopick.star"))
    assert rows(table) == expected and table.score.tolist() == [5.117774, -1.5]
    with pytest.raises(InputError, match=r"m\.1_autopick\.star is not there"):
        read_picks(path, tmp_path / "External")


def test_coords_suffix_of_relion_31(tmp_path):
    mics = "data_\nloop_\n_rlnMicrographName #1\n" + "".join(
        f"MotionCorr/job002/Movies/grid{g}/m.1.mrc\n" for g in "AB"
    )
    put(tmp_path / "CtfFind/job003/micrographs_ctf.star", mics)
    put(tmp_path / "ManualPick/job004/Movies/gridB/m.1_manualpick.star", RELION_ONE)
    path = put(
        tmp_path / "ManualPick/job004/coords_suffix_manualpick.star",
        "CtfFind/job003/micrographs_ctf.star\n",
    )
    name = "MotionCorr/job002/Movies/gridB/m.1.mrc"
    assert rows(read_picks(path)) == [(name, 464.0, 316.6), (name, 90.0, 530.0)]
    put(path, "CtfFind/job099/micrographs_ctf.star\n")
    with pytest.raises(InputError, match="expected the path of a micrographs STAR"):
        read_picks(path)


def test_files_of_one_list_may_differ_in_columns(tmp_path):
    put(tmp_path / "a.star", RELION_ONE)
    put(tmp_path / "b.star", "data_\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n1 2\n")
    text = (
        "data_x\nloop_\n_rlnMicrographName #1\n_rlnMicrographCoordinates #2\nA a.star\nB b.star\n"
    )
    table = read_picks(put(tmp_path / "list.star", text), tmp_path)
    np.testing.assert_allclose(table.score, [5.117774, -1.5, np.nan], rtol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "micrograph,x_px,y_px,score,probability,selected\na b.mrc,1.5,2,3.25,0.9,1\n"
        "c,4,5,-1,0.1,0\n",
        "micrograph\tx_px\ty_px\tscore\tprobability\tselected\r\n"
        "a b.mrc\t1.5\t2\t3.25\t.9\tTrue\r\n"
        "c\t4\t5\t-1\t.1\tfalse\r\n",
        "# made by hand\n\nselected;score;y_coord;x_coord;probability;image_name;note\n"
        '1;3.25;2;1.5;0.9;"a b.mrc";"x;y"\n\n0;-1;5;4;0.1;c;\n',
    ],
)
def test_tables_with_a_header(tmp_path, text):
    table = read_picks(put(tmp_path / "picks.csv", text))
    assert rows(table) == [("a b.mrc", 1.5, 2.0), ("c", 4.0, 5.0)]
    assert table.score.tolist() == [3.25, -1] and table.probability.tolist() == [0.9, 0.1]
    assert table.selected.tolist() == [True, False] and table.format == "csv"


def test_topaz_text_and_a_table_of_one_micrograph(tmp_path):
    topaz = put(tmp_path / "t.txt", "image_name\tx_coord\ty_coord\tscore\n0012\t5\t6\t-2.5\n")
    table = read_picks(topaz)
    assert rows(table) == [("0012", 5, 6)] and table.format == "topaz"
    single = put(tmp_path / "m.5.csv", "x, y\n1, 2\n")
    assert rows(read_picks(single)) == [((tmp_path / "m.5").as_posix(), 1, 2)]
    blanks = put(tmp_path / "b.txt", "image_name x_coord  y_coord\n m1  3 4 \n")
    assert rows(read_picks(blanks)) == [("m1", 3, 4)]


def test_truth_columns(tmp_path):
    text = "image_name,x_coord,y_coord,edge,kind\na,1,2,1,particle\na,3,4,0,fragment\n"
    table = read_picks(put(tmp_path / "truth.csv", text))
    assert table.edge.tolist() == [True, False] and table.kind == ("particle", "fragment")


def test_box_centre_is_the_pixel_that_relion_takes(tmp_path):
    path = put(tmp_path / "mic_1.box", "10\t20\t64\t64\r\n-5 0 101 101 -3\n\n")
    name = (tmp_path / "mic_1").as_posix()
    # pixel n // 2 of the box, the values that RELION 3.1.3 makes of these lines
    assert rows(read_picks(path)) == [(name, 42.0, 52.0), (name, 45.0, 50.0)]
    with pytest.raises(InputError, match="line 1: 2 values"):
        read_picks(put(tmp_path / "bad.box", "1 2\n"))
    with pytest.raises(InputError, match="row 1: x is 'a'"):
        read_picks(put(tmp_path / "bad.box", "a 2 3 4\n"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("zero.star", ""),
        ("zero.csv", ""),
        ("zero.box", ""),
        ("zero.txt", "\n\n"),
        ("head.star", "\ndata_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n"),
        ("block.star", "data_\n"),
        ("head.csv", "micrograph,x_px,y_px\n"),
        ("head.txt", "image_name\tx_coord\ty_coord\tscore\n"),
        ("particles.star", OPTICS + PARTICLES.split("000001")[0]),
        (
            "list.star",
            "data_coordinate_files\nloop_\n_rlnMicrographName\n_rlnMicrographCoordinates\n",
        ),
    ],
)
def test_files_without_picks(tmp_path, name, text):
    table = read_picks(put(tmp_path / name, text))
    assert len(table) == 0 and table.rows_by_micrograph() == {}


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "abc", "", "1,5"])
def test_coordinates_that_are_no_numbers(tmp_path, value):
    csv = put(tmp_path / "p.csv", f'micrograph,x_px,y_px\na,1,2\na,3,"{value}"\n')
    with pytest.raises(InputError, match=r"p\.csv, row 2: y_px is '") as error:
        read_picks(csv)
    assert repr(value) in str(error.value)
    star = put(
        tmp_path / "p.star", f"data_\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n'{value}' 2\n"
    )
    with pytest.raises(InputError, match=r"p\.star, row 1: rlnCoordinateX is '"):
        read_picks(star)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.csv", "name,a,b\nx,1,2\n", "found the columns name, a, b; expected"),
        ("p.csv", "a.mrc,10,20\n", "expected a header line with micrograph,x_px,y_px"),
        ("p.csv", "micrograph,x_px,y_px\na,1\n", "row 1: 2 values, expected 3"),
        ("p.csv", "x_px,y_px,selected\n1,2,maybe\n", "row 1: selected is 'maybe', expected 1 or 0"),
        ("p.csv", "x_px,y_px,score\n1,nan,2\n", "row 1: y_px is 'nan'"),
        ("p.star", "data_\nloop_\n_rlnImageName #1\n1@a\n", "'data_' has rlnImageName; expected"),
        ("p.mrc", "\0\1 1\n", "no text file; expected picks as STAR, CSV"),
        ("p.star", "10 20 64 64\n", "expected a STAR file"),
        ("p.star", OPTICS, "found the block 'data_optics' only"),
    ],
)
def test_wrong_files(tmp_path, name, text, message):
    with pytest.raises(InputError, match=message) as error:
        read_picks(put(tmp_path / name, text))
    assert name in str(error.value)


def test_folders_patterns_and_lists(tmp_path):
    put(tmp_path / "d/gridB/m1.star", RELION_ONE)
    put(tmp_path / "d/gridA/m1.star", RELION_ONE)
    put(tmp_path / "d/m2.box", "0 0 2 2\n")
    put(tmp_path / "d/notes.md", "nothing")
    put(tmp_path / "d/.m3.star.tmp", "half")
    names = [str(t.path.relative_to(tmp_path)) for t in read_pick_files([tmp_path / "d"])]
    assert names == ["d/gridA/m1.star", "d/gridB/m1.star", "d/m2.box"]
    one = read_pick_files([str(tmp_path / "d" / "**" / "m1.star"), tmp_path / "d/gridA/m1.star"])
    assert [str(t.path.parent.name) for t in one] == ["gridA", "gridB"]  # each file once
    with pytest.raises(InputError, match=r"nowhere.*no picks there"):
        read_pick_files([tmp_path / "nowhere"])
    odd = put(tmp_path / "odd [1].csv", "x_px,y_px\n1,2\n")
    assert len(read_pick_files([odd])) == 1  # a file is taken as it is, brackets and all


def test_a_job_folder_is_read_once(tmp_path):
    job = tmp_path / "External" / "job004"
    put(job / "Movies/m1_autopick.star", RELION_ONE)
    for note in ("job.star", "job_pipeline.star", "RELION_OUTPUT_NODES.star", "note.txt"):
        put(job / note, "data_x\n_a 1\n")
    (table,) = read_pick_files([job])
    assert len(table) == 2 and table.path.name == "m1_autopick.star"
    put(
        job / "autopick.star",
        "data_coordinate_files\nloop_\n_rlnMicrographName #1\n_rlnMicrographCoordinates #2\n"
        "Movies/m1.mrc External/job004/Movies/m1_autopick.star\n",
    )
    (table,) = read_pick_files([job])
    assert table.micrograph == ("Movies/m1.mrc",) * 2
    out = tmp_path / "out"
    put(out / "picks.csv", "micrograph,x_px,y_px\na,1,2\n")
    put(out / "picks.star", RELION_ONE)
    assert [t.path.name for t in read_pick_files([out])] == ["picks.csv"]


def test_a_list_that_lists_itself(tmp_path):
    text = "data_x\nloop_\n_rlnMicrographName #1\n_rlnMicrographCoordinates #2\nA a.star\n"
    with pytest.raises(InputError, match="expected rlnCoordinateX"):
        read_picks(put(tmp_path / "a.star", text), tmp_path)


#: `relion_helix_toolbox --extract_rln --segments` of RELION 3.1.3, for the tube from (100, 100)
#: to (400, 250).
TUBE = """
# version 30001

data_

loop_
_rlnCoordinateX #1
_rlnCoordinateY #2
_rlnHelicalTubeID #3
_rlnAngleTiltPrior #4
_rlnAnglePsiPrior #5
_rlnHelicalTrackLengthAngst #6
_rlnAnglePsiFlipRatio #7
  100.268328   100.134164            1    90.000000    -26.56505     0.000000     0.000000
  127.101144   113.550572            1    90.000000    -26.56505    60.000000     0.000000
"""


def test_relions_helical_segments(tmp_path):
    table = read_picks(put(tmp_path / "a.star", TUBE))
    assert table.filament.tolist() == [1, 1] and table.filament.dtype == np.int64
    np.testing.assert_allclose(table.angle_deg, np.degrees(np.arctan2(150, 300)), atol=1e-5)


def test_optional_columns_of_a_list_are_those_of_all_its_files(tmp_path, caplog):
    put(tmp_path / "a.star", TUBE)
    put(tmp_path / "b.star", TUBE.replace("            1 ", "            2 "))
    put(tmp_path / "none.star", TUBE.split("  100.26")[0].replace("_rlnHelicalTubeID #3\n", ""))
    plain = "data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n1 2\n"
    put(tmp_path / "c.star", plain)
    head = "data_coordinate_files\n\nloop_\n_rlnMicrographName #1\n_rlnMicrographCoordinates #2\n"
    put(tmp_path / "l.star", head + "a.mrc a.star\nn.mrc none.star\nb.mrc b.star\n")
    table = read_picks(tmp_path / "l.star", tmp_path)
    assert table.filament.tolist() == [1, 1, 2, 2] and len(table.angle_deg) == 4
    with caplog.at_level("INFO"):
        put(tmp_path / "l.star", head + "a.mrc a.star\nc.mrc c.star\n")
        table = read_picks(tmp_path / "l.star", tmp_path)
    assert len(table) == 3 and table.optional() == {}
    assert "column filament is left out, 1 of 2 files with picks do not have it" in caplog.text


@pytest.mark.parametrize("value", ["1.5", "x", "1e30", "nan", "inf", "", "<NA>"])
def test_a_filament_that_is_no_whole_number_is_not_known(tmp_path, value, caplog):
    path = put(tmp_path / "p.csv", f"x_px,y_px,filament_id\n1,2,4.0\n3,4,{value}\n")
    table = read_picks(path)
    assert table.filament.tolist() == [4, 0] and table.filament.dtype == np.int64
    (said,) = caplog.messages
    assert said.startswith(f"{path}: filament_id is no whole number in 1 of 2 rows")
    assert f"row 2 with {value!r}" in said


@pytest.mark.parametrize("value", ["nan", "-inf", "None"])
def test_optional_columns_of_a_star_file_refuse_no_row(tmp_path, value, caplog):
    broken = TUBE.replace("-26.56505     0", f"{value:>9}     0").replace(
        "  1    90", "  ?    90", 1
    )
    table = read_picks(put(tmp_path / "a.star", broken))
    assert table.x_px.tolist() == [100.268328, 127.101144]
    assert table.filament.tolist() == [0, 1]
    np.testing.assert_allclose(table.angle_deg, [np.nan, np.degrees(np.arctan2(150, 300))], 1e-5)
    assert [said.split(": ")[1].partition(" rows")[0] for said in caplog.messages] == [
        "rlnHelicalTubeID is no whole number in 1 of 2",
        "rlnAnglePsiPrior is no finite number in 1 of 2",
    ]
