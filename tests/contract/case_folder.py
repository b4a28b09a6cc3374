"""The folder host under the contract suite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from frostpick_jobs.formats import read_picks, read_star_blocks
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

    def host(
        self, task: str = "pick", *, micrographs: bool = True, **given: Path | str
    ) -> FolderHost:
        # Not by `files`: the folder is searched, and some of them may be gone.
        inputs = {"micrographs": [self.project / "Micrographs"]} if micrographs else {}
        return FolderHost(
            self.out,
            {**inputs, **{name: [one] for name, one in given.items()}},
            pixel_size=2.0,
            star_per_micrograph=True,
        )

    def delivered(self) -> dict[str, NDArray[np.float64]]:
        found = {}
        for path in (self.out / "star").rglob("*.star"):
            table = read_picks(path)
            name = path.relative_to(self.out / "star").as_posix().removesuffix(".star")
            found[name] = np.stack([table.x_px, table.y_px], axis=1)
        return found

    def native_files(self) -> dict[str, bytes]:
        paths = [p for p in self.out.rglob("*") if p.suffix in (".star", ".csv", ".safetensors")]
        shown = [p.relative_to(self.out) for p in paths]
        return {
            p.as_posix(): (self.out / p).read_bytes() for p in shown if p.parts[0] != ".frostpick"
        }

    def rows(self, output: str) -> int:
        blocks = read_star_blocks(self.out / f"{output}.star")
        return len(blocks.get("particles") or blocks[""])

    def folder(self) -> Path:
        return self.out
