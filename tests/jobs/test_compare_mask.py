"""What the comparison of two trees hides, and what it does not."""

import io
import json
import zipfile

import numpy as np
import pytest
from comparing.differences import compare, compare_contents
from comparing.exceptions import Expected, unused
from comparing.masks import MASKS, masked

RUN = """{
  "task": "pick",
  "versions": {
    "frostpick": "0.1.0",
    "python": "3.11.7"
  },
  "started": "2026-11-30T05:09:20+00:00",
  "counts": {
    "picks": 543
  },
  "seconds_by_stage": {
    "read": 0.003172,
    "round 2": 1e-05
  },
  "ended": "2026-11-30T05:09:22+00:00",
  "seconds": {
    "total": 1.800302
  }
}
"""


def differ(name: str, before: str, now: str) -> str:
    return compare_contents(name, before.encode(), now.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("05:09:20+00:00", "06:10:21+00:00"),
        ("05:09:22+00:00", "06:10:22+00:00"),
        ("0.003172", "0.25"),
        ("1e-05", "2.5"),
        ("1.800302", "17"),
        ('"frostpick": "0.1.0"', '"frostpick": "0.2.0"'),
    ],
)
def test_times_and_versions_do_not_count(old: str, new: str) -> None:
    assert old in RUN
    assert differ("pick/run.json", RUN, RUN.replace(old, new)) == ""
    # In a table of picks the same text counts.
    assert differ("pick/picks.csv", RUN, RUN.replace(old, new)) != ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("543", "542"),
        ("round 2", "round 3"),
        ('"read"', '"reading"'),
        ('"python": "3.11.7"', '"python": "3.11.8"'),
        ('    "read": 0.003172,\n', ""),
        ('"task": "pick"', '"task":  "pick"'),
    ],
)
def test_all_else_of_a_record_counts(old: str, new: str) -> None:
    assert old in RUN
    assert differ("pick/run.json", RUN, RUN.replace(old, new)) != ""


def test_one_coordinate_is_told() -> None:
    rows = [f"sim_{n}.mrc,{n}.5,{n}.25,0.99" for n in range(500)]
    now = [*rows]
    now[321] = "sim_321.mrc,321.5,321.251,0.99"
    told = differ("pick/picks.csv", "\n".join(rows), "\n".join(now)).splitlines()
    assert told == [f"-{rows[321]}", f"+{now[321]}"]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a/report.html", "<dd>2026-11-30 05:09 UTC</dd>", "<dd>2026-12-01 15:19 UTC</dd>"),
        ("a/report.html", "<dt>time</dt><dd>1.5 s</dd>", "<dt>time</dt><dd>2 min 1 s</dd>"),
        ("a/.frostpick/lock", "30594 on vm", "305 on vm"),
        ("steps/01_x/stdout", "05:09:22 picking", "05:10:22 picking"),
        ("steps/01_x/stderr", "2026-11-30 06:18:32,389 a", "2026-12-01 07:00:02,001 a"),
        ("steps/01_x/stderr", "a\ntraining: 3 of 9, 0:00:05 left, loss 3\nb", "a\nb"),
        ("steps/01_x/stderr", "demo/report.html (39 s in all)", "demo/report.html (4 s in all)"),
    ],
)
def test_what_is_said_of_time_does_not_count(name: str, old: str, new: str) -> None:
    assert differ(name, old, new) == ""
    assert differ("pick/star/a.star", old, new) != ""


def test_the_words_around_a_time_count() -> None:
    said = "05:09:22 picking: 5 of 5\nthreshold: score >= -0.236 (auto)\n"
    for old, new in (("5 of 5", "5 of 6"), ("-0.236", "-0.235"), ("05:09:22", "")):
        assert differ("steps/01_x/stderr", said, said.replace(old, new)) != ""


def stored(seconds: float, x: float) -> bytes:
    about = np.frombuffer(json.dumps({"id": "a", "seconds": {"read": seconds}}).encode(), np.uint8)
    held = io.BytesIO()
    np.savez(held, about=about, picks=np.array([[x, 2.0], [3.0, 4.0]]))
    return held.getvalue()


def test_a_stored_result() -> None:
    name = "pick/.frostpick/picks/0a.npz"
    first = stored(0.1234567, 1.0)
    assert compare_contents(name, first, stored(0.9, 1.0)) == ""
    assert "picks.npy" in compare_contents(name, first, stored(0.1234567, 1.0 + 1e-12))
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.namelist() == ["about.npy", "picks.npy"]


def state(metadata: dict[str, str], data: bytes) -> bytes:
    header = json.dumps({"__metadata__": metadata, "a": {"data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + data


def test_the_state_of_a_training_but_not_a_model_may_be_ordered_anew() -> None:
    first = state({"key": "k", "progress": "p"}, b"\0\0\0\0")
    second = state({"progress": "p", "key": "k"}, b"\0\0\0\0")
    assert compare_contents("t/training.safetensors", first, second) == ""
    assert compare_contents("t/model.safetensors", first, second) != ""
    changed = state({"progress": "p", "key": "k"}, b"\0\0\0\1")
    assert compare_contents("t/training.safetensors", first, changed) != ""


def test_the_uid_of_a_model_but_of_no_pick_is_drawn() -> None:
    header = b"\x93NUMPY {'descr': [('uid', '<u8')]}\n"
    first, second = header + b"12345678J4/model", header + b"abcdefghJ4/model"
    assert compare_contents("state/J4/model.cs", first, second) == ""
    assert compare_contents("state/J4/particles.cs", first, second) != ""
    assert compare_contents("state/J4/model.cs", first, header + b"12345678J5/model") != ""


def test_files_that_are_gone_or_new(tmp_path) -> None:
    for folder, names in (("before", "ab"), ("now", "bc")):
        (tmp_path / folder / "deep").mkdir(parents=True)
        for name in names:
            (tmp_path / folder / "deep" / name).write_text("same")
        (tmp_path / folder / "empty").mkdir()
    count, found = compare(tmp_path / "before", tmp_path / "now")
    assert count == 4
    assert [(one.file, one.how) for one in found] == [("deep/a", "is gone"), ("deep/c", "is new")]
    covered = Expected("pick*", "deep/a", "wanted")
    assert [covered.covers("pick-options", one) for one in found] == [True, False]
    assert not covered.covers("prune", found[0])
    assert unused([covered], set()) == [covered] and unused([covered], {covered}) == []


def test_every_mask_has_a_reason_and_hides_something() -> None:
    assert all(mask.reason and mask.files and mask.pattern for mask in MASKS)
    assert masked("anything.star", RUN) == RUN
