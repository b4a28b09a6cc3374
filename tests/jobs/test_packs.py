"""Packs of results: what a kill or a full disk leaves at any step, and who has what afterwards."""

from __future__ import annotations

import errno
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from frostpick.types import Picks
from frostpick_jobs.store import PickKey, PickStore, Repicked, StoredPicks

pytestmark = pytest.mark.quick

IDS = [f"m{number}" for number in range(11)]
KILLED = 9


def key(name: str, model: str = "old") -> PickKey:
    return PickKey(model, {"diameter": 80.0}, name, "12:34", 1.25)


def result(name: str, model: str = "old") -> StoredPicks:
    """Return a result whose picks tell the micrograph and the model."""
    place = float(name[1:]) + (0.5 if model == "new" else 0.0)
    picks = Picks.from_xy(name, [place], [2.0], score=[0.25], diameter_A=80.0)
    preview = np.full((3, 4), 7, np.uint8) if name == "m1" else None
    decoys = Picks.from_xy(name, [place], [9.0], score=[-1.0], diameter_A=80.0)
    return StoredPicks(name, picks, (90, 100), 1.25, {"read": 0.5}, preview, decoys)


def put(store: PickStore, names: list[str], model: str = "old") -> None:
    for name in names:
        store.put(key(name, model), result(name, model))


def x_of(store: PickStore, name: str, model: str = "old") -> float | None:
    held = store.held(key(name, model))
    return None if held is None else held.picks.x_px.tolist()[0]


def listed(folder: Path) -> tuple[int, int]:
    """Return how many small files and packs there are, and check that there is nothing else."""
    names = os.listdir(folder / "picks")
    small = sum(name.endswith(".npz") for name in names)
    packs = sum(name.endswith(".zip") for name in names)
    assert small + packs == len(names), names
    return small, packs


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)


def test_a_full_pack_holds_the_small_files_byte_for_byte(tmp_path: Path) -> None:
    store = PickStore(tmp_path, full=4)
    put(store, IDS[:3])
    assert listed(tmp_path) == (3, 0)
    small = {path.name: path.read_bytes() for path in (tmp_path / "picks").iterdir()}
    put(store, IDS[3:4])
    assert listed(tmp_path) == (0, 1)
    with zipfile.ZipFile(tmp_path / "picks" / "pack-00001.zip") as archive:
        assert archive.testzip() is None
        assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_STORED}
        assert len(archive.namelist()) == 4
        assert {name: archive.read(name) for name in small} == small
    for again in (store, PickStore(tmp_path)):
        got = again.get("m1")
        assert got.preview is not None and got.preview.tolist() == [[7] * 4] * 3
        assert got.decoys is not None and got.decoys.y_px.tolist() == [9.0]
        assert [x_of(again, name) for name in IDS[:5]] == [0.0, 1.0, 2.0, 3.0, None]


def test_eleven_results_four_to_a_pack(tmp_path: Path) -> None:
    store = PickStore(tmp_path, full=4)
    put(store, IDS)
    assert listed(tmp_path) == (3, 2)
    store.settle()
    assert listed(tmp_path) == (0, 3)
    assert [PickStore(tmp_path).get(name).picks.x_px[0] for name in IDS] == list(range(11))


def test_a_few_stay_small_until_they_are_an_eighth_of_a_pack(tmp_path: Path) -> None:
    """Rounds of one micrograph each: the last pack is filled up, and no other is written."""
    seen = []
    for name in IDS:
        store = PickStore(tmp_path, full=16)
        put(store, [name])
        store.settle()
        seen.append(listed(tmp_path))
    assert seen == [(1, 0), (0, 1)] + [(1, 1), (0, 1)] * 4 + [(1, 1)]
    assert [x_of(PickStore(tmp_path), name) for name in IDS] == list(range(11))


