"""Folders, lists and files of which some are missing, locked, doubled or of another kind."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from made_images import write_mrc

from frostpick.errors import ConfigError, InputError
from frostpick.runtime.atomic import remove_leftovers, write_text
from frostpick.types import LocalFile, Micrograph
from frostpick_jobs.cli.config_file import read_config
from frostpick_jobs.commands.evaluate import score_files
from frostpick_jobs.formats import read_pick_files, read_picks
from frostpick_jobs.formats.columns import bool_column, optional_column
from frostpick_jobs.formats.micrograph_list import read_micrographs_star
from frostpick_jobs.formats.star.particles import read_particles
from frostpick_jobs.hosts.relion.inputs import read_micrographs
from frostpick_jobs.hosts.relion.paths import check_tails
from frostpick_jobs.inputs.find import find_micrographs
from frostpick_jobs.inputs.name_matching import match_names
from frostpick_jobs.inputs.names import check_id
from frostpick_jobs.inputs.rows import pick_rows

CSV = "micrograph,x_px,y_px\nm.mrc,10,20\n"


def put(path: Path, text: str | bytes = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch):
    """Take the right to list a folder; root has every right, and is refused by hand."""
    locked: list[Path] = []
    own = os.scandir

    def scandir(path="."):
        if Path(os.fspath(path)).absolute() in locked and os.geteuid() == 0:
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return own(path)

    def take(folder: Path) -> None:
        locked.append(folder.absolute())
        folder.chmod(0)

    monkeypatch.setattr("os.scandir", scandir)
    yield take
    for folder in locked:
        folder.chmod(0o755)


@pytest.mark.parametrize("pattern", ["", "*/*.mrc", "**/*.mrc", "sq_?/*"])
def test_a_locked_folder_of_micrographs(tmp_path: Path, lock, caplog, pattern: str) -> None:
    put(tmp_path / "sq_1" / "a.mrc")
    put(tmp_path / "sq_2" / "b.mrc")
    lock(tmp_path / "sq_2")
    given = str(tmp_path / pattern) if pattern else str(tmp_path)
    with pytest.raises(InputError, match=r"sq_2 \(Permission denied\).*--allow-missing"):
        find_micrographs([given])
    found = find_micrographs([given], allow_missing=True)
    assert [m.id for m in found] == ["sq_1/a.mrc"]
    assert "left out" in caplog.text and "sq_2" in caplog.text


@pytest.mark.parametrize("pattern", ["", "**/*.csv"])
def test_a_locked_folder_of_picks(tmp_path: Path, lock, caplog, pattern: str) -> None:
    put(tmp_path / "one" / "a.csv", CSV)
    put(tmp_path / "two" / "b.csv", CSV)
    lock(tmp_path / "two")
    given = str(tmp_path / pattern) if pattern else str(tmp_path)
    with pytest.raises(InputError, match=r"two \(Permission denied\)"):
        read_pick_files([given])
    (table,) = read_pick_files([given], allow_missing=True)
    assert table.path.name == "a.csv" and "two" in caplog.text


def test_a_locked_folder_that_is_not_asked_for(tmp_path: Path, lock) -> None:
    put(tmp_path / "a.mrc")
    for name in (".Trash", "lost+found"):
        put(tmp_path / name / "b.mrc")
        lock(tmp_path / name)
    assert [m.id for m in find_micrographs([tmp_path])] == ["a.mrc"]


def test_a_pattern_finds_links_whose_target_is_gone(tmp_path: Path) -> None:
    put(tmp_path / "a.mrc")
    (tmp_path / "b.mrc").symlink_to("nowhere.mrc")
    for given in (str(tmp_path), str(tmp_path / "*.mrc")):
        assert [m.id for m in find_micrographs([given])] == ["a.mrc", "b.mrc"]


def test_a_link_among_picks_whose_target_is_gone_is_named(tmp_path: Path, caplog) -> None:
    put(tmp_path / "a.csv", CSV)
    (tmp_path / "b.csv").symlink_to("nowhere.csv")
    for given in (str(tmp_path), str(tmp_path / "*.csv")):
        caplog.clear()
        assert [t.path.name for t in read_pick_files([given])] == ["a.csv"]
        assert "b.csv: left out" in caplog.text


def test_a_home_folder_in_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(put(tmp_path / "elsewhere" / "x").parent)
    put(tmp_path / "data" / "a.mrc")
    put(tmp_path / "picks" / "p.csv", CSV)
    for given in ("~/data", "~/data/*.mrc", "~/data/a.mrc", "~/*/*.mrc"):
        assert len(find_micrographs([given])) == 1
    for given in ("~/picks", "~/picks/*.csv", "~/picks/p.csv"):
        assert len(read_pick_files([given])) == 1
    put(Path("~") / "data" / "b.mrc")  # a folder of that very name
    assert [m.id for m in find_micrographs(["~/data"])] == ["b.mrc"]


def test_a_list_of_which_files_are_missing(tmp_path: Path, monkeypatch) -> None:
    put(tmp_path / "data" / "c.mrc")
    listed = put(tmp_path / "lists" / "l.txt", "data/a.mrc\ndata/b.mrc\ndata/c.mrc\n")
    found = find_micrographs([listed])
    assert [m.id for m in found] == ["data/a.mrc", "data/b.mrc", "data/c.mrc"]
    for m in found:
        assert isinstance(m.source, LocalFile) and m.source.path.parent == tmp_path / "data"
    put(listed, "data/a.mrc\ndata/b.mrc\n")
    with pytest.raises(InputError, match=r"names data/a\.mrc.*nor is any of the other 1 files"):
        find_micrographs([listed])


def test_a_list_that_names_a_micrograph_twice(tmp_path: Path) -> None:
    put(tmp_path / "a.mrc")
    listed = put(tmp_path / "l.lst", "b.mrc\na.mrc\nc.mrc\n./a.mrc\n")
    with pytest.raises(InputError, match=r"l\.lst: names \./a\.mrc twice, .* 2 and 4 of the list"):
        find_micrographs([listed])


def test_a_list_of_coordinate_files_of_which_one_is_missing(tmp_path: Path, caplog) -> None:
    one = "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1 2\n"
    put(tmp_path / "Job" / "c_autopick.star", one)
    rows = "".join(f"Mics/{m}.mrc Job/{m}_autopick.star\n" for m in "abc")
    head = "data_coordinate_files\nloop_\n_rlnMicrographName\n_rlnMicrographCoordinates\n"
    path = put(tmp_path / "Job" / "autopick.star", head + rows)
    table = read_picks(path)
    assert table.micrograph == ("Mics/c.mrc",)
    assert "2 of 3 coordinate files are not there" in caplog.text
    assert "Job/a_autopick.star, Job/b_autopick.star" in caplog.text
    (tmp_path / "Job" / "c_autopick.star").unlink()
    with pytest.raises(InputError, match=r"a_autopick\.star is not there.*nor is any other"):
        read_picks(path)


def test_particles_whose_first_stack_is_missing(tmp_path: Path) -> None:
    put(tmp_path / "Extract" / "b.mrcs", b"x")
    text = "data_particles\nloop_\n_rlnImageName\n_rlnImagePixelSize\n1@Extract/a.mrcs 2\n"
    path = put(tmp_path / "Job" / "deep" / "p.star", text + "000001@Extract/b.mrcs 2\n")
    sources = [stack.source for stack in read_particles(path).stacks()]
    assert [s.path.exists() for s in sources if isinstance(s, LocalFile)] == [False, True]


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lay out a CryoSPARC project's folder, seen from elsewhere; files name its jobs by ``>``."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    project = tmp_path / "CS-project"
    for name in ("J7/motioncorrected/a.mrc", "J7/motioncorrected/b.mrc", "J9/extract/b.mrc"):
        put(project / name, b"x")
    return project


def test_particles_of_an_export(exported: Path) -> None:
    head = "data_particles\nloop_\n_rlnImageName\n_rlnImagePixelSize\n"
    text = head + "000002@>J9/extract/a.mrc 2\n000003@>J9/extract/b.mrc 2\n"
    rows = read_particles(put(exported / "J11" / "exports" / "p.star", text))
    assert [
        stack.source.path for stack in rows.stacks() if isinstance(stack.source, LocalFile)
    ] == [
        exported / "J9/extract/a.mrc",
        exported / "J9/extract/b.mrc",
    ]
    assert rows.image[1] == "000003@>J9/extract/b.mrc"  # as written, for what is written
    plain = put(exported / "plain.star", head + "3@J9/extract/b.mrc 2\n")
    assert rows.rows_not_in(read_particles(plain)).tolist() == [0]


@pytest.mark.parametrize("name", ["mics.star", "mics.txt"])
def test_micrographs_of_an_export(exported: Path, name: str) -> None:
    names = [">J7/motioncorrected/a.mrc", ">J7/motioncorrected/b.mrc"]
    head = "data_\nloop_\n_rlnMicrographName\n" if name.endswith("star") else ""
    path = put(exported / name, head + "\n".join(names) + "\n")
    found = find_micrographs([path])
    assert [one.id for one in found] == names
    assert [one.source.path for one in found if isinstance(one.source, LocalFile)] == [
        exported / "J7/motioncorrected/a.mrc",
        exported / "J7/motioncorrected/b.mrc",
    ]
    put(path, head + names[0] + "\n" + names[0][1:] + "\n")
    with pytest.raises(InputError, match="twice"):
        find_micrographs([path])


def test_relion_reads_micrographs_of_an_export(exported: Path, monkeypatch) -> None:
    monkeypatch.chdir(exported)
    head = "data_\nloop_\n_rlnMicrographName\n"
    put(exported / "m.star", head + ">J7/motioncorrected/a.mrc\nJ7/motioncorrected/b.mrc\n")
    one, other = read_micrographs("m.star")
    assert one.id == ">J7/motioncorrected/a.mrc"
    assert isinstance(one.source, LocalFile) and isinstance(other.source, LocalFile)
    assert one.source.path == exported / "J7/motioncorrected/a.mrc"
    assert other.source.path == exported / "J7/motioncorrected/b.mrc"
    put(exported / "m.star", head + ">J7/motioncorrected/a.mrc\nJ7/motioncorrected/a.mrc\n")
    with pytest.raises(InputError, match="more than once, in rows 1 and 2"):
        read_micrographs("m.star")


def test_picks_of_an_export(exported: Path) -> None:
    """A name without its folders would fit both micrographs."""
    ids = ["J7/motioncorrected/a.mrc", "J8/motioncorrected/a.mrc"]
    assert match_names([f">{one}" for one in ids], ids) == {f">{one}": one for one in ids}
    assert match_names(ids, [f">{one}" for one in ids]) == {one: f">{one}" for one in ids}
    assert match_names([">a.mrc"], ["x/a.mrc"]) == {">a.mrc": "x/a.mrc"}
    put(exported / "J8" / "a.star", "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n48 36\n")
    head = "data_\nloop_\n_rlnMicrographName\n_rlnMicrographCoordinates\n"
    text = head + ">J7/motioncorrected/a.mrc >J8/a.star\n"
    table = read_picks(put(exported / "J8" / "list.star", text))
    assert (table.micrograph, table.x_px.tolist()) == ((">J7/motioncorrected/a.mrc",), [48.0])


def test_images_are_compared_as_numbers(tmp_path: Path) -> None:
    head = "data_particles\nloop_\n_rlnImageName\n_rlnImagePixelSize\n"
    one = put(tmp_path / "a.star", head + "000001@s.mrcs 2\n000002@s.mrcs 2\n000001@t.mrcs 2\n")
    other = put(tmp_path / "b.star", head + "1@s.mrcs 2\n")
    assert read_particles(one).rows_not_in(read_particles(other)).tolist() == [1, 2]


@pytest.mark.parametrize("suffix", ["_autopick.star", "_manualpick.star", ".box", "_pick.box"])
@pytest.mark.parametrize("folder", ["Mics", "data_2020"])
def test_every_suffix_file_of_relion_3(tmp_path, monkeypatch, suffix: str, folder: str) -> None:
    monkeypatch.chdir(tmp_path)
    text = f"data_\nloop_\n_rlnMicrographName\nImport/job001/{folder}/m.1.mrc\n"
    put(tmp_path / folder / "mics.star", text)
    star = "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n48 36\n"
    coordinates = "32 20 32 32\n" if suffix.endswith("box") else star
    put(tmp_path / "Job" / folder / f"m.1{suffix}", coordinates)
    node = put(tmp_path / "Job" / f"coords_suffix{suffix}", f"{folder}/mics.star\n")
    for (table,) in ([read_picks(node)], read_pick_files(["Job"])):
        assert table.micrograph == (f"Import/job001/{folder}/m.1.mrc",)
        assert (table.x_px.tolist(), table.y_px.tolist()) == ([48.0], [36.0])


def rows_of(tmp_path: Path, *given: Path) -> int:
    micrographs = [Micrograph(f"m{k}.mrc", LocalFile(tmp_path / f"m{k}.mrc")) for k in range(3)]
    return len(pick_rows(read_pick_files(given), micrographs))


def boxes_and_star(folder: Path, shift: float) -> None:
    """As crYOLO writes them: corners in whole pixels, and centres."""
    rng = np.random.default_rng(5)
    for k in range(3):
        xy = rng.uniform(40, 400, (12, 2))
        corners = np.floor(xy + shift).astype(int) - 16
        lines = "".join(f"{x} {y} 32 32\n" for x, y in corners)
        put(folder / "EMAN" / f"m{k}.box", lines)
        rows = "".join(f"{x:.3f} {y:.3f}\n" for x, y in xy)
        put(
            folder / "STAR" / f"m{k}.star",
            f"data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n{rows}",
        )


def test_a_folder_with_its_picks_in_two_formats(tmp_path: Path) -> None:
    boxes_and_star(tmp_path / "same", 0.5)
    with pytest.raises(InputError, match=r"m0\.box and .*m0\.star hold the same picks of m0\.mrc"):
        rows_of(tmp_path, tmp_path / "same")
    assert rows_of(tmp_path, tmp_path / "same" / "STAR") == 36
    boxes_and_star(tmp_path / "others", 30.0)
    assert rows_of(tmp_path, tmp_path / "others") == 72


def test_an_extract_folder_is_read_once(tmp_path: Path) -> None:
    head = "data_particles\nloop_\n_rlnMicrographName\n_rlnCoordinateX\n_rlnCoordinateY\n"
    rows = ["m0.mrc 10 20\n", "m1.mrc 30 40\n"]
    put(tmp_path / "E" / "particles.star", head + "".join(rows))
    for k, row in enumerate(rows):
        put(tmp_path / "E" / "Mics" / f"m{k}_extract.star", head + row)
    assert rows_of(tmp_path, tmp_path / "E") == 2
    with pytest.raises(InputError, match="hold the same picks"):
        rows_of(tmp_path, tmp_path / "E" / "**" / "*.star")


def test_evaluate_goes_on_without_what_cannot_be_read(tmp_path: Path, caplog) -> None:
    """Picks on the lost g1/m.mrc must not be counted on g2/m.mrc, which has the same file name."""
    image = np.random.default_rng(1).normal(size=(300, 300)).astype(np.float32)
    write_mrc(tmp_path / "mics" / "g2" / "m.mrc", image, 2.0)
    put(tmp_path / "mics" / "g1" / "m.mrc", b"no image")
    rows = "g1/m.mrc,50,50\ng2/m.mrc,100,100\ng1/m.mrc,150,150\n"
    truth = put(tmp_path / "t.csv", "micrograph,x_px,y_px\n" + rows)
    figures = score_files([str(truth)], [str(truth)], 100.0, None, [str(tmp_path / "mics")])
    assert figures["micrographs"] == 1
    assert (figures["quarter"]["n_picks"], figures["quarter"]["n_true"]) == (1, 1)
    assert "not scored: g1/m.mrc" in caplog.text and "1 of 2 micrographs" in caplog.text
    put(tmp_path / "mics" / "g2" / "m.mrc", b"neither")
    with pytest.raises(InputError, match="none of the 2 micrographs can be read"):
        score_files([str(truth)], [str(truth)], 100.0, None, [str(tmp_path / "mics")])


def test_optional_columns_without_a_number(tmp_path: Path, caplog) -> None:
    """What pandas, pyem, RELION and crYOLO write where there is none."""
    texts = ["1.5", "inf", "-nan", "<NA>", "nan", "", "None", "-2"]
    found = optional_column(tmp_path / "p.star", "score", texts)
    np.testing.assert_array_equal(found, [1.5, *[np.nan] * 6, -2.0])
    assert "in 6 of 8 rows, the first is row 2 with 'inf'" in caplog.text
    caplog.clear()
    assert optional_column(tmp_path / "p.star", "score", ["1", "2e3"]).tolist() == [1, 2000]
    assert not caplog.records


@pytest.mark.parametrize("text", ["inf", "-nan", "NaN", "<NA>"])
def test_picks_do_without_a_figure_of_merit_or_an_alignment(tmp_path: Path, text: str) -> None:
    labels = "".join(
        f"_{label}\n"
        for label in (
            *("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY"),
            *("rlnAutopickFigureOfMerit", "rlnOriginXAngst", "rlnOriginYAngst"),
        )
    )
    rows = f"m.mrc 1 2 3.5 4 5\nm.mrc 3 4 {text} {text} 6\n"
    table = read_picks(put(tmp_path / "p.star", f"data_\nloop_\n{labels}{rows}"))
    assert table.x_px.tolist() == [1, 3] and table.score is not None and table.shift_A is not None
    np.testing.assert_array_equal(table.score, [3.5, np.nan])
    np.testing.assert_array_equal(table.shift_A, [[4, 5], [0, 0]])
    csv = f"micrograph,x_px,y_px,score,probability\nm,1,2,3.5,.5\nm,3,4,{text},{text}\n"
    table = read_picks(put(tmp_path / "p.csv", csv))
    assert table.score is not None and table.probability is not None
    np.testing.assert_array_equal(table.score, [3.5, np.nan])
    np.testing.assert_array_equal(table.probability, [0.5, np.nan])
    with pytest.raises(InputError, match=r"row 2: rlnCoordinateX is"):
        read_picks(
            put(tmp_path / "p.star", f"data_\nloop_\n{labels}{rows.replace('3 4', 'nan 4')}")
        )


def test_flags_in_every_spelling(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    yes, no = ["1", "1.0", "1.000000", "True", "yes"], ["0", "0.0", "FALSE", "no"]
    assert bool_column(path, "selected", yes).all() and not bool_column(path, "selected", no).any()
    with pytest.raises(InputError, match=r"row 1: selected is '0\.5'"):
        bool_column(path, "selected", ["0.5"])


def test_a_column_of_a_csv_twice(tmp_path: Path) -> None:
    path = put(tmp_path / "p.csv", "micrograph,x_px,y_px,x_px\nm,1,2,3\n")
    with pytest.raises(InputError, match=r"the column x_px is twice in the header"):
        read_picks(path)
    put(path, "micrograph,x_px,y_px,note,note\nm,1,2,3,4\n")
    assert len(read_picks(path)) == 1


CBOX = (
    "data_global\n\n_cbox_format_version 1.0\n\ndata_cryolo\n\nloop_\n_CoordinateX #1\n"
    "_CoordinateY #2\n_EstWidth #3\n_EstHeight #4\n1 2 3 4\n"
)
MICS = "data_micrographs\nloop_\n_rlnMicrographName\nm.mrc\n"
PARTS = "data_particles\nloop_\n_rlnImageName\n_rlnMicrographName\n1@s.mrcs m.mrc\n"
PICKS = "data_\nloop_\n_rlnMicrographName\n_rlnCoordinateX\n_rlnCoordinateY\nm.mrc 1 2\n"
OTHERS: dict[str, tuple[str | bytes, str]] = {
    "m.cs": (b"\x93NUMPY\1\0" + bytes(80), "data set of CryoSPARC.*csparc2star"),
    "utf16.star": (PICKS.encode("utf-16"), "UTF-16.*save it as UTF-8"),
    "p.star": (b"\x1f\x8b\x08" + bytes(40), "compressed with gzip"),
    "p.xlsx": (b"PK\x03\x04" + bytes(40), "a spreadsheet.*save it as CSV"),
    "info.json": ('{"boxes": []}', "a JSON file"),
    "page.star": ("\n<!doctype html><p>", "a web page"),
    "lfs.csv": ("version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_files_of_other_kinds_are_called_by_their_name(tmp_path: Path, name: str) -> None:
    content, sentence = OTHERS[name]
    path = put(tmp_path / name, content)
    for read in (read_picks, read_particles, read_micrographs_star):
        with pytest.raises(InputError, match=rf"{name}: .*{sentence}"):
            read(path)
    if name == "m.cs":
        with pytest.raises(InputError, match=sentence):
            find_micrographs([path])


@pytest.mark.parametrize("read", [read_picks, read_particles])
@pytest.mark.parametrize("name", ["m.cbox", "m.star"])
def test_a_cbox_file_is_not_read(tmp_path: Path, read, name: str) -> None:
    with pytest.raises(InputError, match=r"\.cbox file of crYOLO.*STAR or EMAN"):
        read(put(tmp_path / name, CBOX))


@pytest.mark.parametrize(
    ("read", "text", "sentence"),
    [
        (read_micrographs_star, PARTS, "this is a file of particles.*--particles"),
        (read_micrographs_star, PARTS.replace("_rlnMicro", "_rlnOther"), "file of particles"),
        (read_micrographs_star, PICKS, "this is a file of picks.*--picks"),
        (read_particles, MICS, "this is a list of micrographs.*--micrographs"),
        (read_particles, PICKS, "these are coordinates.*--picks"),
        (read_picks, MICS, "this is a list of micrographs.*--micrographs"),
        (read_picks, PARTS, "particles without coordinates"),
    ],
)
def test_one_table_given_for_another(tmp_path: Path, read, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=rf"t\.star: .*{sentence}"):
        read(put(tmp_path / "t.star", text))


def test_a_pipe_among_the_inputs(tmp_path: Path) -> None:
    pipe = tmp_path / "p.star"
    os.mkfifo(pipe)
    for find in (find_micrographs, read_pick_files):
        with pytest.raises(InputError, match=r"p\.star"):
            find([str(pipe)])
    with pytest.raises(InputError, match="a pipe"):
        read_picks(pipe)


def test_names_as_long_as_a_file_system_takes(tmp_path: Path) -> None:
    name = "ü" * 125  # 250 bytes
    write_text(tmp_path / f"{name}.star", "x")
    assert (tmp_path / f"{name}.star").read_text() == "x" and len(list(tmp_path.iterdir())) == 1
    assert check_id(f"grid/{name}") == f"grid/{name}"
    with pytest.raises(InputError, match="a name of 251 bytes; expected at most 250"):
        check_id(f"{name}x/m.mrc")
    check_tails(["Mics/" + "L" * 241 + ".mrc"])
    with pytest.raises(InputError, match="a name of 256 bytes; expected at most 255"):
        check_tails(["Mics/" + "L" * 242 + ".mrc"])


def test_what_a_killed_run_left_of_a_long_name_is_cleared(tmp_path: Path, monkeypatch) -> None:
    def killed(*_: object) -> None:
        os._exit(1)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr("os.replace", killed)
        write_text(tmp_path / ("L" * 250), "x")
    os.waitpid(child, 0)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".LLL") and len(left.name) <= 255
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_setting_twice_in_a_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    path = put(tmp_path / "s.yaml", "threshold: 1.0\ndiameter: 150\nthreshold: 2.0\n")
    with pytest.raises(ConfigError, match=r"s\.yaml: .*'threshold' is there twice.*line 3"):
        read_config(path)
    put(path, "a: {x: 1, x: 2}\n")
    with pytest.raises(ConfigError, match=r"'x' is there twice"):
        read_config(path)
    put(path, "threshold: 1.0\ndiameter: 150\nother: {threshold: 3}\n")
    assert read_config(path) == {"threshold": 1.0, "diameter": 150, "other": {"threshold": 3}}
