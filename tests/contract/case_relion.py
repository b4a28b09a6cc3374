"""The RELION host under the contract suite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from frostpick_jobs.formats import read_picks, read_star_blocks
from frostpick_jobs.hosts.relion.arguments import JobArguments
from frostpick_jobs.hosts.relion.host import SPOOL, RelionHost
from frostpick_jobs.tasks.declarations import task_named

OPTICS = """
data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographPixelSize #3
opticsGroup1 1 2.000000

data_micrographs

loop_
_rlnMicrographName #1
_rlnOpticsGroup #2
"""
JOB = "External/job002/"


class Case:
    """An External job of RELION 3.1."""

    name = "relion"
    settings: ClassVar = {}

    def __init__(self, project: Path, files: Sequence[Path]) -> None:
        self.project, self.files = project, list(files)
        folder = project / JOB
        folder.mkdir(parents=True)
        (folder / "job_pipeline.star").write_text("data_x\n\nloop_\n_rlnPipeLineNodeType #2\n")

    def id_of(self, file: Path) -> str:
        return file.relative_to(self.project).as_posix()

    def host(
        self, task: str = "pick", *, micrographs: bool = True, **given: Path | str
    ) -> RelionHost:
        """Return a host whose fields hold CSV files too, which RELION would not browse for."""
        rows = [f'"{self.id_of(file)}" 1' for file in self.files]
        (self.project / "micrographs.star").write_text(OPTICS + "\n".join(rows) + "\n\n")
        fields = {"picks": "in_coords", "particles": "in_parts"}
        if task != "prune":  # which takes its labels beside the fields
            fields["labels"] = "in_coords"
        arguments = JobArguments(
            Path(JOB),
            JOB,
            "micrographs.star" if micrographs else None,
            **{fields[name]: str(one) for name, one in given.items() if name in fields},
            files={name: str(one) for name, one in given.items() if name not in fields},
        )
        return RelionHost(arguments, task_named(task))

    def delivered(self) -> dict[str, NDArray[np.float64]]:
        found = {}
        for path in (self.folder() / "Micrographs").rglob("*_autopick.star"):
            table = read_picks(path)
            name = path.relative_to(self.folder()).as_posix()
            micrograph = name.removesuffix("_autopick.star") + ".mrc"
            found[micrograph] = np.stack([table.x_px, table.y_px], axis=1)
        return found

    def native_files(self) -> dict[str, bytes]:
        folder = self.folder()
        paths = [p for p in folder.rglob("*") if p.suffix in (".star", ".csv", ".safetensors")]
        shown = [p.relative_to(folder) for p in paths]
        return {p.as_posix(): (folder / p).read_bytes() for p in shown if p.parts[0] != SPOOL}

    def rows(self, output: str) -> int:
        particles = self.folder() / "particles.star"
        if particles.exists():
            return len(read_star_blocks(particles)["particles"])
        return len(read_picks(self.folder() / "autopick.star", Path()))

    def folder(self) -> Path:
        return self.project / JOB