def test_a_changed_key_wins_over_the_pack_and_packs_without_use_go(tmp_path: Path) -> None:
    store = PickStore(tmp_path, full=4)
    put(store, IDS[:8])
    repicked = Repicked()
    assert store.held(key("m0", "new"), repicked) is None
    assert repicked.line() == "model changed: 1 micrograph picked again"
    put(store, IDS[:2], "new")
    for again in (store, PickStore(tmp_path, full=4)):
        assert x_of(again, "m0", "new") == 0.5 and x_of(again, "m0") is None
        assert x_of(again, "m2") == 2.0
    store.settle()
    assert x_of(PickStore(tmp_path), "m0", "new") == 0.5
    put(store, IDS[:8], "new")
    store.settle()
    assert listed(tmp_path) == (0, 2)
    assert [x_of(PickStore(tmp_path), name, "new") for name in IDS[:8]] == [
        n + 0.5 for n in range(8)
    ]


def test_a_folder_of_small_files_goes_on_and_is_packed(tmp_path: Path) -> None:
    put(PickStore(tmp_path, full=10**6), IDS)
    assert listed(tmp_path) == (11, 0)
    store = PickStore(tmp_path, full=4)
    assert [x_of(store, name) for name in IDS] == list(range(11))
    assert listed(tmp_path) == (11, 0)  # reading alone writes nothing
    store.settle()
    assert listed(tmp_path) == (0, 3)
    assert [x_of(store, name) for name in IDS] == list(range(11))


def operations(monkeypatch: pytest.MonkeyPatch, act: Callable[[int], None]) -> None:
    """Call ``act`` with the number of each operation on files, before it."""
    count = [0]

    def watched(real: Callable[..., object]) -> Callable[..., object]:
        def one(*args: object, **named: object) -> object:
            count[0] += 1
            act(count[0])
            return real(*args, **named)

        return one

    for name in ("replace", "unlink", "fsync"):
        monkeypatch.setattr(os, name, watched(getattr(os, name)))
    write = watched(zipfile.ZipFile.writestr)
    monkeypatch.setattr(zipfile.ZipFile, "writestr", write)


ANEW = IDS[1:5]


def work(folder: Path, note: Path) -> None:
    """Pick anew what an older model picked, some of it, with a note of all that is finished."""
    store = PickStore(folder, full=3)
    with open(note, "a", encoding="ascii") as told:
        for name in ANEW:
            if store.held(key(name, "new")) is None:
                store.put(key(name, "new"), result(name, "new"))
                told.write(f"{name}\n")
                told.flush()
    store.settle()


def check_resumed(folder: Path, note: Path) -> None:
    """Finish what was interrupted: nothing twice, nothing lost, and all as without."""
    before = note.read_text().split() if note.exists() else []
    store = PickStore(folder, full=3)
    assert [x_of(store, name, "new") for name in before] == [float(n[1:]) + 0.5 for n in before]
    work(folder, note)
    done = note.read_text().split()
    # the one that was being put may be safe without a note
    assert len(done) == len(set(done)) and len(ANEW) - len(done) <= 1
    store = PickStore(folder, full=3)
    for number, name in enumerate(IDS[:7]):
        old = None if name in ANEW else float(number)
        assert x_of(store, name) == old
        assert x_of(store, name, "new") == (number + 0.5 if old is None else None)
    small, packs = listed(folder)
    assert small == 0 and packs <= 5, "seven results, three to a pack"


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[[str], Path]:
    """Return a maker of folders with seven results of the old model in three packs."""
    store = PickStore(tmp_path / "template", full=3)
    put(store, IDS[:7])
    store.settle()
    assert listed(tmp_path / "template") == (0, 3)
    return lambda name: Path(shutil.copytree(tmp_path / "template", tmp_path / name))


