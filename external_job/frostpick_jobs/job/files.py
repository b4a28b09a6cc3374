"""Copies the further files of a delivery into a job's folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from frostpick.runtime.atomic import atomic_write


def copy_files(files: Mapping[str, Path], folder: Path) -> None:
    """Copy each file to its place below ``folder``, whole or not at all."""
    for name, source in files.items():
        with source.open("rb") as given, atomic_write(folder / name) as handle:
            shutil.copyfileobj(given, handle)
