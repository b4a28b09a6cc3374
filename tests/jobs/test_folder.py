"""The folder host: which micrographs are found, under which ids, and what is written where."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_images import spots_on_noise, write_mrc

from frostpick.errors import ConfigError, InputError, JobStopped
from frostpick.models.shipped import load_model
from frostpick.types import LocalFile, Micrograph, Picks
from frostpick_jobs import api
from frostpick_jobs.formats import read_picks
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.inputs.find import find_micrographs
from frostpick_jobs.inputs.names import check_id, star_path
from frostpick_jobs.job.host import MicrographOutput, Outcome
from frostpick_jobs.job.outputs import Files, ModelOutput, PicksOutput, Report
from frostpick_jobs.job.results import Place
from frostpick_jobs.job.written import WrittenNames
from frostpick_jobs.tasks.pick import finish, not_yet_picked


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def ids(*arguments: object, skip: Path = Path("nowhere")) -> list[str]:
    return [m.id for m in find_micrographs([str(a) for a in arguments], skip)]


def test_a_folder_is_searched_with_all_below_it(tmp_path: Path) -> None:
    touch(tmp_path, "b.mrc", "a/x.12.5.MRC", "a/y.tif", "a/notes.txt", ".hidden/z.mrc", "a/._y.tif")
    assert ids(tmp_path) == ["a/x.12.5.MRC", "a/y.tif", "b.mrc"]


def test_links_are_followed_but_never_in_a_circle(tmp_path: Path) -> None:
    touch(tmp_path / "data", "far/m.mrc")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "link").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "far" / "up").symlink_to(tmp_path / "data")
    assert ids(tmp_path / "project") == ["link/far/m.mrc"]


def test_the_output_folder_is_not_searched(tmp_path: Path) -> None:
    touch(tmp_path, "m.mrc", "out/copy.mrc")
    assert ids(tmp_path, skip=tmp_path / "out") == ["m.mrc"]


def test_results_may_lie_beside_the_micrographs(tmp_path: Path) -> None:
    touch(tmp_path, "m.mrc", ".frostpick/x.mrc", "star/m.mrc.star")
    assert ids(tmp_path, skip=tmp_path) == ["m.mrc"]


def test_patterns_and_files(tmp_path: Path) -> None:
    touch(tmp_path, "g1/m_1.mrc", "g1/m_2.mrc", "g2/m_1.mrc", "g2/other.mrc", "g2/m_3.txt")
    assert ids(tmp_path / "*" / "m_*") == ["g1/m_1.mrc", "g1/m_2.mrc", "g2/m_1.mrc"]
    assert ids(tmp_path / "g1" / "m_2.mrc", tmp_path / "g2" / "other.mrc") == [
        "m_2.mrc",
        "other.mrc",
    ]


def test_a_text_list_keeps_names_and_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "data/b.mrc", "data/a.mrc")
    listed = tmp_path / "lists" / "some.txt"
    listed.parent.mkdir()
    listed.write_text("# mine\ndata/b.mrc\n\n data/a.mrc \n")
    assert ids(listed) == ["data/b.mrc", "data/a.mrc"]
    monkeypatch.chdir(tmp_path)
    (first, _) = find_micrographs(["lists/some.txt"], Path("out"))
    assert isinstance(first.source, LocalFile) and first.source.path.is_file()


def test_absolute_names_in_a_list_lose_the_common_folder(tmp_path: Path) -> None:
    touch(tmp_path, "data/x/b.mrc", "data/y/a.mrc")
    listed = tmp_path / "some.lst"
    listed.write_text(f"{tmp_path}/data/x/b.mrc\n{tmp_path}/data/y/../y/a.mrc\n")
    assert ids(listed) == ["x/b.mrc", "y/a.mrc"]


def test_a_star_list_brings_pixel_size_and_group(tmp_path: Path) -> None:
    touch(tmp_path, "Micrographs/a.mrc")
    listed = tmp_path / "micrographs.star"
    listed.write_text(
        "\ndata_optics\n\nloop_\n_rlnOpticsGroupName #1\n_rlnOpticsGroup #2\n"
        "_rlnMicrographPixelSize #3\nog1 1 1.25\n\n"
        "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n"
        "Micrographs/a.mrc 1\n"
    )
    (found,) = find_micrographs([str(listed)], tmp_path / "out")
    assert (found.id, found.pixel_size_A, found.group) == ("Micrographs/a.mrc", 1.25, "og1")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["g1", "g2"], "both have the id 'm.mrc'; give the folder that holds both"),
        (["g1", "g1/m.mrc"], "given twice"),
        (["g1", "."], "given twice"),
        (["nowhere"], "no such file or folder"),
        (["no*thing"], "no micrograph matches"),
        (["empty"], "no micrographs below this folder"),
        (["notes.csv"], "neither a micrograph"),
        (["none.txt"], "names no micrographs"),
        (["lost.txt"], "names lost.mrc, which is neither"),
    ],
)
def test_wrong_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    touch(tmp_path, "g1/m.mrc", "g2/m.mrc", "notes.csv", "none.txt")
    (tmp_path / "empty").mkdir()
    (tmp_path / "lost.txt").write_text("lost.mrc\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"(?s).*") as caught:
        find_micrographs(arguments, tmp_path / "out")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "bad", ["../a.mrc", "/etc/a.mrc", "a/../../b.mrc", "", "a\nb.mrc", "b\udcff"]
)
def test_ids_that_would_leave_the_output_folder_are_refused(tmp_path: Path, bad: str) -> None:
    with pytest.raises(InputError, match="micrograph"):
        check_id(bad)
    host = FolderHost(tmp_path / "out", star_per_micrograph=True)
    host.begin()
    picks = Picks.empty("m")
    output = MicrographOutput(Micrograph(bad, LocalFile(Path("x"))), picks, (9, 9), 1.0)
    with pytest.raises(InputError):
        host.deliver_one(output)
    left = [p.name for p in tmp_path.rglob("*") if p.is_file()]
    assert left == []


def test_odd_but_possible_ids(tmp_path: Path) -> None:
    for fine in (
        "a/b c.mrc",
        "FoilHole_12.5_x.mrc",
        "ä%s/µ.mrc",
        "..a/b..mrc",
        "18446744073709551615",
    ):
        assert star_path(tmp_path, fine).is_relative_to(tmp_path)


def output(micrograph_id: str, n: int = 2) -> MicrographOutput:
    x = np.arange(n) + 0.6
    picks = Picks.from_xy(micrograph_id, x, x + 1, score=-x, selected=np.arange(n) < 1)
    return MicrographOutput(Micrograph(micrograph_id, LocalFile(Path("x"))), picks, (50, 60), 1.0)


def deliver(out: Path, *names: str) -> None:
    host = FolderHost(out, star_per_micrograph=True)
    host.begin()
    outputs = [output(name) for name in names]
    for one in outputs:
        host.deliver_one(one)
    host.deliver([PicksOutput(-0.7, np.zeros(0), 1.0), Report({"task": "pick"})])


def stars(out: Path) -> list[str]:
    return sorted(p.relative_to(out / "star").as_posix() for p in (out / "star").rglob("*.star"))


def test_outputs_hold_what_they_should(tmp_path: Path) -> None:
    deliver(tmp_path, "g/a.mrc", "b.mrc")
    everything = read_picks(tmp_path / "picks.csv")
    assert everything.micrograph == ("g/a.mrc",) * 2 + ("b.mrc",) * 2
    np.testing.assert_allclose(everything.x_px, [0.6, 1.6, 0.6, 1.6])
    assert everything.selected is not None and everything.selected.tolist() == [True, False] * 2
    listed = read_picks(tmp_path / "picks.star")
    assert listed.micrograph == ("g/a.mrc", "b.mrc")
    np.testing.assert_allclose(listed.x_px, [1, 1])
    assert stars(tmp_path) == ["b.mrc.star", "g/a.mrc.star"]
    assert len(read_picks(tmp_path / "star" / "g" / "a.mrc.star")) == 1
    assert json.loads((tmp_path / "run.json").read_text()) == {"task": "pick"}
    assert "<html" in (tmp_path / "report.html").read_text()


def test_an_end_between_deliveries_leaves_the_combined_files_of_before(tmp_path: Path) -> None:
    deliver(tmp_path, "a.mrc", "b.mrc")
    before = {name: (tmp_path / name).read_bytes() for name in ("picks.csv", "picks.star")}
    host = FolderHost(tmp_path)
    host.begin()
    host.deliver_one(output("c.mrc"))
    assert len(list(tmp_path.glob(".picks.*.tmp"))) == 2
    host.end(Outcome.ABORTED)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert not list(tmp_path.glob(".*.tmp"))
    deliver(tmp_path, "a.mrc", "b.mrc")
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_stale_files_of_ours_are_taken_back_and_no_others(tmp_path: Path) -> None:
    deliver(tmp_path, "g/h/a.mrc", "b.mrc", "c.mrc")
    touch(tmp_path, "star/mine.star", "star/k/mine.star")
    deliver(tmp_path, "b.mrc")
    assert stars(tmp_path) == ["b.mrc.star", "k/mine.star", "mine.star"]
    assert not (tmp_path / "star" / "g").exists()
    deliver(tmp_path, "b.mrc", "c.mrc")
    assert "c.mrc.star" in stars(tmp_path)


def test_a_kill_between_note_and_file_is_harmless(tmp_path: Path) -> None:
    note = tmp_path / "written.txt"
    WrittenNames(note).note("ä/a.mrc")
    note.write_text(note.read_text() + '\n"half')
    again = WrittenNames(note)
    again.note("b.mrc")
    assert WrittenNames(note).stale(["b.mrc"]) == ["ä/a.mrc"]
    again.keep_only(["b.mrc"])
    assert WrittenNames(note).stale([]) == ["b.mrc"]


def test_begin_clears_what_a_killed_run_left(tmp_path: Path) -> None:
    touch(tmp_path, "out/star/.a.mrc.star.77.tmp", "out/.picks.csv.7.tmp", "out/keep.tmp")
    touch(tmp_path, "out/.frostpick/picks/.a.npz.7.tmp", "out/another_job/star/.b.mrc.star.8.tmp")
    FolderHost(tmp_path / "out").begin()
    left = sorted(p.name for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert left == [".b.mrc.star.8.tmp", "keep.tmp"]
    touch(tmp_path, "file")
    with pytest.raises(InputError, match="a file; expected a folder"):
        FolderHost(tmp_path / "file").begin()


# --- the calls of scripts ---


@pytest.fixture
def micrographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(finish, "pick_figures", lambda *arguments: [])
    folder = tmp_path / "micrographs"
    for number in range(3):
        places = ((50, 60), (120, 60), (80, 130 + number))
        write_mrc(folder / f"m{number}.mrc", spots_on_noise((192, 192), places, number), 2.0)
    return folder


def test_pick_then_select(
    tmp_path: Path, micrographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    first = api.pick(
        out,
        micrographs=micrographs,
        diameter=64,
        model="blob",
        threads=1,
        threshold="1000",
        star_per_micrograph=True,
    )
    assert first.out == out and first.summary.micrographs == 3
    every = (out / "picks.csv").read_text()

    def no_inference(*arguments: object) -> None:
        raise AssertionError("inference")

    monkeypatch.setattr("frostpick_jobs.tasks.pick.not_yet_picked.pick_micrographs", no_inference)
    for file in micrographs.iterdir():
        file.unlink()
    second = api.select(out, "p=0.02")
    assert second.summary.selected > first.summary.selected
    assert second.summary.picks == first.summary.picks
    rows = sum(len(read_picks(path)) for path in (out / "star").rglob("*.star"))
    assert rows == second.summary.selected
    assert len((out / "picks.csv").read_text().splitlines()) == len(every.splitlines())
    record = json.loads((out / "run.json").read_text())
    assert record["settings"]["threshold"] == "p=0.02"
    assert record["model"]["name"] == "blob" and record["counts"]["selected"] == rows
    third = api.select(out, 1.5)
    assert third.summary.threshold == 1.5
    assert len(stars(out)) == 3


def test_files_of_single_micrographs_on_request_and_where_they_are(
    tmp_path: Path, micrographs: Path
) -> None:
    """A job that has them keeps them up to date; one that was never asked has none."""
    told: dict[str, Any] = {"diameter": 64, "model": "blob", "threads": 1, "threshold": "p=0.5"}
    plain, each = tmp_path / "plain", tmp_path / "each"
    api.pick(plain, micrographs=micrographs, **told)
    assert not (plain / "star").exists() and not (plain / ".frostpick" / "written.txt").exists()
    api.pick(each, micrographs=micrographs, **told, star_per_micrograph=True)
    assert stars(each) == ["m0.mrc.star", "m1.mrc.star", "m2.mrc.star"]
    for name in ("picks.csv", "picks.star", "micrographs.csv"):
        assert (plain / name).read_bytes() == (each / name).read_bytes()
    listed = read_picks(plain / "picks.star")
    for name in ("m0.mrc", "m1.mrc", "m2.mrc"):
        alone = read_picks(each / "star" / f"{name}.star")
        assert alone.x_px.tolist() == [
            x for x, on in zip(listed.x_px, listed.micrograph, strict=True) if on == name
        ]

    (micrographs / "m2.mrc").unlink()
    api.pick(each, micrographs=micrographs, **{**told, "threshold": 1000.0})  # no longer asked for
    assert stars(each) == ["m0.mrc.star", "m1.mrc.star"]
    assert [len(read_picks(each / "star" / name)) for name in stars(each)] == [0, 0]
    shutil.rmtree(each / "star")
    api.select(each, "p=0.5")
    assert not (each / "star").exists()
    api.pick(plain, micrographs=micrographs, **told, star_per_micrograph=True)
    assert stars(plain) == ["m0.mrc.star", "m1.mrc.star"]


def test_select_needs_a_finished_pick(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no picking job here"):
        api.select(tmp_path / "nothing", "auto")
    assert not (tmp_path / "nothing").exists()
    (tmp_path / "half" / ".frostpick").mkdir(parents=True)
    (tmp_path / "half" / ".frostpick" / "job.json").write_text('{"task": "pick"}')
    with pytest.raises(InputError, match="did not come to its end"):
        api.select(tmp_path / "half", "auto")


def test_select_refuses_a_mixture_of_results(
    tmp_path: Path, micrographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, real, stored = tmp_path / "out", not_yet_picked.keep, []
    api.pick(out, micrographs=micrographs, diameter=64, model="blob", threads=1)

    def stop_after_one(*arguments: Any) -> None:
        real(*arguments)
        stored.append(arguments)
        raise JobStopped("enough")

    monkeypatch.setattr(not_yet_picked, "keep", stop_after_one)
    with pytest.raises(JobStopped):
        api.pick(out, micrographs=micrographs, diameter=80, model="blob", threads=1)
    assert len(stored) == 1
    with pytest.raises(InputError, match="did not come to its end"):
        api.select(out, "p=0.5")
    monkeypatch.setattr(not_yet_picked, "keep", real)
    api.pick(out, micrographs=micrographs, diameter=80, model="blob", threads=1)
    api.select(out, "p=0.5")
    record = json.loads((out / "run.json").read_text())
    assert record["min_distance_A"] == pytest.approx(0.7 * 80)
    assert record["contrast"] == "dark"


def test_all_are_written_and_the_table_still_says_which_are_selected(
    tmp_path: Path, micrographs: Path
) -> None:
    out = tmp_path / "out"
    told = {
        "diameter": 64,
        "model": "blob",
        "threads": 1,
        "threshold": "p=0.5",
        "output_picks": "all",
    }
    result = api.pick(out, micrographs=micrographs, **told)
    assert 0 < result.summary.selected < result.summary.picks
    assert len(read_picks(out / "picks.star")) == result.summary.picks
    table = read_picks(out / "picks.csv")
    assert table.selected is not None and table.probability is not None
    assert table.selected.sum() == result.summary.selected
    assert (table.selected == (table.probability >= 0.5)).all()


def test_a_model_in_memory_and_wrong_calls(tmp_path: Path, micrographs: Path) -> None:
    blob = load_model("blob")
    result = api.pick(tmp_path / "o", micrographs=[micrographs], model=blob, diameter=64)
    assert result.summary.micrographs == 3
    with pytest.raises(ConfigError, match="needs its size"):
        api.pick(tmp_path / "p", micrographs=micrographs)
    with pytest.raises(ConfigError, match="unknown setting 'diametre'"):
        api.pick(tmp_path / "p", micrographs=micrographs, diametre=64)
    with pytest.raises(InputError, match="no micrographs; give some with --micrographs"):
        api.pick(tmp_path / "p", diameter=64)
    with pytest.raises(ConfigError, match="leave model away"):
        api.pick(FolderHost(tmp_path / "q"), model=blob, diameter=64)
    with pytest.raises(ConfigError, match="threshold 'often'"):
        api.pick(tmp_path / "p", micrographs=micrographs, diameter=64, threshold="often")


def test_relative_paths_from_another_folder(
    tmp_path: Path, micrographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    api.pick(
        "out",
        micrographs="micrographs/m*.mrc",
        diameter=64,
        max_micrographs=1,
        star_per_micrograph=True,
    )
    assert stars(Path("out")) == ["m1.mrc.star"]
    assert os.listdir("out/star") == ["m1.mrc.star"]


def test_every_output_has_a_place_that_can_be_named_before_the_job(tmp_path: Path) -> None:
    host = FolderHost("some/out")
    named = {
        name: host.reference(name) for name in ("picks", "kept", "verified", "model", "pruner")
    }
    assert named == {
        "picks": "some/out/picks.star",
        "kept": "some/out/kept.star",
        "verified": "some/out/verified.star",
        "model": "some/out/model",
        "pruner": "some/out/pruner",
    }
    assert host.place == Place("some/out", Path("some/out"))


def test_outputs_are_written_in_their_order_and_a_curve_where_there_is_one(tmp_path: Path) -> None:
    blob, table = load_model("blob"), tmp_path / "table.csv"
    table.write_text("a\n1\n")
    curve = [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25, "held_out": 0.75}]
    host = FolderHost(tmp_path / "out")
    host.begin()
    host.deliver(
        [
            ModelOutput("model", blob, curve),
            ModelOutput("another", blob),
            Files({"rounds/table.csv": table}),
            Report({"task": "train"}),
        ]
    )
    text = (tmp_path / "out/training.csv").read_text()
    assert text == "step,loss,held_out\n1,0.5,\n2,0.25,0.75\n"
    assert (tmp_path / "out/rounds/table.csv").read_text() == "a\n1\n"
    for name in ("model", "another"):
        assert load_model(str(tmp_path / "out" / name)).digest == blob.digest
    names = [f"out/{name}" for name in ("model/model.json", "rounds/table.csv", "run.json")]
    times = [(tmp_path / name).stat().st_mtime_ns for name in names]
    assert times == sorted(times)


def test_wrong_inputs_of_a_host(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no input 'pick'; known are micrographs, labels"):
        FolderHost(tmp_path, {"pick": ["a.csv"]})
    with pytest.raises(ConfigError, match="--particles: 2 files; give one"):
        FolderHost(tmp_path, {"particles": ["a.star", "b.star"]}).begin()


def test_a_model_in_memory_serves_picking_alone(tmp_path: Path) -> None:
    blob = load_model("blob")
    host = FolderHost(tmp_path, model=blob)
    assert host.model_of("picking", "whatever") is blob
    assert host.model_of("pruner", "pruner") is host.model_of("encoder", "mae-tiny") is None
