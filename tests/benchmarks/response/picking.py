"""One picking job of a folder with the public product alone, and results that are kept."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accuracy.code_version import ASIDE, code_version
from accuracy.measure import Picked, read_picked
from accuracy.sets import BenchSet
from unseen.plan import OLD, open_old
from unseen.sets import SETS as UNSEEN
from unseen.sets import made_set

from frostpick.models.picking_model import PickingModel
from frostpick.runtime.atomic import write_text
from frostpick_jobs import api

#: Parts of the engine that no pick depends on.
NOT_PICKING = (*ASIDE, "training")


@dataclass(frozen=True)
class Jobs:
    """Where results and the jobs' folders lie, and what the jobs compute with."""

    out: Path
    threads: int = 1
    device: str = "cpu"

    def pick(self, model: PickingModel, micrographs: Path, diameter_A: float) -> Picked:
        """Pick a folder with a stated diameter and nothing else said."""
        return self.pick_told(model, micrographs, diameter_A)[0]

    def pick_told(
        self, model: PickingModel, micrographs: Path, diameter_A: float | str
    ) -> tuple[Picked, dict[str, Any]]:
        """Pick a folder with a stated diameter or with ``auto``; return the run record too."""
        (self.out / "work").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.out / "work") as folder:
            job = Path(folder) / "pick"
            api.pick(
                job,
                micrographs=str(micrographs),
                model=model,
                diameter=diameter_A,
                threads=self.threads,
                device=self.device,
            )
            record = json.loads((job / "run.json").read_text(encoding="utf-8"))
            return read_picked(job / "picks.csv"), record

    def kept(self, run: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return a run's result: the one that is there, or the one made now and kept.

        A result belongs to one version of the engine's picking.
        """
        path = self.out / "results" / f"{run}-{code_version(NOT_PICKING)}.json"
        if not path.exists():
            write_text(path, json.dumps(make(), indent=1) + "\n")
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found


def open_sets(bench: Path, names: list[str], unseen: Path) -> list[BenchSet]:
    """Open sets by name: those of the development data, or of unseen proteins.

    Parameters
    ----------
    bench
        The development data.
    unseen
        Folder of the sets of unseen proteins; one that is not there is simulated into it.
    """
    unknown = sorted(set(names) - set(OLD) - set(UNSEEN))
    if unknown:
        raise SystemExit(f"no set {unknown[0]!r}; there are: {', '.join([*OLD, *UNSEEN])}")
    return [open_old(bench, name) if name in OLD else made_set(name, unseen).data for name in names]


def set_tag(data: BenchSet) -> str:
    """Return a set's name in names of results: its folder's, where a version is part of that."""
    return data.test.folder.parent.name
