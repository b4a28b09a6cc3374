"""A host as unpleasant as a remote server may be.

Ids are 64-bit numbers, the files can only be downloaded (and are deleted after
use), their headers lie, rows are numbered from the end, and the host says nothing
of what it holds.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, assert_never

import numpy as np
from numpy.typing import NDArray

from frostpick.runtime.atomic import write_text
from frostpick.runtime.reporter import SilentReporter
from frostpick.types import Decisions, Labels, LocalFile, Micrograph, ParticleStack, Picks
from frostpick_jobs.formats import read_picks
from frostpick_jobs.formats.star.particles import read_particles
from frostpick_jobs.job.files import copy_files
from frostpick_jobs.job.host import Host, InputRows, LabelledInput, MicrographOutput, Outcome
from frostpick_jobs.job.outputs import (
    Files,
    KeptRows,
    ModelOutput,
    Output,
    PicksOutput,
    Report,
    ScoredRows,
)
from frostpick_jobs.job.results import Place

FIRST_UID = 2**64 - 1


class Server:
    """Counts the downloads, and the copies that exist at one time."""

    def __init__(self) -> None:
        self.fetched: list[str] = []
        self.present: set[Path] = set()
        self.most_present = 0


class Download:
    """A file that is only there inside `fetch`."""

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

    def __init__(self, case: Case, given: Mapping[str, Sequence[Any]]) -> None:
        self.reporter = SilentReporter()
        self.spool = case.project / "spool"
        self._case, self._given = case, given

    @property
    def inputs(self) -> Mapping[str, Sequence[Any]]:
        return self._given

    @property
    def place(self) -> Place:
        return Place(f"hostile://{FIRST_UID}")

    def begin(self) -> None:
        self._case.out.mkdir(exist_ok=True)

    def micrographs(self) -> Sequence[Micrograph]:
        case = self._case
        return [
            Micrograph(case.id_of(f), Download(f, case.server), pixel_size_A=2.0, group="7")
            for f in self._given.get("micrographs", ())
        ]

    def labels(self) -> Mapping[str, Labels]:
        """Return labels whose rows are positions in a table of the host's own, from the end."""
        (path,) = self._given["labels"]
        found: dict[str, Labels] = {}
        for uid, x, y, rows in self._by_micrograph(path):
            found[uid] = Labels.from_xy(uid, x, y, row=2**40 - rows, source="hostile")
        return found

    def input_rows(self) -> InputRows:
        if self._given.get("particles"):
            return self._particles(self._given["particles"][0])
        return self._places(self._given["picks"][0])

    def labelled_rows(self) -> LabelledInput:
        read = self._particles if self._given.get("particles") else self._places
        good, bad = (self._given.get(name, ()) for name in ("labels", "bad"))
        judged = LabelledInput(read(good[0]) if good else None)
        if not bad:
            return judged
        if bad[0] != "rest":
            return replace(judged, bad=read(bad[0]))
        (everything,) = self._given["particles"]
        known = set(read_particles(good[0]).image)
        rest = [n for n, one in enumerate(read_particles(everything).image) if one not in known]
        return replace(judged, bad=self._particles(everything, np.array(rest)))

    def _places(self, path: Path) -> InputRows:
        """Return places as rows that are numbered from the end."""
        micrographs = {one.id: one for one in self.micrographs()}
        count = len(read_picks(path))
        picks = [
            (micrographs[uid], Picks.from_xy(uid, x, y, row=count - 1 - rows))
            for uid, x, y, rows in self._by_micrograph(path)
            if len(rows)
        ]
        return InputRows(count, picks)

    def _particles(self, path: Path, rows: NDArray[np.int64] | None = None) -> InputRows:
        """Return particles whose stacks must be downloaded, numbered from the end."""
        table = read_particles(path)
        stacks: list[ParticleStack] = []
        for one in table.stacks(self._case.project, rows):
            assert isinstance(one.source, LocalFile)
            source = Download(one.source.path, self._case.server)
            stacks.append(replace(one, source=source, row=len(table) - 1 - one.row))
        return InputRows(len(table), stacks=stacks)

    def _by_micrograph(self, path: Path) -> Iterator[tuple[str, Any, Any, NDArray[np.int64]]]:
        """Yield uid, x, y and rows of each micrograph of a CSV."""
        table = read_picks(path)
        names = np.array(table.micrograph)
        for file in self._case.files:
            rows = np.flatnonzero(names == _below(file))
            yield self._case.id_of(file), table.x_px[rows], table.y_px[rows], rows

    def deliver_one(self, output: MicrographOutput) -> None:
        picks = output.picks.keep(output.picks.selected)
        content = {
            "x": picks.x_px.tolist(),
            "y": picks.y_px.tolist(),
            "of": [output.micrograph.group, output.shape, output.pixel_size_A],
        }
        write_text(self._case.out / f"{output.micrograph.id}.json", json.dumps(content))

    def deliver(self, outputs: Sequence[Output]) -> None:
        out = self._case.out
        for one in outputs:
            match one:
                case PicksOutput():
                    content = [one.threshold, one.scores.tolist(), list(one.failed)]
                    write_text(out / f"{one.name}.json", json.dumps(content, allow_nan=False))
                case ModelOutput():
                    one.model.save(out / one.name)
                case KeptRows() | ScoredRows():
                    _write_rows(out / f"{one.name}.json", one.decisions)
                case Files():
                    copy_files(one.files, out)
                case Report():
                    json.dumps(one.record, allow_nan=False)
                case _:
                    assert_never(one)

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

    def host(
        self, task: str = "pick", *, micrographs: bool = True, **given: Path | str
    ) -> HostileHost:
        inputs = {name: [one] for name, one in given.items()}
        return HostileHost(self, {"micrographs": self.files if micrographs else [], **inputs})

    def delivered(self) -> dict[str, NDArray[np.float64]]:
        found = {}
        for path in self.out.glob("1*.json"):
            content = json.loads(path.read_text())
            found[path.stem] = np.array([content["x"], content["y"]]).T
        return found

    def native_files(self) -> dict[str, bytes]:
        paths = [p for p in self.out.rglob("*") if p.suffix in (".json", ".csv", ".safetensors")]
        return {p.relative_to(self.out).as_posix(): p.read_bytes() for p in paths}

    def rows(self, output: str) -> int:
        kept = json.loads((self.out / f"{output}.json").read_text())["keep"]
        return sum(kept)

    def folder(self) -> Path:
        return self.out


def _write_rows(path: Path, decisions: Decisions) -> None:
    content = {name: getattr(decisions, name).tolist() for name in ("keep", "score", "reason")}
    write_text(path, json.dumps(content))


def _below(file: Path) -> str:
    return "/".join(file.parts[-2:])
