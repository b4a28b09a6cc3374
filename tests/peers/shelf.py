"""What a version of frostpick ships, in a folder that a test may add to and take from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from frostpick.models import versions

#: Digest of the first general, as its pruner's card has it too.
GENERAL_1 = "31d9dab4c329ce1b730c989aafd73b2eda02ddff78d041c85650314364618bd9"


class Shelf:
    """A copy of the shipped weights, as they were first: version 1 of each."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder, self._patch = folder, patch
        for name in [name for name in versions.VERSIONS if name != "blob"]:
            first = f"{name}-1"
            shutil.copytree(versions.WEIGHTS / first, folder / first)
            self._set(name, (first,))
        patch.setattr(versions, "WEIGHTS", folder)

    def add(self, version: str, model: Any) -> None:
        """Ship new weights, the newest of their name from now on: a folder and a row."""
        name = version.rpartition("-")[0]
        shutil.rmtree(self._folder / version, ignore_errors=True)
        model.save(self._folder / version)
        had = versions.VERSIONS.get(name, ())
        self._set(name, (*(one for one in had if one != version), version))

    def drop(self, version: str) -> None:
        """Ship a version no longer."""
        name = version.rpartition("-")[0]
        shutil.rmtree(self._folder / version)
        self._set(name, tuple(one for one in versions.VERSIONS[name] if one != version))

    def _set(self, name: str, row: tuple[str, ...]) -> None:
        self._patch.setitem(versions.VERSIONS, name, row)  # type: ignore[arg-type]
