"""PickStore: what is put comes back exactly, and what does not hold counts as absent."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frostpick.errors import FrostpickError
from frostpick.pick_columns import OPTIONAL
from frostpick.types import LocalFile, Micrograph, Picks
from frostpick_jobs.store import PickKey, PickStore, Repicked, StoredPicks, pick_key

pytestmark = pytest.mark.quick

ODD_IDS = ["18446744073709551615", "a/b.mrc", "../x", "", "ä µ\n", "bad\udcff.mrc", "x" * 4000]


def result(micrograph_id: str, n: int = 3, preview: bool = False) -> StoredPicks:
    rng = np.random.default_rng(n)
    picks = Picks.from_xy(
        micrograph_id, rng.random(n) * 99, rng.random(n), score=rng.normal(size=n), diameter_A=80.0
    )
    small = np.arange(12, dtype=np.uint8).reshape(3, 4) if preview else None
    return StoredPicks(micrograph_id, picks, (90, 100), 1.25, {"read": 0.5}, small)


def key(micrograph_id: str = "m", **changes: object) -> PickKey:
    settings_ = {"diameter": 80.0, "contrast": "dark"}
    base = PickKey("digest", settings_, micrograph_id, "12:34", 1.25)
    return replace(base, **changes)


def path_of(spool: Path, micrograph_id: str) -> Path:
    """Return the small file of a micrograph's result, by the id that stands in it."""
    for path in (spool / "picks").glob("*.npz"):
        with np.load(path, allow_pickle=False) as archive:
            if json.loads(archive["about"].tobytes())["id"] == micrograph_id:
                return path
    raise AssertionError(micrograph_id)


@pytest.mark.parametrize("micrograph_id", ODD_IDS)
@pytest.mark.parametrize("preview", [False, True])
def test_round_trip_for_any_id(tmp_path: Path, micrograph_id: str, preview: bool) -> None:
    put = result(micrograph_id, preview=preview)
    PickStore(tmp_path).put(key(micrograph_id), put)
    store = PickStore(tmp_path)
    assert store.held(key(micrograph_id))
    got = store.get(micrograph_id)
    for column in Picks.columns():
        np.testing.assert_array_equal(getattr(got.picks, column), getattr(put.picks, column))
    assert (got.shape, got.pixel_size_A, got.seconds) == (put.shape, put.pixel_size_A, put.seconds)
    assert got.picks.diameter_A == 80.0
    assert (got.preview is None) == (put.preview is None)
    assert all(path.parent == tmp_path / "picks" for path in tmp_path.rglob("*.npz"))


def test_a_file_without_optional_columns_is_the_one_of_before(tmp_path: Path) -> None:
    """Arrays, their order and the text beside them are what they always were."""
    picks = Picks.from_xy("m", [1.5, 2.25], [3.0, 4.0], score=[0.5, -0.25], diameter_A=80.0)
    put = StoredPicks("m", picks, (90, 100), 1.25, {"read": 0.5})
    PickStore(tmp_path).put(key(), put)
    (path,) = (tmp_path / "picks").glob("*.npz")
    with np.load(path, allow_pickle=False) as archive:
        assert archive.files == ["about", "picks"]
        assert archive["about"].tobytes().decode() == (
            '{"id": "m", "key": {"model": "digest", "settings": {"diameter": 80.0, "contrast": '
            '"dark"}, "micrograph": "m", "file": "12:34", "pixel_size_A": 1.25, "format": 4}, '
            '"shape": [90, 100], "pixel_size_A": 1.25, "diameter_A": 80.0, "source": "frostpick", '
            '"seconds": {"read": 0.5}, "preview": false}'
        )
        assert archive["picks"].tolist() == [[1.5, 2.25], [3.0, 4.0], [0.5, -0.25]]
        assert archive["picks"].dtype.str == "<f8"
    assert PickStore(tmp_path).get("m").picks.optional() == {}


def test_decoys_come_back_with_the_picks_and_are_absent_where_none_were_looked_for(
    tmp_path: Path,
) -> None:
    decoys = Picks.from_xy("m", [7.5], [8.25], score=[-0.75], diameter_A=80.0)
    none = Picks.from_xy("m", [], [], score=[], diameter_A=80.0)
    for put in (decoys, none, None):
        PickStore(tmp_path).put(key(), replace(result("m"), decoys=put))
        got = PickStore(tmp_path).get("m").decoys
        assert (got is None) == (put is None)
        if put is not None and got is not None:
            assert (got.x_px.tolist(), got.y_px.tolist()) == (put.x_px.tolist(), put.y_px.tolist())
            assert got.score.tolist() == put.score.tolist() and got.diameter_A == 80.0


