"""Every host: a job whose finished micrographs are packed gives what one without packs gives."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from frostpick_jobs.store import PickStore
from frostpick_jobs.tasks.pick import prepare


def stored(project: Path) -> dict[str, int]:
    """Return the results that a job keeps, with their times of writing."""
    return {
        path.name: path.stat().st_mtime_ns
        for path in project.rglob("picks/*")
        if path.suffix in (".npz", ".zip")
    }


def test_packed_is_as_not_packed(
    case: Any, spy: Any, new_case: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "PickStore", partial(PickStore, full=4))
    assert spy.pick(case) == 0
    packs = stored(case.project)
    assert sorted(packs) == ["pack-00001.zip", "pack-00002.zip"]

    assert spy.pick(case, threshold="p=0.7", renew_threshold=True) == 0
    assert spy.inferred == []
    assert stored(case.project) == packs

    monkeypatch.setattr(prepare, "PickStore", PickStore)
    small = new_case("small")
    assert spy.pick(small, threshold="p=0.7") == 0
    assert len(stored(small.project)) == 6
    assert case.native_files() == small.native_files()
