"""A host as unpleasant as a remote server may be.

Ids are 64-bit numbers, the files can only be downloaded (and are deleted after
use), their headers lie, and the host says nothing of what it holds.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from frostpick.models.picking_model import PickingModel
from frostpick.runtime.atomic import write_text
from frostpick.runtime.reporter import SilentReporter
from frostpick.types import Labels, Micrograph
from frostpick_jobs.formats import read_picks
from frostpick_jobs.job.files import copy_files
from frostpick_jobs.job.host import Delivery, Host, MicrographOutput, Outcome

FIRST_UID = 2**64 - 1


class Server:
    """Counts the downloads, and the copies that exist at one time."""

    def __init__(self) -> None:
        self.fetched: list[str] = []
        self.present: set[Path] = set()
        self.most_present = 0


class Download:
    """A micrograph that is only there inside `fetch`."""

    def __init__(self, file: Path, server: Server) -> None:
        self._file, self._server = file, server

    @property
    def name(self) -> str:
        return self._file.name

    def fingerprint(self) -> str:
        return f"{self._file.stat().st_size}:{self._file.stat().st_mtime_ns}"

    @contextmanager
    def fetch(self) -> Iterator[Path]:
        self._server.fetched.append(self._file.name)
        folder = Path(tempfile.mkdtemp())
        copy = folder / "download"
        shutil.copyfile(self._file, copy)
        self._server.present.add(copy)
        self._server.most_present = max(self._server.most_present, len(self._server.present))
        try:
            yield copy
        finally:
            shutil.rmtree(folder)
            self._server.present.discard(copy)


class HostileHost(Host):
    """See the module."""

    name = "hostile"

    def __init__(self, case: Case, labels: Path | None) -> None:
        self.reporter = SilentReporter()
        self.spool = case.project / "spool"
        self._case, self._labels = case, labels

    def begin(self) -> None:
        self._case.out.mkdir(exist_ok=True)

    def micrographs(self) -> Sequence[Micrograph]:
        case = self._case
        return [
            Micrograph(case.id_of(f), Download(f, case.server), pixel_size_A=2.0, group="7")
            for f in case.files
        ]

    def labels(self) -> Mapping[str, Labels]:
        """Return labels whose rows are positions in a table of the host's own, from the end."""
        assert self._labels is not None
        table = read_picks(self._labels)
        found: dict[str, Labels] = {}
        names = np.array(table.micrograph)
        for file in self._case.files:
            rows = np.flatnonzero(names == _below(file))
            x, y = table.x_px[rows], table.y_px[rows]
            uid = self._case.id_of(file)
            found[uid] = Labels.from_xy(uid, x, y, row=2**40 - rows, source="hostile")
        return found

    def model(self) -> PickingModel | None:
        return None

    def deliver_one(self, output: MicrographOutput) -> None:
        picks = output.picks.keep(output.picks.selected)
        content = {"x": picks.x_px.tolist(), "y": picks.y_px.tolist()}
        write_text(self._case.out / f"{output.micrograph.id}.json", json.dumps(content))

    def deliver(self, delivery: Delivery) -> None:
        if delivery.model is not None:
            delivery.model.save(self._case.out / "model")
            copy_files(delivery.files, self._case.out)
            return
        rows = [
            [one.micrograph.id, one.micrograph.group, len(one.picks), one.shape, one.pixel_size_A]
            for one in delivery.outputs
        ]
        again = [one.micrograph.id for one in delivery.outputs]
        assert again == [row[0] for row in rows]
        write_text(self._case.out / "all.json", json.dumps([rows, delivery.threshold]))
        json.dumps(delivery.record, allow_nan=False)

    def end(self, outcome: Outcome, message: str = "") -> None:
        write_text(self._case.project / "ended", f"{outcome.value} {message}")


class Case:
    """A job on the hostile host."""

    name = "hostile"
    settings: ClassVar = {}

    def __init__(self, project: Path, files: Sequence[Path]) -> None:
        self.project, self.files = project, list(files)
        self.out = project / "hostile_out"
        self.server = Server()

    def id_of(self, file: Path) -> str:
        return str(FIRST_UID - zlib.crc32(_below(file).encode()))

    def host(self, labels: Path | None = None) -> HostileHost:
        return HostileHost(self, labels)

    def delivered(self) -> dict[str, NDArray[np.float64]]:
        found = {}
        for path in self.out.glob("1*.json"):
            content = json.loads(path.read_text())
            found[path.stem] = np.array([content["x"], content["y"]]).T
        return found

    def native_files(self) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in self.out.glob("*.json")}

    def folder(self) -> Path:
        return self.out


def _below(file: Path) -> str:
    return "/".join(file.parts[-2:])
