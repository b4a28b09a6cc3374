"""Kinds of repeated objects of an earlier job become labels of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_images import draw_discs, noise, places_apart, write_mrc

from frostpick.errors import FrostpickError, InputError
from frostpick.picking.pick import MicrographPicks
from frostpick.picking.threshold import Cut
from frostpick.runtime.run_record import RunRecord
from frostpick.settings import TrainSettings
from frostpick.settings.train import kinds_named
from frostpick.types import Labels, Picks
from frostpick_jobs import api
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.job.report import summary_rows
from frostpick_jobs.tasks.included import with_included
from frostpick_jobs.tasks.repeated import NAME, repeated_objects

PIXEL_A, DIAMETER_A = 2.0, 64.0
HEAD = "kind_number,micrograph,x_px,y_px,away,named\n"


def settings(include: str) -> TrainSettings:
    return TrainSettings(include=include, diameter=DIAMETER_A, pixel_size=PIXEL_A)


@pytest.fixture
def job(tmp_path: Path) -> FolderHost:
    """Return a job of two micrographs, (rows, columns) = (96, 160), beside an earlier one."""
    for name in ("a", "b"):
        write_mrc(tmp_path / "mics" / f"{name}.mrc", noise((96, 160), 1).astype(np.float32))
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    (earlier / NAME).write_text(
        HEAD
        + "1,a.mrc,120.000,30.000,0.400,\n"  # typical
        + "1,a.mrc,40.000,60.000,1.100,\n"  # the last that is
        + "1,b.mrc,20.000,80.000,1.200,\n"  # not typical
        + "2,b.mrc,70.000,40.000,0.500,\n"
        + "3,b.mrc,90.000,40.000,0.500,ice (a lattice)\n"
    )
    return FolderHost(tmp_path / "out", {"micrographs": [tmp_path / "mics"]}, pixel_size=PIXEL_A)


def included(job: FolderHost, text: str, labels: dict[str, Labels] | None = None) -> Any:
    """Return the labels as x and y by micrograph, and the record."""
    record = RunRecord("train", "folder", {})
    text = f"{job.out.parent / 'earlier'}:{text}"
    found = with_included(job, record, settings(text), job.micrographs(), labels or {}, None)
    xy = {n: np.stack([o.x_px, o.y_px], 1).tolist() for n, o in found.items()}
    return xy, record.finished()["included"], found


def test_typical_members_are_labels_at_their_column_and_row(job: FolderHost) -> None:
    xy, told, found = included(job, "1")
    assert xy == {"a.mrc": [[120.0, 30.0], [40.0, 60.0]]}
    assert told["seen"] == 3 and told["labels"] == 2
    assert "2 of the 3 objects of kind 1" in told["text"]
    assert (found["a.mrc"].sign == 1).all() and (found["a.mrc"].worth == 1.0).all()


def test_several_kinds_are_taken_together(job: FolderHost) -> None:
    xy, told, _ = included(job, "1, 2")
    assert xy == {"a.mrc": [[120.0, 30.0], [40.0, 60.0]], "b.mrc": [[70.0, 40.0]]}
    assert "kinds 1, 2 of" in told["text"]


def test_what_is_labelled_already_is_not_labelled_twice(job: FolderHost) -> None:
    # half a diameter is 16 pixels: the first is 15 off a label, the second 17 off a place without
    # a particle, the third on one
    labels = {
        "a.mrc": Labels.from_xy("a.mrc", [120.0, 40.0], [45.0, 77.0], sign=[1, -1], row=[4, 5]),
        "b.mrc": Labels.from_xy("b.mrc", [70.0], [40.0], sign=[-1], row=[6]),
    }
    xy, told, found = included(job, "1,2", labels)
    assert xy["a.mrc"] == [[120.0, 45.0], [40.0, 77.0], [40.0, 60.0]]
    assert xy["b.mrc"] == [[70.0, 40.0]] and told["labels"] == 1
    assert found["a.mrc"].sign.tolist() == [1, -1, 1]
    assert found["a.mrc"].row.tolist() == [4, 5, -1]


@pytest.mark.parametrize(
    "which, words",
    [
        ("3", "kind 3 is ice (a lattice), no particle"),
        ("7", "no kind 7 of repeated objects; there are: 1, 2, 3"),
    ],
)
def test_ice_and_what_is_not_there_are_refused(job: FolderHost, which: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        included(job, which)
    assert words in str(caught.value)


def test_a_kind_of_which_nothing_can_be_a_label_is_refused(job: FolderHost) -> None:
    labels = {"b.mrc": Labels.from_xy("b.mrc", [70.0], [40.0])}
    with pytest.raises(InputError, match="none of its 1 objects can be a label"):
        included(job, "2", labels)


@pytest.mark.parametrize(
    "text, words",
    [
        (None, "cannot be read"),
        ("kind_number,micrograph,x_px,y_px\n1,a.mrc,1,2\n", "expected kind_number, micrograph"),
        (HEAD + "1,a.mrc,1,two,0.4,\n", "expected the file as the job wrote it"),
        (HEAD + "1,a.mrc,1\n", "expected the file as the job wrote it"),
    ],
)
def test_a_file_that_is_no_such_table_is_told(
    job: FolderHost, text: str | None, words: str
) -> None:
    path = job.out.parent / "earlier" / NAME
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=words):
        included(job, "1")


def test_a_job_and_numbers_are_named() -> None:
    assert kinds_named("Extern/job_1:2:3, 1,3") == ("Extern/job_1:2", (3, 1))
    for wrong in ("OUT", "OUT:", ":3", "OUT:a", "OUT:1;2"):
        with pytest.raises(ValueError, match="names no kinds"):
            TrainSettings(include=wrong)


def comma(image: np.ndarray, x: float, y: float, angle: float) -> None:
    """Draw a disc with a smaller one beside it: an object that has no symmetry but a mirror."""
    draw_discs(image, [(x, y)], 2.0, 4.5)
    draw_discs(image, [(x + 6 * np.cos(angle), y + 6 * np.sin(angle))], 2.0, 2.5)


def test_from_pictures_to_labels_on_the_objects(tmp_path: Path) -> None:
    """Members that one job found are labels of another within a quarter of the diameter."""
    shape, preview, results, true = (480, 640), (240, 320), [], {}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        # the middle of the dark lies a quarter of the way to the smaller disc's centre
        xy, angles = places_apart(rng, preview, 30, 18.0, 32.0), rng.uniform(0, 2 * np.pi, 30)
        image = noise(preview, seed)
        for (x, y), angle in zip(xy, angles, strict=True):
            comma(image, x, y, angle)
        share = 2.5**2 / (2.5**2 + 4.5**2)
        middle = xy + 6 * share * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        name = f"m{seed}.mrc"
        true[name] = 2 * middle + 0.5  # a pixel of the preview is four of the micrograph
        write_mrc(tmp_path / "mics" / name, np.zeros(shape, np.float32))
        grey = np.clip(128 + 25 * image, 0, 255).astype(np.uint8)
        none = Picks.empty(name)
        results.append(MicrographPicks(name, none, shape, PIXEL_A, preview=grey))
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    found = repeated_objects(results, lambda _: Cut(0.0), DIAMETER_A, "dark", job=f"{earlier}/")
    assert f"--include {earlier}:1" in found.told["text"].replace("⟦include=", "--include ")
    found.write(earlier / NAME)
    host = FolderHost(tmp_path / "out", {"micrographs": [tmp_path / "mics"]}, pixel_size=PIXEL_A)
    record = RunRecord("train", "folder", {})
    kinds = ",".join(str(k + 1) for k in range(len(found.told["kinds"])))
    labels = with_included(
        host, record, settings(f"{earlier}:{kinds}"), host.micrographs(), {}, None
    )
    away = [
        np.hypot(*(true[name] - [x, y]).T).min()
        for name, one in labels.items()
        for x, y in zip(one.x_px, one.y_px, strict=True)
    ]
    assert len(away) >= 35 and np.mean(np.array(away) < 0.25 * DIAMETER_A / PIXEL_A) > 0.95


def test_a_report_says_how_many_labels_are_included() -> None:
    record = {"task": "train", "counts": {"labels": 8}, "included": {"labels": 6}}
    rows = dict(summary_rows(record))
    assert rows["labels"] == 8 and rows["of them, repeated objects"] == 6
    assert "of them, repeated objects" not in dict(summary_rows({"task": "train"}))


def test_no_such_job_ends_a_training_with_one_sentence(job: FolderHost) -> None:
    with pytest.raises(FrostpickError, match="takes the job of pick, fewshot, train or iterate"):
        api.train(
            job.out,
            micrographs=job.out.parent / "mics",
            include=f"{job.out.parent / 'nowhere'}:1",
            diameter=DIAMETER_A,
            device="cpu",
        )
