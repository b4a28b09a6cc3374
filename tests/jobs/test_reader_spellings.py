"""Every reader on every spelling: the same values, or a sentence; nothing wrong in silence.

The table of styles is in `spellings`; how such files are copied is in `test_star_spellings`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spellings import (
    FIXED,
    NUMBERS,
    STAR_STYLES,
    TABLE_STYLES,
    Rows,
    StarStyle,
    TableStyle,
    star,
    table,
)

from frostpick.errors import InputError
from frostpick_jobs.formats import read_picks
from frostpick_jobs.formats.micrograph_list import read_micrograph_list
from frostpick_jobs.formats.star.particles import read_particles

#: What every file below says: micrograph, x, y, score, optics group.
TRUTH = [
    ("MotionCorr/job002/Movies/00012.mrc", 464.0, 316.5, 5.25, 1),
    ("MotionCorr/job002/Movies/grid B/m_1.2.mrc", 90.25, 530.0, -1.5, 2),
    ("MotionCorr/job002/Movies/data_3#x.mrc", 3700.0, 12.0, 0.0, 1),
]
#: Optics group -> name, pixel size of its micrographs and of its particles.
GROUPS = {1: ("opticsGroup1", 0.88, 3.52), 2: ("late", 1.25, 2.5)}


def optics(rows: list[Any], *sizes: int) -> Rows:
    """Return the optics groups with pixel sizes of micrographs (1), of particles (2)."""
    used = sorted({row[4] for row in rows})
    labels = {1: "rlnMicrographPixelSize", 2: "rlnImagePixelSize"}
    return Rows(
        {
            "rlnOpticsGroupName": [GROUPS[g][0] for g in used],
            "rlnOpticsGroup": list(map(float, used)),
        }
        | {labels[n]: [GROUPS[g][n] for g in used] for n in sizes}
    )


def picks_of(rows: list[Any]) -> Rows:
    return Rows(
        {
            "rlnMicrographName": [row[0] for row in rows],
            "rlnCoordinateX": [row[1] for row in rows],
            "rlnCoordinateY": [row[2] for row in rows],
            "rlnAutopickFigureOfMerit": [row[3] for row in rows],
            "rlnOpticsGroup": [float(row[4]) for row in rows],
        }
    )


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def check_star(folder: Path, rows: list[Any], style: StarStyle) -> None:
    """Write micrographs, picks and particles in a style; what the readers give is the truth."""
    names = [row[0] for row in rows]
    groups = [float(row[4]) for row in rows]
    listed = Rows({"rlnMicrographName": names, "rlnOpticsGroup": groups})
    content = star([("optics", optics(rows, 1)), (style.block or "micrographs", listed)], style)
    found = read_micrograph_list(write(folder / "mics.star", content))
    assert [(one.name, one.pixel_size_A, one.group) for one in found] == [
        (row[0], GROUPS[row[4]][1], GROUPS[row[4]][0]) for row in rows
    ]

    picked = picks_of(rows)
    content = star([("optics", optics(rows, 1)), (style.block, picked)], style)
    picks = read_picks(write(folder / "picks.star", content))
    assert picks.score is not None and picks.pixel_size_A is not None
    assert list(picks.micrograph) == names
    assert picks.x_px.tolist() == [row[1] for row in rows]
    assert picks.y_px.tolist() == [row[2] for row in rows]
    assert picks.score.tolist() == [row[3] for row in rows]
    assert picks.pixel_size_A.tolist() == [GROUPS[row[4]][1] for row in rows]

    images = [f"{n:06d}@Extract/job005/{'ab'[n % 2]}.mrcs" for n in range(1, len(rows) + 1)]
    cut = Rows({"rlnImageName": images, **picked.columns})
    content = star([("optics", optics(rows, 1, 2)), (style.block or "particles", cut)], style)
    path = write(folder / "particles.star", content)
    boxes = read_particles(path)
    assert boxes.x_px is not None and boxes.y_px is not None and boxes.merit is not None
    assert [
        f"{n + 1:06d}@{file}" for n, file in zip(boxes.index, boxes.file, strict=True)
    ] == images
    assert boxes.micrograph == tuple(names)
    assert boxes.x_px.tolist() == [row[1] for row in rows]
    assert boxes.y_px.tolist() == [row[2] for row in rows]
    assert boxes.merit.tolist() == [row[3] for row in rows]
    assert boxes.pixel_size_A.tolist() == [GROUPS[row[4]][2] for row in rows]
    assert boxes.position_pixel_A.tolist() == [GROUPS[row[4]][1] for row in rows]
    again = read_picks(path)
    assert again.micrograph == picks.micrograph and again.x_px.tolist() == picks.x_px.tolist()


def check_table(folder: Path, rows: list[Any], style: TableStyle) -> None:
    """Write picks as a table with a header; what the reader gives is the truth."""
    keys = ("name", "x", "y", "score")
    columns = {key: [row[n] for row in rows] for n, key in enumerate(keys)}
    picks = read_picks(write(folder / "picks.csv", table(Rows(columns), style)))
    assert picks.score is not None
    found = zip(picks.micrograph, picks.x_px, picks.y_px, picks.score, strict=True)
    assert list(found) == [tuple(row[:4]) for row in rows]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("style", STAR_STYLES.values(), ids=STAR_STYLES)
def test_star(tmp_path: Path, style: StarStyle, count: int) -> None:
    check_star(tmp_path, TRUTH[:count], style)


@pytest.mark.parametrize("style", TABLE_STYLES.values(), ids=TABLE_STYLES)
def test_tables(tmp_path: Path, style: TableStyle) -> None:
    check_table(tmp_path, TRUTH, style)


name = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="\"'"),
    min_size=1,
    max_size=8,
).map(lambda text: f"M/{text}.mrc")
spaced = st.tuples(name, name).map(" ".join)
place = st.integers(0, 999_999).map(lambda n: n / 4)
score = st.integers(-9_900, 9_900).map(lambda n: n / 4)
rows_of_picks = st.lists(
    st.tuples(name | spaced, place, place, score, st.sampled_from([1, 2])), min_size=1, max_size=4
)
ends = st.sampled_from(["\n", "\r\n", "\r"])
numbers = st.sampled_from(NUMBERS)
flag = st.booleans()
star_styles = st.builds(
    StarStyle,
    end=ends,
    mark=flag,
    numbered=flag,
    blank=st.sampled_from([" ", "\t", "   ", " \t"]),
    pad=st.sampled_from(["", " ", "\t"]),
    indent=st.sampled_from(["", "  ", "\t"]),
    quote=st.sampled_from(["", "'", '"']),
    number=numbers,
    turned=flag,
    others=flag,
    comments=flag,
    gaps=flag,
    airy=flag,
    optics_last=flag,
    pairs=flag,
    block=st.sampled_from(["", "particles", "images", "micrographs", "x.1"]),
    last_end=flag,
)
table_styles = st.builds(
    TableStyle,
    delimiter=st.sampled_from([",", "\t", ";"]),
    end=ends,
    mark=flag,
    names=st.sampled_from([style.names for style in TABLE_STYLES.values()]),
    number=numbers,
    turned=flag,
    others=flag,
    quoted=flag,
    index=flag,
    comment=flag,
    gap=flag,
)


@settings(max_examples=120)
@given(rows=rows_of_picks, style=star_styles)
def test_star_in_any_style(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], style: StarStyle
) -> None:
    check_star(tmp_path_factory.mktemp("star"), rows, style)


@settings(max_examples=120)
@given(rows=rows_of_picks, style=table_styles)
def test_tables_in_any_style(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], style: TableStyle
) -> None:
    check_table(tmp_path_factory.mktemp("table"), rows, style)


SCORES = {
    "relion, topaz": ("rlnAutopickFigureOfMerit", "5.25"),
    "an older topaz": ("rlnParticleScore", "5.25"),
    "box pickers": ("rlnScore", "5.250000"),
}


@pytest.mark.parametrize("label,text", SCORES.values(), ids=SCORES)
def test_scores_by_their_labels(tmp_path: Path, label: str, text: str) -> None:
    head = f"data_\n\nloop_\n_rlnCoordinateX #1 \n_rlnCoordinateY #2 \n_{label} #3 \n"
    picks = read_picks(write(tmp_path / "m.star", (head + f"10\t20\t{text}\n").encode()))
    assert picks.score is not None and picks.score.tolist() == [5.25]


# rlnImageName: the stack, and the section from 0.
IMAGES = {
    "relion": ("000012@Extract/job005/Movies/a.mrcs", "Extract/job005/Movies/a.mrcs", 11),
    "no zeros": ("12@a.mrcs", "a.mrcs", 11),
    "an absolute path": ("000012@/data/a b.mrcs", "/data/a b.mrcs", 11),
    "pyem": ("000012@J12/extract/a.mrc", "J12/extract/a.mrc", 11),
    "pyem, CryoSPARC's mark": ("000012@>J12/extract/a.mrc", "J12/extract/a.mrc", 11),
    "an @ in the name": ("1@a@b.mrcs", "a@b.mrcs", 0),
    "an image of its own": ("boxes/a_12.mrc", "boxes/a_12.mrc", 0),
    "the same, marked": (">J12/a_12.mrc", "J12/a_12.mrc", 0),
}


@pytest.mark.parametrize("text,file,index", IMAGES.values(), ids=IMAGES)
def test_images_of_particles(tmp_path: Path, text: str, file: str, index: int) -> None:
    content = star([("", Rows({"rlnImageName": [text]}))], StarStyle(quote='"'))
    rows = read_particles(write(tmp_path / "p.star", content), 1.0)
    assert (rows.image, rows.file, rows.index.tolist()) == ((text,), (file,), [index])


@pytest.mark.parametrize("text", ["000000@a.mrcs", "x@a.mrcs", "-1@a.mrcs", "1.0@a.mrcs", "1@"])
def test_images_that_are_nowhere(tmp_path: Path, text: str) -> None:
    content = star([("", Rows({"rlnImageName": [text]}))], StarStyle())
    with pytest.raises(
        InputError, match=r"p\.star, row 1: rlnImageName is .*expected NUMBER@STACK"
    ):
        read_particles(write(tmp_path / "p.star", content), 1.0)


# x, y of the box's corner and its size; the particle is on pixel corner + size // 2.
BOXES = {
    "eman1, crYOLO": "10\t20\t64\t64\n",
    "relion": "  10   20   64   64\n",
    "topaz": "10\t20\t64\t64",
    "floats": "10.0 20.000000 6.4e1 64.\n",
    "commas": "10,20,64,64\n",
    "commas and blanks": "10, 20, 64, 64\n",
    "score": "10 20 64 64 0.87\n",
    "windows": "10\t20\t64\t64\r\n\r\n",
    "old mac": "10\t20\t64\t64\r",
    "byte-order mark": "\ufeff10\t20\t64\t64\n",
    "comments of e2helixboxer": "#micrograph: a.mrc\n#segment length: 64\n10 20 64 64\n",
}


@pytest.mark.parametrize("text", BOXES.values(), ids=BOXES)
def test_boxes(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "m1.box", text.encode())
    picks = read_picks(path)
    assert list(zip(picks.micrograph, picks.x_px, picks.y_px, strict=True)) == [
        ((tmp_path / "m1").as_posix(), 42.0, 52.0)
    ]


LISTS = {
    "plain": "a b.mrc\n00012.mrc\n",
    "windows": "a b.mrc\r\n00012.mrc\r\n",
    "old mac": "a b.mrc\r00012.mrc",
    "byte-order mark, comments, blank lines": "\ufeff# mine\n\n  a b.mrc\n\n#\n00012.mrc  \n",
}


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS)
def test_lists_of_micrographs(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "mics.txt", text.encode())
    assert [row.name for row in read_micrograph_list(path)] == ["a b.mrc", "00012.mrc"]


HEAD = "data_\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n"
#: File name, what it holds, and the sentence: read on, each of these would be wrong in silence.
REFUSED = {
    "decimal commas in a csv": ("p.csv", "x,y\n10,5,20,5\n", "row 1: 4 values, expected 2"),
    "decimal commas of excel": ("p.csv", "x;y\n10,5;20,5\n", "row 1: x_px is '10,5'"),
    "R's names of rows": ("p.txt", '"x" "y"\n"1" 10 20\n', "found the columns"),
    "names of rows without a header": ("p.txt", "x y\n1 10 20\n", "row 1: 3 values, expected 2"),
    "a comma in a name": ("p.csv", "x,y,micrograph\n1,2,a,b.mrc\n", "4 values, expected 3"),
    "a value too few": ("p.csv", "micrograph,x,y\na,1\n", "row 1: 2 values, expected 3"),
    "no header": ("p.csv", "a.mrc,1,2\n", "expected a header line"),
    "VIA's csv": ("p.csv", "filename,file_size,region_count\na.png,-1,3\n", "found the columns"),
    "decimal commas in a box": ("p.box", "10,5 20,5 64 64\n", "line 1: 3 values"),
    "a line of marks in a box": ("p.box", "10 20\n", "line 1: 2 values"),
    "1_000": ("p.csv", "x,y\n1_000,2\n", "row 1: x_px is '1_000'"),
    "1_000 in star": ("p.star", HEAD + "1 2\n3 1_000\n", "row 2: rlnCoordinateY is '1_000'"),
    "1_000 in a box": ("p.box", "1_0 2 64 64\n", "row 1: x is '1_0'"),
    "a column too many": ("p.star", HEAD + "1 2 3\n", "line 5: 3 values in a table of 2"),
    "fortran's powers": ("p.star", HEAD + "1.0D+02 2\n", "rlnCoordinateX is '1.0D\\+02'"),
    "a missing value of starfile": ("p.star", HEAD + "<NA>\t2\n", "rlnCoordinateX is '<NA>'"),
    "a missing value of pyem": ("p.star", HEAD + " 2\n", "line 5: 1 values in a table of 2"),
    "a name that begins as a label": (
        "p.star",
        "data_\nloop_\n_rlnMicrographName\n_rlnCoordinateX\n_rlnCoordinateY\n_a.mrc 1 2\n",
        "line 6: label _a.mrc of a loop with 2 values, expected none",
    ),
    "a label twice": ("p.star", HEAD.replace("Y #2", "X #2") + "1 2\n", "twice in block"),
    "UTF-16": ("p.csv", "\ufeffx,y\n1,2\n".encode("utf-16-le"), "UTF-16"),
}


NAMES = ["\xa0_x.mrc", "_x.mrc", "data_", "loop_", "#1.mrc", "it's.mrc", "a\u3000b.mrc"]


@pytest.mark.parametrize("named", NAMES)
def test_names_that_look_like_syntax(tmp_path: Path, named: str) -> None:
    """Quoted, and the first where a blank of another alphabet stands before it."""
    rows = [(named, 1.0, 2.0, 3.0, 1), ("b.mrc", 4.0, 5.0, 6.0, 2)]
    for count in (1, 2):
        check_star(tmp_path, rows[:count], StarStyle(quote="" if named[0] == "\xa0" else '"'))


@pytest.mark.parametrize("file,text,said", REFUSED.values(), ids=REFUSED)
def test_what_is_no_table_is_refused(
    tmp_path: Path, file: str, text: str | bytes, said: str
) -> None:
    path = write(tmp_path / file, text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=said) as error:
        read_picks(path)
    assert file in str(error.value)


@pytest.mark.parametrize(
    "read,label",
    [
        (read_picks, "rlnCoordinateX"),
        (lambda path: read_particles(path, 1.0), "rlnImageName"),
        (read_micrograph_list, "rlnMicrographName"),
    ],
)
def test_a_second_table_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, read: Any, label: str
) -> None:
    """As RELION, the readers take one table of a file: the first, where no name decides."""
    columns = picks_of(TRUTH).columns
    if label == "rlnMicrographName":
        columns = {label: columns[label]}
    elif label == "rlnImageName":
        columns = {label: [f"{n}@a.mrcs" for n in (1, 2, 3)]}
    content = star([("a", Rows(columns)), ("b", Rows(columns))], StarStyle())
    assert len(read(write(tmp_path / "p.star", content))) == 3
    assert f"only block 'data_a' is read; 3 rows with {label} in data_b are not" in caplog.text
    caplog.clear()
    read(write(tmp_path / "p.star", star([("a", Rows(columns))], StarStyle())))
    assert not caplog.text


def test_what_a_row_can_do_without(tmp_path: Path) -> None:
    """Optional columns that a program leaves empty count as not given; no row is lost."""
    missing = star([("", picks_of(TRUTH))], replace(StarStyle(), number=FIXED))
    text = missing.replace(b" -1.500000 ", b" <NA> ").replace(b" 5.250000 ", b" 1_0 ")
    picks = read_picks(write(tmp_path / "p.star", text))
    assert picks.score is not None and len(picks) == 3
    np.testing.assert_array_equal(picks.score, [np.nan, np.nan, 0.0])
