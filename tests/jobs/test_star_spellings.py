"""One table in every spelling that programs give it: all who read it and copy it agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from spellings import STAR_STYLES, Rows, star

from frostpick.errors import InputError
from frostpick.types import Decisions
from frostpick_jobs.formats import read_picks, read_star_blocks
from frostpick_jobs.formats.micrograph_list import read_micrographs_star
from frostpick_jobs.formats.star.columns import score_columns, write_with_columns
from frostpick_jobs.formats.star.particles import read_particles
from frostpick_jobs.formats.star.rows import copy_rows

OPTICS = "\n# version 30001\n\ndata_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnImagePixelSize #2\n"
LABELS = (
    *("_rlnImageName", "_rlnMicrographName", "_rlnCoordinateX", "_rlnCoordinateY"),
    "_rlnOpticsGroup",
)
ROWS = [f"{n}@Extract/s.mrcs Mics/m{n}.mrc {10 * n} {10 * n + 5} 1" for n in (1, 2, 3)]


def text(block: str = "particles", rows: list[str] = ROWS) -> str:
    head = [f"{one} #{n}" for n, one in enumerate(LABELS, 1)]
    lines = ["", f"data_{block}", "", "loop_", *head, *rows, ""]
    return OPTICS + "1 2.5\n\n" + "\n".join(lines)


TABLES = [
    ("optics", Rows({"rlnOpticsGroup": [1.0], "rlnImagePixelSize": [2.5]})),
    (
        "particles",
        Rows(
            {
                "rlnImageName": [f"{n}@Extract/s.mrcs" for n in (1, 2, 3)],
                "rlnMicrographName": [f"Mics/m{n}.mrc" for n in (1, 2, 3)],
                "rlnCoordinateX": [10.0, 20.0, 30.0],
                "rlnCoordinateY": [15.0, 25.0, 35.0],
                "rlnOpticsGroup": [1.0] * 3,
            }
        ),
    ),
]
#: Who writes it so, and the file: every style, and what is none.
SPELLINGS: dict[str, bytes] = {
    **{name: star(TABLES, style) for name, style in STAR_STYLES.items()},
    "relion-3.0-block-without-name": text("").encode(),
    "byte-order-mark-in-the-middle": text().replace("data_part", "\ufeffdata_part").encode(),
    "no-utf-8": text().replace("# version", "# \udcb5 version").encode(errors="surrogateescape"),
    "pandas-floats": text(rows=[r[:-2] + " 1.000000" for r in ROWS]).encode(),
    "optics-of-another-name": text().replace("data_optics", "data_my_optics").encode(),
}


def particles(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("raw", SPELLINGS.values(), ids=SPELLINGS)
def test_all_readers_agree(tmp_path: Path, raw: bytes) -> None:
    path = particles(tmp_path / "p.star", raw)
    rows = read_particles(path)
    assert rows.file == ("Extract/s.mrcs",) * 3 and rows.index.tolist() == [0, 1, 2]
    assert rows.micrograph == ("Mics/m1.mrc", "Mics/m2.mrc", "Mics/m3.mrc")
    assert rows.pixel_size_A.tolist() == [2.5] * 3
    assert rows.x_px is not None and rows.x_px.tolist() == [10, 20, 30]
    picks = read_picks(path)
    assert picks.micrograph == rows.micrograph and picks.y_px.tolist() == [15, 25, 35]


@pytest.mark.parametrize("raw", SPELLINGS.values(), ids=SPELLINGS)
def test_what_is_kept_and_what_is_not_make_the_whole_byte_for_byte(
    tmp_path: Path, raw: bytes
) -> None:
    path = particles(tmp_path / "p.star", raw)
    copy_rows(path, tmp_path / "all.star", np.ones(3, np.bool_))
    assert (tmp_path / "all.star").read_bytes() == raw
    keep = np.array([True, False, True])
    copy_rows(path, tmp_path / "kept.star", keep)
    copy_rows(path, tmp_path / "others.star", ~keep)
    assert read_particles(tmp_path / "kept.star").index.tolist() == [0, 2]
    assert read_particles(tmp_path / "others.star").index.tolist() == [1]


@pytest.mark.parametrize("raw", SPELLINGS.values(), ids=SPELLINGS)
def test_columns_are_added_to_the_same_rows(tmp_path: Path, raw: bytes) -> None:
    path = particles(tmp_path / "p.star", raw)
    score = np.array([1.5, -2.0, 0.25])
    write_with_columns(path, tmp_path / "out.star", score_columns(decisions(score)))
    rows = read_particles(tmp_path / "out.star")
    assert rows.index.tolist() == [0, 1, 2] and rows.pixel_size_A.tolist() == [2.5] * 3
    assert rows.merit is not None and rows.merit.tolist() == score.tolist()


def decisions(score: np.ndarray) -> Decisions:
    n = len(score)
    return Decisions(
        row=np.arange(n),
        keep=np.ones(n, np.bool_),
        score=score,
        probability=np.full(n, 0.5),
        spread=np.full(n, 0.1),
        reason=np.zeros(n, np.uint8),
    )


ONE = (
    "data_particles\n\n_rlnImageName   3@a.mrcs # why\n_rlnImagePixelSize 1.5\n"
    "_rlnAutopickFigureOfMerit   7.25\n\ndata_more\n_x 1\n"
)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_one_particle_as_labels_and_values(tmp_path: Path, end: str) -> None:
    raw = ONE.replace("\n", end).encode()
    path = particles(tmp_path / "p.star", raw)
    assert read_particles(path).index.tolist() == [2]
    copy_rows(path, tmp_path / "kept.star", np.array([True]))
    assert (tmp_path / "kept.star").read_bytes() == raw
    copy_rows(path, tmp_path / "none.star", np.array([False]))
    assert (tmp_path / "none.star").read_bytes().decode() == (
        "data_particles\n\nloop_\n_rlnImageName # why\n_rlnImagePixelSize\n"
        "_rlnAutopickFigureOfMerit\n\ndata_more\n_x 1\n"
    ).replace("\n", end)
    left = read_star_blocks(tmp_path / "none.star")
    assert [len(table) for table in left.values()] == [0, 1]
    write_with_columns(path, tmp_path / "out.star", score_columns(decisions(np.array([2.0]))))
    assert (tmp_path / "out.star").read_bytes().decode() == (
        "data_particles\n\n_rlnImageName   3@a.mrcs # why\n_rlnParticleSelectZScore 0.100000\n"
        "_rlnImagePixelSize 1.5\n_rlnAutopickFigureOfMerit   2.000000\n\ndata_more\n_x 1\n"
    ).replace("\n", end)


def test_images_that_begin_like_a_block(tmp_path: Path) -> None:
    names = ["data_2020/a.mrc", "data_2020/b.mrc", "data_c.mrcs"]
    raw = ("data_particles\n\nloop_\n_rlnImageName #1\n" + "\n".join(names) + "\n").encode()
    path = particles(tmp_path / "p.star", raw)
    assert read_particles(path, 1.0).image == tuple(names)
    copy_rows(path, tmp_path / "out.star", np.array([False, True, True]))
    assert (tmp_path / "out.star").read_bytes() == raw.replace(b"data_2020/a.mrc\n", b"")
    write_with_columns(path, tmp_path / "v.star", score_columns(decisions(np.zeros(3))))
    assert read_particles(tmp_path / "v.star", 1.0).image == tuple(names)


TWICE = {
    "pixel size": OPTICS.replace("#2\n", "#2\n_rlnImagePixelSize #3\n") + "1 2.5 2.5\n",
    "group": OPTICS.replace("#2\n", "#2\n_rlnOpticsGroup #3\n") + "1 2.5 3\n",
}


@pytest.mark.parametrize("read", [read_picks, read_particles, read_micrographs_star])
@pytest.mark.parametrize("optics", TWICE.values(), ids=TWICE)
def test_a_label_twice_is_refused_by_every_reader(tmp_path: Path, read, optics: str) -> None:
    rest = text().partition("1 2.5\n")[2]
    path = particles(tmp_path / "p.star", (optics + rest).encode())
    with pytest.raises(InputError, match=r"p\.star, line 9: .*twice in block 'data_optics'"):
        read(path)


@pytest.mark.parametrize(
    ("raw", "line", "block"),
    [
        ("data_particles\nloop_\n_rlnCoordinateX\n_rlnCoordinateX\n1 2\n", 4, "particles"),
        ("data_x\n_rlnCoordinateX 1\n_rlnCoordinateY 2\n_rlnCoordinateX 1\n", 4, "x"),
        ("data_a\n_x 1\n\ndata_b\nloop_\n_x #1\n_y #2\n_x #3\n", 8, "b"),
    ],
)
def test_a_label_twice_in_loops_and_pairs(tmp_path: Path, raw: str, line: int, block: str) -> None:
    path = particles(tmp_path / "p.star", raw.encode())
    with pytest.raises(InputError, match=rf"line {line}: .* twice in block 'data_{block}'"):
        read_star_blocks(path)


def test_the_same_label_in_two_blocks_is_no_fault(tmp_path: Path) -> None:
    path = particles(tmp_path / "p.star", b"data_a\n_x 1\ndata_b\n_x 2\nloop_\n_x #1\n3\n")
    assert [t.columns["x"] for t in read_star_blocks(path).values()] == [["1"], ["2"], ["3"]]


@pytest.mark.parametrize("spelled", ["1.000000", "1.0", "01", "1e0", "+1"])
def test_groups_are_compared_as_numbers(tmp_path: Path, spelled: str) -> None:
    rows = [r[:-2] + f" {spelled}" for r in ROWS]
    path = particles(tmp_path / "p.star", text(rows=rows).encode())
    assert read_particles(path).pixel_size_A.tolist() == [2.5] * 3
    swapped = text().replace("1 2.5\n", f"{spelled} 2.5\n")
    assert read_particles(particles(path, swapped.encode())).pixel_size_A.tolist() == [2.5] * 3


def test_group_names_stay_text(tmp_path: Path) -> None:
    raw = text().replace("rlnOpticsGroup", "rlnOpticsGroupName").replace("1 2.5", "1.0 2.5")
    with pytest.raises(InputError, match=r"rlnOpticsGroupName '1' is used .*which has 1\.0"):
        read_particles(particles(tmp_path / "p.star", raw.encode()))


def test_a_group_with_two_pixel_sizes_is_refused(tmp_path: Path) -> None:
    joined = text().replace("1 2.5\n", "1 2.5\n1 2.5\n")
    path = particles(tmp_path / "p.star", joined.encode())
    assert read_particles(path).pixel_size_A.tolist() == [2.5] * 3
    particles(path, joined.replace("1 2.5\n1 2.5", "1 2.5\n1.0 3").encode())
    with pytest.raises(InputError, match=r"group 1 is defined twice, with .* 2\.5 and 3"):
        read_particles(path)


def test_a_table_is_known_by_its_labels(tmp_path: Path) -> None:
    """A block named for particles that holds none does not hide the one that does."""
    raw = "data_particles\n_rlnNote none\n" + text("mine")
    path = particles(tmp_path / "p.star", raw.encode())
    assert read_particles(path).index.tolist() == [0, 1, 2]
    assert len(read_picks(path)) == 3
    copy_rows(path, tmp_path / "out.star", np.array([False, True, False]))
    assert read_particles(tmp_path / "out.star").index.tolist() == [1]
    listed = "data_micrographs\n_rlnNote none\n\ndata_set\nloop_\n_rlnMicrographName\na.mrc\n"
    path = particles(tmp_path / "m.star", listed.encode())
    assert [row.name for row in read_micrographs_star(path)] == ["a.mrc"]
