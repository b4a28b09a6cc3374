"""Every task takes arrays in place of files, and comes to the same."""

from __future__ import annotations

import inspect
import logging
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
from made_images import places_apart, spots_on_noise, write_mrc
from prune_project import DISCS, ROWS, write_project
from tiny_pruner import DIAMETER_A, PIXEL_A

import frostpick_jobs
from frostpick.errors import ConfigError, InputError, MicrographError
from frostpick.picking.read import fetch_and_decode
from frostpick.settings import PickSettings
from frostpick.types import Labels, Picks
from frostpick_jobs import api
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.inputs import arrays
from frostpick_jobs.inputs.arrays import write_input
from frostpick_jobs.job.results import IteratingResult, Place
from frostpick_jobs.tasks import train
from frostpick_jobs.tasks.declarations import TASKS
from frostpick_jobs.tasks.pick import finish

SHAPE = (150, 210)
BLOB = {"model": "blob", "diameter": 64, "pixel_size": 2.0, "device": "cpu", "threads": 1}


class Reached(Exception):
    """A task has come as far as its host."""


def places(number: int) -> np.ndarray:
    return places_apart(np.random.default_rng(number), SHAPE, 6, 30, 36)


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])
    return {f"m{n}": spots_on_noise(SHAPE, places(n), n) for n in range(2)}


def as_files(folder: Path, images: dict[str, np.ndarray], pixel_A: float = 2.0) -> Path:
    for name, image in images.items():
        write_mrc(folder / f"{name}.mrc", image, pixel_A)
    return folder