def test_killed_before_each_operation(
    prepared: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = []
    for stop in range(1, 100):
        folder = prepared(f"killed at {stop}")
        child = os.fork()
        if child == 0:
            operations(
                monkeypatch, lambda number, at=stop: os._exit(KILLED) if number == at else None
            )
            try:
                work(folder, folder / "note")
            finally:
                os._exit(0)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        check_resumed(folder, folder / "note")
        if ends[-1] == 0:
            break
    assert ends[-1] == 0 and set(ends[:-1]) == {KILLED} and len(ends) > 20


def test_a_full_disk_at_each_operation(
    prepared: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Packing that fails leaves small files and a warning; a result that fails ends the job."""
    failed, warned = 0, 0
    for stop in range(1, 100):
        folder = prepared(f"full at {stop}")
        reached: list[int] = []

        def full(count: int, at: int = stop, reached: list[int] = reached) -> None:
            if count == at:
                reached.append(count)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        caplog.clear()
        with monkeypatch.context() as patched:
            operations(patched, full)
            try:
                work(folder, folder / "note")
            except OSError as error:
                assert error.errno == errno.ENOSPC
                failed += 1
        warned += "stays in small files" in caplog.text
        check_resumed(folder, folder / "note")
        if not reached:
            break
    assert not reached and failed and warned


def test_a_damaged_member_costs_one_micrograph(tmp_path: Path) -> None:
    store = PickStore(tmp_path, full=4)
    put(store, IDS[:4])
    (path,) = (tmp_path / "picks").iterdir()
    with zipfile.ZipFile(path) as archive:
        name = archive.namelist()[1]
        at = path.read_bytes().index(archive.read(name))
    content = bytearray(path.read_bytes())
    content[at + 200] ^= 1
    path.write_bytes(bytes(content))
    store, repicked = PickStore(tmp_path, full=4), Repicked()
    found = [store.held(key(name), repicked) for name in IDS[:4]]
    assert [one is None for one in found].count(True) == 1
    assert repicked.line() == "damaged result: 1 micrograph picked again"
    (lost,) = [name for name, one in zip(IDS[:4], found, strict=True) if one is None]
    put(store, [lost])
    assert x_of(PickStore(tmp_path), lost) == float(lost[1:])


@pytest.mark.parametrize("keep", [0, 30, -30])
def test_a_truncated_pack_is_told_and_its_micrographs_are_picked_again(
    tmp_path: Path, keep: int, caplog: pytest.LogCaptureFixture
) -> None:
    put(PickStore(tmp_path, full=4), IDS[:4])
    (path,) = (tmp_path / "picks").iterdir()
    path.write_bytes(path.read_bytes()[:keep])
    store = PickStore(tmp_path, full=4)
    assert f"{path}: damaged" in caplog.text
    assert [x_of(store, name) for name in IDS[:4]] == [None] * 4
    put(store, IDS[:4])
    assert [x_of(PickStore(tmp_path), name) for name in IDS[:4]] == [0.0, 1.0, 2.0, 3.0]


def test_two_parts_side_by_side_and_who_ends_the_job(tmp_path: Path) -> None:
    whole = PickStore(tmp_path, full=4)
    one, two = PickStore(tmp_path, "1of2", full=4), PickStore(tmp_path, "2of2", full=4)
    for first, second in zip(IDS[0:10:2], IDS[1:10:2], strict=True):
        put(one, [first])
        put(two, [second])
    one.settle()
    two.settle()
    names = sorted(os.listdir(tmp_path / "picks"))
    packs = [name for name in names if name.endswith(".zip")]
    assert [name.split("-")[-1] for name in packs].count("1of2.zip") == 2
    assert [name.split("-")[-1] for name in packs].count("2of2.zip") == 2 and packs == names
    whole.settle()
    assert [x_of(whole, name) for name in IDS] == [*map(float, range(10)), None]
    put(whole, IDS, "new")
    whole.settle()
    assert listed(tmp_path) == (0, 3)  # packs of both parts are of no use now
    assert [x_of(PickStore(tmp_path), name, "new") for name in IDS] == [n + 0.5 for n in range(11)]