def with_columns(**columns: object) -> StoredPicks:
    plain = result("m")
    return replace(plain, picks=replace(plain.picks, **columns))


@pytest.mark.parametrize(
    "columns",
    [
        {"filament": [1, 2**40, 3]},
        {"angle_deg": [-180.0, 0.1 + 0.2, 45.0]},
        {"filament": [7, 7, 1], "angle_deg": [1e-300, -0.0, 90.0]},
    ],
)
def test_optional_columns_come_back_exactly(
    tmp_path: Path, columns: dict[str, list[float]]
) -> None:
    PickStore(tmp_path).put(key(), with_columns(**columns))
    got = PickStore(tmp_path).get("m").picks
    assert {name: values.tolist() for name, values in got.optional().items()} == columns
    for name, dtype in OPTIONAL.items():
        assert getattr(got, name) is None or getattr(got, name).dtype == dtype


def test_no_picks_of_a_filament_picker_are_a_result(tmp_path: Path) -> None:
    plain = result("m", n=0)
    put = replace(plain, picks=replace(plain.picks, filament=np.zeros(0, np.int64)))
    PickStore(tmp_path).put(key(), put)
    assert PickStore(tmp_path).get("m").picks.filament.tolist() == []


def test_a_column_that_is_not_declared_or_not_whole_makes_the_file_absent(tmp_path: Path) -> None:
    store = PickStore(tmp_path)
    store.put(key(), with_columns(filament=[1, 1, 2]))
    (path,) = (tmp_path / "picks").glob("*.npz")
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    assert store.held(key()) is not None
    about = json.loads(arrays["about"].tobytes())
    later = np.frombuffer(json.dumps(about | {"columns": ["bend"]}).encode(), np.uint8)
    np.savez(path, **(arrays | {"about": later, "column_bend": arrays["column_filament"]}))
    assert store.held(key()) is None
    np.savez(path, **(arrays | {"column_filament": np.array([1, 1])}))
    assert store.held(key()) is None
    del arrays["column_filament"]
    np.savez(path, **arrays)
    assert store.held(key()) is None