def test_pick_on_arrays_is_pick_on_files_and_goes_on(
    images: dict[str, np.ndarray], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = as_files(tmp_path / "mics", images)
    one = frostpick_jobs.pick(tmp_path / "files", micrographs=files, **BLOB)
    out = tmp_path / "arrays"
    other = frostpick_jobs.pick(out, micrographs=images, **BLOB)
    assert (one.picks, one.selected, one.threshold) == (
        other.picks,
        other.selected,
        other.threshold,
    )
    found, expected = frostpick_jobs.picks_of(out), frostpick_jobs.picks_of(tmp_path / "files")
    assert list(found) == list(expected) == ["m0.mrc", "m1.mrc"]
    for name in found:
        assert np.array_equal(found[name].x_px, expected[name].x_px)
        assert np.array_equal(found[name].selected, expected[name].selected)
    # again: nothing is picked twice; one changed array alone is
    before = {p.name: p.stat().st_mtime_ns for p in (out / "arrays").glob("*.mrc")}
    caplog.set_level(logging.INFO)
    frostpick_jobs.pick(out, micrographs=images, **BLOB)
    assert {p.name: p.stat().st_mtime_ns for p in (out / "arrays").glob("*.mrc")} == before
    caplog.clear()
    changed = {**images, "m1": spots_on_noise(SHAPE, places(5), 5)}
    frostpick_jobs.pick(out, micrographs=changed, **BLOB)
    assert "1 micrograph picked again" in caplog.text
    picks = frostpick_jobs.picks_of(out)["m1.mrc"]
    best = np.column_stack([picks.x_px, picks.y_px])[:6]
    away = np.hypot(*(best[:, None] - places(5)[None]).transpose(2, 0, 1)).min(0)
    assert (away < 2.5).all()


def test_train_on_arrays_learns_from_the_same_as_on_files(
    images: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the training is given: pixels, pixel size and labels, to the last digit."""
    seen: list[Any] = []

    def catch(micrographs: Any, labels: Any, *others: Any, **more: Any) -> None:
        pictures = [fetch_and_decode(one) for one in micrographs]
        seen.append((micrographs, pictures, labels))
        raise Reached

    monkeypatch.setattr(train, "train_picker", catch)
    asked = {"start_model": "none", "diameter": 64, "device": "cpu", "threads": 1}
    given = {name: places(n) for n, name in enumerate(images)}
    lines = [f"{name},{x!r},{y!r}" for name, xy in given.items() for x, y in xy.tolist()]
    (tmp_path / "labels.csv").write_text("\n".join(["micrograph,x_px,y_px", *lines]) + "\n")
    inputs = [
        {"micrographs": as_files(tmp_path / "mics", images), "labels": tmp_path / "labels.csv"},
        {"micrographs": images, "labels": given},
    ]
    for number, one in enumerate(inputs):
        with pytest.raises(Reached):
            frostpick_jobs.train(tmp_path / str(number), **one, **asked, pixel_size=2.0)
    (files, pixels, labels), (arrays, same_pixels, same_labels) = seen
    assert [one.id for one in files] == [one.id for one in arrays] == ["m0.mrc", "m1.mrc"]
    for one, other in zip(pixels, same_pixels, strict=True):
        assert np.array_equal(one.data, other.data) and one.pixel_size_A == other.pixel_size_A == 2
    for one, other, xy in zip(labels.values(), same_labels.values(), given.values(), strict=True):
        assert np.array_equal(one.x_px, other.x_px) and np.array_equal(other.y_px, xy[:, 1])


def test_prune_and_verify_on_arrays(
    tmp_path: Path, pruner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frostpick_jobs.tasks.prune.run.prune_figures", lambda *a: [])
    write_project(tmp_path)
    mics = {}
    for name in DISCS:
        with mrcfile.open(tmp_path / "mics" / name) as file:
            mics[name] = file.data.copy()
    asked: dict[str, Any] = {"pruner": pruner, "diameter": DIAMETER_A, "pixel_size": PIXEL_A}
    asked |= {"device": "cpu", "threads": 1, "threshold": "0", "four_rotations": False}
    kept = {n: [(x, y) for m, x, y, why in ROWS if m == n and not why] for n in "ab"}
    junk = {n: [(x, y) for m, x, y, why in ROWS if m == n and why == "not particle"] for n in "ab"}
    picks = {n: np.array(kept[n] + junk[n], float) for n in "ab"}
    result = frostpick_jobs.prune(tmp_path / "out", micrographs=mics, picks=picks, **asked)
    # by rows: those of a, then those of b
    expected = [good for n in "ab" for good in [True] * len(kept[n]) + [False] * len(junk[n])]
    assert result.decisions.keep.tolist() == expected
    shown = result._repr_html_()
    assert "kept" in shown and "not particle" in shown

    boxes = np.stack([spots_on_noise((48, 48), [(24, 24)], n) for n in range(3)])
    told = {k: asked[k] for k in ("pruner", "diameter", "pixel_size", "device", "threads")}
    verified = frostpick_jobs.verify(tmp_path / "boxes", particles=boxes, **told)
    assert len(verified.decisions) == 3 and np.isfinite(verified.decisions.score).all()


@pytest.mark.parametrize("task", TASKS, ids=[one.name for one in TASKS])
def test_every_input_of_every_task_may_be_arrays(
    task: Any, images: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a task is given are files that hold the arrays, for each input that it declares."""
    seen: dict[str, Any] = {}

    def catch(out: Path, inputs: Any, *others: Any, **more: Any) -> None:
        seen.update(inputs)
        raise Reached

    monkeypatch.setattr(FolderHost, "for_settings", catch)
    spots = {name: places(n) for n, name in enumerate(images)}
    arrays = {"micrographs": images, "particles": np.zeros((2, 8, 8)) + np.eye(8)}
    given = {one.name: arrays.get(one.name, spots) for one in task.inputs}
    function = getattr(api, task.name)
    assert set(given) <= set(inspect.signature(function).parameters)
    with pytest.raises(Reached):
        function(tmp_path / "out", **given, pixel_size=2.0)
    assert set(seen) == set(given)
    for name in ("m0", "m1"):
        with mrcfile.open(tmp_path / "out/arrays" / f"{name}.mrc") as file:
            assert np.array_equal(file.data, images[name]) and file.voxel_size.x == 2.0


def test_columns_of_picks_and_signs_of_labels_are_kept(tmp_path: Path) -> None:
    picks = Picks.from_xy("m", [1.25, 7.0], [2.5, 8.0], score=[0.1, -3.0], selected=[True, False])
    (path,) = write_input(tmp_path, "picks", {"m": picks}, None)
    lines = Path(path).read_text().splitlines()
    assert lines == ["micrograph,x_px,y_px,score,selected", "m,1.25,2.5,0.1,1", "m,7.0,8.0,-3.0,0"]
    labels = Labels.from_xy("m", [1.0, 7.0], [2.0, 8.0], sign=[1, -1])
    (path,) = write_input(tmp_path, "labels", {"m": labels}, None)
    assert Path(path).read_text().splitlines()[1:] == ["m,1.0,2.0,1", "m,7.0,8.0,-1"]


@pytest.mark.parametrize(
    "name, given, pixel, why",
    [
        ("micrographs", {"m": np.eye(4)}, None, "no pixel size"),
        ("micrographs", np.eye(4), 2.0, "a name for each"),
        ("micrographs", {"a/b": np.eye(4)}, 2.0, "without /"),
        ("micrographs", {"..": np.eye(4)}, 2.0, "expected a path below"),
        ("picks", {"m": np.zeros((3, 3))}, 2.0, r"shape \(3, 3\)"),
        ("picks", np.zeros((3, 2)), 2.0, "one for each micrograph"),
        ("particles", np.zeros((3, 8, 9)), 2.0, r"\(n, b, b\)"),
        (
            "labels",
            {"m": np.zeros((1, 2)), "n": Picks.from_xy("n", [1.0], [2.0])},
            2.0,
            "m has not the columns",
        ),
    ],
)
def test_wrong_arrays(tmp_path: Path, name: str, given: Any, pixel: Any, why: str) -> None:
    with pytest.raises(InputError, match=why):
        write_input(tmp_path, name, given, pixel)


def test_a_constant_array_is_no_micrograph(tmp_path: Path) -> None:
    with pytest.raises(MicrographError, match="flat"):
        write_input(tmp_path, "micrographs", {"flat": np.zeros((9, 9))}, 2.0)


def test_a_host_takes_no_arrays(images: dict[str, np.ndarray], tmp_path: Path) -> None:
    host = FolderHost.for_settings(tmp_path / "out", {}, PickSettings(diameter=64))
    with pytest.raises(ConfigError, match="leave micrographs away"):
        frostpick_jobs.pick(host, micrographs=images, **BLOB)


def test_picks_of_a_job_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no picking job"):
        frostpick_jobs.picks_of(tmp_path)


def test_results_tell_a_notebook_what_they_are(tmp_path: Path) -> None:
    place = Place("out<1>", tmp_path)
    (tmp_path / "report.html").write_text("")
    one = IteratingResult(place, {"m": "why"}, None, [{"step": 40.0}], {}, [{}] * 3, 2)  # type: ignore[arg-type]
    shown = one._repr_html_()
    assert "IteratingResult: out&lt;1&gt;" in shown and str(tmp_path / "report.html") in shown
    assert [f">{n}</td>" in shown for n in (40, 2, 1)] == [True] * 3  # steps, rounds, failed


def test_a_file_that_a_kill_left_is_not_taken_for_what_it_was_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    first, second = (
        {name: rng.normal(size=(8, 9)).astype(np.float32) for name in ("a", "b")} for _ in range(2)
    )
    files = arrays.write_input(tmp_path, "micrographs", first, 2.0)
    whole, written = arrays._write_image, []

    def killed(path: Path, *rest: Any) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(path)
        whole(path, *rest)

    monkeypatch.setattr(arrays, "_write_image", killed)
    with pytest.raises(KeyboardInterrupt):
        arrays.write_input(tmp_path, "micrographs", second, 2.0)
    monkeypatch.setattr(arrays, "_write_image", whole)
    assert arrays.write_input(tmp_path, "micrographs", first, 2.0) == files
    for name, file in zip(first, files, strict=True):
        np.testing.assert_array_equal(mrcfile.read(file), first[name])
