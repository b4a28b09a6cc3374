"""The folder host under the contract suite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from frostpick_jobs.formats import read_picks
from frostpick_jobs.hosts.folder import FolderHost


class Case:
    """A job on a folder."""

    name = "folder"
    settings: ClassVar = {"pixel_size": 2.0}

    def __init__(self, project: Path, files: Sequence[Path]) -> None:
        self.project, self.files = project, list(files)
        self.out = project / "out"

    def id_of(self, file: Path) -> str:
        return file.relative_to(self.project / "Micrographs").as_posix()

    def host(self, labels: Path | None = None) -> FolderHost:
        return FolderHost(
            self.out, [self.project / "Micrographs"], [labels] if labels else [], pixel_size=2.0
        )

    def delivered(self) -> dict[str, NDArray[np.float64]]:
        found = {}
        for path in (self.out / "star").rglob("*.star"):
            table = read_picks(path)
            name = path.relative_to(self.out / "star").as_posix().removesuffix(".star")
            found[name] = np.stack([table.x_px, table.y_px], axis=1)
        return found

    def native_files(self) -> dict[str, bytes]:
        names = ["picks.csv", "picks.star"]
        paths = [self.out / name for name in names] + list((self.out / "star").rglob("*.star"))
        return {p.relative_to(self.out).as_posix(): p.read_bytes() for p in paths if p.exists()}

    def folder(self) -> Path:
        return self.out
