"""starfile reads every STAR file that we write, and ordinary ones of others, as we do."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import starfile
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.errors import EmptyDataError, ParserError
from prune_project import DISCS, EMPTY, write_particles, write_project
from star_readers import assert_readers_agree
from tiny_pruner import DIAMETER_A, PIXEL_A

import frostpick_jobs
from frostpick.errors import InputError
from frostpick.simulate import SimulationSettings
from frostpick.types import Picks
from frostpick_jobs.cli import relion, relion_job
from frostpick_jobs.formats import (
    StarTable,
    read_star_blocks,
    star_list_writer,
    write_star_blocks,
)
from frostpick_jobs.formats.frames import to_dataframe, write_star

GOLDEN = Path(__file__).parent / "relion_golden"
SCALE: dict[str, Any] = {"diameter": DIAMETER_A, "device": "cpu", "threads": 1}
#: RELION 3.1's file that only names another one.
NO_STAR = "coords_suffix_autopick.star"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two micrographs, picks, particles, and their lists for RELION."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("frostpick_jobs.tasks.prune.run.prune_figures", lambda *a: [])
    monkeypatch.setattr(relion_job, "log_to_run_files", lambda: None)
    write_project(tmp_path)
    write_particles(tmp_path)
    names = [f"mics/{name}" for name in DISCS]
    optics = {"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [PIXEL_A]}
    listed = {"rlnMicrographName": names, "rlnOpticsGroup": [1, 1]}
    write_star_blocks(
        tmp_path / "mics.star", [StarTable("optics", optics), StarTable("micrographs", listed)]
    )
    with star_list_writer(tmp_path / "picks.star") as write:
        for name in DISCS:
            xy = np.array([*DISCS[name], *EMPTY[name]])
            write(Picks.from_xy(f"mics/{name}", xy[:, 0], xy[:, 1]), None)
    return tmp_path


def agreeing(folder: Path) -> dict[str, int]:
    """Compare the readers on all STAR files below a folder; return the rows of each."""
    found = {}
    for path in sorted(folder.rglob("*.star")):
        if path.name != NO_STAR and not path.name.startswith("job"):
            blocks = assert_readers_agree(path)
            found[path.relative_to(folder).as_posix()] = sum(map(len, blocks.values()))
    return found


def test_inputs_of_these_tests(project: Path) -> None:
    rows = sum(len(DISCS[name]) + len(EMPTY[name]) for name in DISCS)
    # of particles.star and mics.star the optics groups too
    assert agreeing(project) == {"mics.star": 3, "particles.star": rows + 2, "picks.star": rows}


def test_files_of_a_folder(project: Path, pruner: str) -> None:
    once: dict[str, Any] = {**SCALE, "pruner": pruner, "pixel_size": PIXEL_A}
    split: dict[str, Any] = {**once, "threshold": "0", "four_rotations": False}
    done = frostpick_jobs.pick(
        "picked",
        micrographs="mics",
        model="blob",
        pixel_size=PIXEL_A,
        star_per_micrograph=True,
        **SCALE,
    )
    found = agreeing(project / "picked")
    assert set(found) == {"picks.star", "star/a.mrc.star", "star/b.mrc.star"}
    assert found["picks.star"] == done.summary.selected > 0
    on_mics: dict[str, Any] = {"micrographs": "mics", "picks": "picks.star"}
    stack = {"particles": "Extract/a.mrcs"}
    for number, given_rows in enumerate((on_mics, {"particles": "particles.star"}, stack)):
        kept = frostpick_jobs.prune(f"pruned{number}", **given_rows, **split).decisions
        found = agreeing(project / f"pruned{number}")
        optics = 2 if number == 1 else 0
        assert found == {
            "kept.star": kept.keep.sum() + optics,
            "rejected.star": (~kept.keep).sum() + optics,
        }
        assert 0 < kept.keep.sum() < len(kept)
        frostpick_jobs.verify(f"verified{number}", **given_rows, **once)
        assert agreeing(project / f"verified{number}") == {"verified.star": len(kept) + optics}


@pytest.mark.parametrize("generation", ["relion3", "relion4", "relion5"])
def test_files_of_relion(project: Path, pruner: str, generation: str) -> None:
    told = ["--diameter", str(DIAMETER_A), "--device", "cpu", "--j", "1"]
    on_mics = ["--in_mics", "mics.star", "--in_coords", "picks.star"]
    on_particles = ["--in_parts", "particles.star"]
    of_pruner = ["--pruner", pruner, *told]
    lists = {"RELION_OUTPUT_NODES.star": 2, "autopick.star": 2}
    both = {"mics/a_autopick.star", "mics/b_autopick.star"}
    jobs: list[tuple[Any, list[str], set[str]]] = [
        ("pick", ["--in_mics", "mics.star", "--model", "blob", *told], {*lists, *both}),
        ("prune", [*on_mics, *of_pruner], {*lists, *both}),
        ("verify", [*on_mics, *of_pruner], {*lists, *both}),
        (
            "prune",
            [*on_particles, *of_pruner],
            {"RELION_OUTPUT_NODES.star", "particles.star", "rejected.star"},
        ),
        ("verify", [*on_particles, *of_pruner], {"RELION_OUTPUT_NODES.star", "particles.star"}),
    ]
    for number, (task, words, files) in enumerate(jobs, 1):
        job = project / f"External/job00{number}"
        job.mkdir(parents=True)
        for file in ("job.star", "job_pipeline.star"):
            shutil.copy(GOLDEN / f"{generation}_{file}", job / file)
        assert relion.guarded(task, ["--o", f"External/job00{number}/", *words]) == 0
        found = agreeing(job)
        assert set(found) == files
        # pruned particles have a node more, those that were rejected
        own = {**lists, "RELION_OUTPUT_NODES.star": 2 + ("rejected.star" in files)}
        assert all(found[name] == rows for name, rows in own.items() if name in found)


def test_truth_of_a_simulation(tmp_path: Path) -> None:
    told = SimulationSettings(micrographs=1, size=512, seed=3)
    frostpick_jobs.write_dataset(tmp_path, told)
    (name,) = agreeing(tmp_path)
    assert name == "particles.star"


def test_frames_and_blocks_of_pairs(tmp_path: Path) -> None:
    picks = Picks.from_xy("a b.mrc", [1, 2.5], [3, 4], score=[1e-5, 2e9])
    write_star({"": to_dataframe(picks), "optics": to_dataframe(picks)}, tmp_path / "f.star")
    pairs = StarTable("general", {"rlnCounter": [3], "rlnName": ["a b"]}, loop=False)
    write_star_blocks(tmp_path / "pairs.star", [pairs, StarTable("x", {"rlnA": []})])
    assert agreeing(tmp_path) == {"f.star": 4, "pairs.star": 1}


# Ordinary: as RELION and its companions write it. What the readers do not agree on, and why, is in
# docs/architecture.md: quotes and # inside names, words that pandas takes for no value, a table
# without rows in front of another.
names = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,5}([/._@-][A-Za-z0-9]{1,6}){1,3}", fullmatch=True)
number = st.one_of(
    st.integers(-(10**9), 10**9).map(str),
    st.floats(-1e8, 1e8).map(lambda value: f"{value:.6f}"),
    st.floats(-1e30, 1e30).map(lambda value: f"{value:.6e}"),
)
quoted = st.lists(names, min_size=2, max_size=3).map(lambda words: '"' + " ".join(words) + '"')
kind = st.sampled_from([names, number, names | quoted])


@st.composite
def block(draw: st.DrawFn, name: str, least: int = 1) -> str:
    kinds = draw(st.lists(kind, min_size=1, max_size=5))
    labels = [f"_rln{'ABCDE'[n]}" for n in range(len(kinds))]
    version = draw(st.sampled_from(["", "# version 30001\n\n", "# version 50001\n\n"]))
    blank, end = draw(st.sampled_from([" ", "\t", "   "])), draw(st.sampled_from(["", " "]))
    if draw(st.booleans()):
        rows = draw(st.lists(st.tuples(*kinds), min_size=least, max_size=6))
        heads = [f"{label} #{n}" for n, label in enumerate(labels, 1)]
        lines = ["loop_", *heads, *(blank.join(row) + end for row in rows)]
    else:
        pairs = zip(labels, draw(st.tuples(*kinds)), strict=True)
        lines = [f"{label}{blank}{value}" for label, value in pairs]
    return "\n" + version + f"data_{name}\n\n" + "\n".join(lines) + "\n\n"


@settings(max_examples=80, deadline=None)
@given(
    st.tuples(block(""), block("optics"), block("particles", 0)), st.sampled_from(["\n", "\r\n"])
)
def test_ordinary_files(
    tmp_path_factory: pytest.TempPathFactory, blocks: tuple[str, ...], end: str
) -> None:
    path = tmp_path_factory.mktemp("star") / "t.star"
    path.write_bytes("".join(blocks).replace("\n", end).encode())
    assert_readers_agree(path)


HEAD = "data_\n\nloop_\n_rlnA #1\n_rlnB #2\n_rlnC #3\n"
ONE_COLUMN = "data_\n\nloop_\n_rlnMicrographName #1\n"
EMPTY_TABLE = "data_x\n\nloop_\n_rlnA #1\n\n"
#: What stands in docs/architecture.md: a file, what starfile makes of its first block, column by
#: column (None is NaN, a class is an error, () no block at all), and our reader.
REASONS = {
    "leading zeros": (HEAD + "00012 1 2\n", ([12], [1], [2]), (["00012"], ["1"], ["2"])),
    "a # in a later row": (
        HEAD + "a 1 2\nb#x 3 4\n",
        (["a", "b"], [1, None], [2, None]),
        (["a", "b#x"], ["1", "3"], ["2", "4"]),
    ),
    "a # in the first row": (
        HEAD + "b#x 3 4\na 1 2\n",
        ParserError,
        (["b#x", "a"], ["3", "1"], ["4", "2"]),
    ),
    "a short row": (HEAD + "a 1 2\nb 3\n", (["a", "b"], [1, 3], [2, None]), InputError),
    "a quote": (HEAD + "it's 1 2\n", (['it"s'], [1], [2]), (["it's"], ["1"], ["2"])),
    "nan": (
        HEAD + "nan 1 2\nb 3 4\n",
        ([None, "b"], [1, 3], [2, 4]),
        (["nan", "b"], ["1", "3"], ["2", "4"]),
    ),
    "one byte": (HEAD + "\udce9 1 2\n", (), (["\udce9"], ["1"], ["2"])),
    "UTF-16": ((HEAD + "a 1 2\n").encode("utf-16"), (), InputError),
    "CR": ((HEAD + "a 1 2\n").replace("\n", "\r"), TypeError, (["a"], ["1"], ["2"])),
    "data_": (
        ONE_COLUMN + "data_2/a.mrc\ndata_2/b.mrc\n",
        TypeError,
        (["data_2/a.mrc", "data_2/b.mrc"],),
    ),
    "an empty table": (EMPTY_TABLE + "# version 30001\n\n" + HEAD, EmptyDataError, ([],)),
    "two labels": ("data_\n\nloop_\n_rlnA #1\n_rlnA #2\na b\n", (["a"], ["b"]), InputError),
}


def outcome(read: Any, path: Path) -> Any:
    """Return the columns of the first block, () without one, or the class of the error."""
    try:
        found = list(read(path).values())
    except Exception as error:
        return type(error)
    if not found:
        return ()
    if isinstance(found[0], StarTable):
        return tuple(found[0].columns.values())
    values = (found[0].iloc[:, at].tolist() for at in range(found[0].shape[1]))
    return tuple([None if one != one else one for one in column] for column in values)


@pytest.mark.parametrize("name", REASONS)
def test_reasons_for_a_reader_of_our_own(tmp_path: Path, name: str) -> None:
    """A line that fails here is to be changed in docs/architecture.md."""
    text, theirs, ours = REASONS[name]
    path = tmp_path / "t.star"
    path.write_bytes(
        text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape") + b"\n"
    )
    assert outcome(read_star_blocks, path) == ours
    assert outcome(partial(starfile.read, always_dict=True), path) == theirs


def test_two_blocks_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "t.star"
    path.write_text(HEAD + "a 1 2\n\n" + HEAD + "b 3 4\n\n")
    assert [t.columns["rlnA"] for t in read_star_blocks(path).values()] == [["a"], ["b"]]
    (left,) = starfile.read(path, always_dict=True).values()
    assert left["rlnA"].tolist() == ["b"]