def test_no_picks_are_a_result(tmp_path: Path) -> None:
    store = PickStore(tmp_path)
    store.put(key(), result("m", n=0))
    assert store.held(key()) and len(store.get("m").picks) == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model": "other"}, "model changed: 1 micrograph picked again"),
        (
            {"settings": {"diameter": 90.0, "contrast": "dark"}},
            "settings changed (diameter 80.0 -> 90.0): 1 micrograph picked again",
        ),
        ({"file": "12:35"}, "micrograph files changed: 1 micrograph picked again"),
        ({"pixel_size_A": None}, "pixel size changed: 1 micrograph picked again"),
        ({"format": 0}, "result format changed: 1 micrograph picked again"),
    ],
)
def test_a_changed_key_says_why(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    store = PickStore(tmp_path)
    store.put(key(), result("m"))
    repicked = Repicked()
    assert not store.held(key(**change), repicked)
    assert repicked.line() == reason


def test_one_line_for_all_reasons(tmp_path: Path) -> None:
    repicked = Repicked()
    for _ in range(120):
        repicked.add("model changed")
    repicked.add("damaged result")
    assert repicked.line() == (
        "model changed: 120 micrographs picked again; damaged result: 1 micrograph picked again"
    )
    assert Repicked().line() == ""


def test_the_digest_holds_every_part() -> None:
    changes: list[dict[str, object]] = [
        {},
        {"model": "x"},
        {"settings": {}},
        {"micrograph": "n"},
        {"file": ""},
        {"pixel_size_A": 1.0},
        {"format": 9},
    ]
    assert len({key(**change).digest for change in changes}) == len(changes)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(cut=st.integers(0, 2000), at=st.integers(0, 2000), flip=st.integers(1, 255))
def test_a_damaged_file_is_absent_or_harmless(tmp_path: Path, cut: int, at: int, flip: int) -> None:
    store = PickStore(tmp_path)
    put = result("m", preview=True)
    store.put(key(), put)
    (path,) = (tmp_path / "picks").glob("*.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: min(cut, len(whole) - 1)])
    assert store.held(key()) is None or cut >= len(whole) - 1
    changed = bytearray(whole)
    changed[at % len(whole)] ^= flip
    path.write_bytes(bytes(changed))
    got = store.held(key())
    if got is not None:
        np.testing.assert_array_equal(got.picks.x_px, put.picks.x_px)
        np.testing.assert_array_equal(got.picks.score, put.picks.score)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04"])
def test_foreign_content_is_absent(tmp_path: Path, content: bytes) -> None:
    store = PickStore(tmp_path)
    store.put(key(), result("m"))
    (path,) = (tmp_path / "picks").glob("*.npz")
    path.write_bytes(content)
    repicked = Repicked()
    assert not store.held(key(), repicked)
    assert "damaged result" in repicked.line()
    with pytest.raises(FrostpickError, match="gone or damaged"):
        store.get("m")


def test_a_pickle_inside_is_refused(tmp_path: Path) -> None:
    store = PickStore(tmp_path)
    store.put(key(), result("m"))
    (path,) = (tmp_path / "picks").glob("*.npz")
    np.savez(path, about=np.array([{"id": "m"}], dtype=object), picks=np.zeros((3, 1)))
    assert store.held(key()) is None


def test_another_micrographs_file_is_absent(tmp_path: Path) -> None:
    store = PickStore(tmp_path)
    store.put(key("a"), result("a"))
    store.put(key("b"), result("b"))
    a, b = (path_of(tmp_path, one) for one in "ab")
    b.write_bytes(a.read_bytes())
    assert store.held(key("b")) is None and store.held(key("a")) is not None


def test_states_and_leftovers(tmp_path: Path) -> None:
    store = PickStore(tmp_path)
    store.write_state("threshold", {"threshold": 0.1 + 0.2})
    assert store.read_state("threshold") == {"threshold": 0.1 + 0.2}
    assert store.read_state("nothing") == {}
    (tmp_path / "threshold.json").write_text("{half")
    assert store.read_state("threshold") == {}
    (tmp_path / "picks" / ".x.npz.123.tmp").write_bytes(b"half")
    (tmp_path / "picks" / ".mine.tmp").write_bytes(b"not ours")
    PickStore(tmp_path)
    assert sorted(p.name for p in (tmp_path / "picks").iterdir()) == [".mine.tmp"]


@dataclass(frozen=True)
class Plan:
    diameter_A: float = 80.0
    scale_diameter_A: float = 80.0
    pixel_size_A: float | None = None
    contrast: str = "dark"
    min_distance_A: float = 40.0
    border: float = 0.4
    device: str = "cpu"
    threads: int = 1
    border: float = 0.0
    precision: str = "float32"


def test_the_key_follows_the_file_and_the_plan(tmp_path: Path) -> None:
    file = tmp_path / "m.mrc"
    file.write_bytes(b"123")
    micrograph = Micrograph("m.mrc", LocalFile(file), pixel_size_A=1.5)
    first = pick_key("d", Plan(), micrograph)  # type: ignore[arg-type]
    assert first == pick_key("d", Plan(device="cuda:0", threads=8), micrograph)  # type: ignore[arg-type]
    assert first != pick_key("d", Plan(min_distance_A=41.0), micrograph)  # type: ignore[arg-type]
    assert first != pick_key("d", Plan(border=0.5), micrograph)  # type: ignore[arg-type]
    assert first != pick_key("d", Plan(precision="bfloat16"), micrograph)  # type: ignore[arg-type]
    file.write_bytes(b"1234")
    assert first != pick_key("d", Plan(), micrograph)  # type: ignore[arg-type]
    file.unlink()
    with pytest.raises(OSError):
        pick_key("d", Plan(), micrograph)  # type: ignore[arg-type]


def test_many_micrographs_stay_linear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,000 results: few listings of the folder, and no stat for what is absent."""
    monkeypatch.setattr("os.fsync", lambda handle: None)
    store = PickStore(tmp_path)
    for i in range(1000):
        store.put(key(str(i)), result(str(i), n=5))
    listings = []
    real = __import__("os").scandir
    monkeypatch.setattr("os.scandir", lambda path: (listings.append(path), real(path))[1])
    began = time.perf_counter()
    store = PickStore(tmp_path)
    assert all(store.held(key(str(i))) for i in range(1000))
    assert not any(store.held(key(f"new{i}")) for i in range(1000))
    print(f"2,000 look-ups in {time.perf_counter() - began:.2f} s")
    assert len(listings) < 20


def test_the_key_is_stored_as_parts(tmp_path: Path) -> None:
    PickStore(tmp_path).put(key(), result("m"))
    (path,) = (tmp_path / "picks").glob("*.npz")
    with np.load(path, allow_pickle=False) as archive:
        about = json.loads(archive["about"].tobytes())
    assert about["key"] == key().parts() and about["id"] == "m"
