"""The CryoSPARC host under the contract suite: the real client, the loopback server."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from waits import LONG

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc.dataset import Dataset
from cryosparc_project import LOGIN, POOL
from csemu.seed import complete, new_rows, write_output

from frostpick_jobs.formats import read_picks
from frostpick_jobs.formats.star.particles import read_particles
from frostpick_jobs.hosts.cryosparc.host import CryoSPARCHost
from frostpick_jobs.hosts.cryosparc.ports import find_input, ports, reference
from frostpick_jobs.hosts.cryosparc.request import JobRequest
from frostpick_jobs.hosts.cryosparc.server.connect import RetryPolicy, connect
from frostpick_jobs.hosts.cryosparc.server.job import ExternalJob
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.hosts.cryosparc.server.wiring import prepare_job
from frostpick_jobs.tasks.declarations import REST, InputKind, task_named

SHAPE = (192, 224)
#: What a host delivers that must not depend on time: the row of a model's output has a uid that
#: is drawn.
NATIVE, DRAWN = (".cs", ".csv", ".safetensors"), "model.cs"


class Case:
    """An External job of a project whose exposures are links to the files."""

    name = "cryosparc"
    settings: ClassVar = {}

    def __init__(self, project: Path, files: Sequence[Path]) -> None:
        self.project, self.files = project, list(files)
        self._stack = ExitStack()
        self._store, url = self._stack.enter_context(POOL.lease(project / "state"))
        self._server = connect(url, environ=LOGIN, patience=RetryPolicy(LONG, 0.05))
        self._stack.callback(self._server.close)
        self._uid = self._store.create_project("contract").uid
        self._store.create_workspace(self._uid, "contract")
        self._imported: tuple[list[Path], OutputRef | None] = ([], None)
        self._particles: dict[bytes, OutputRef] = {}
        self._jobs: dict[str, ExternalJob] = {}

    def id_of(self, file: Path) -> str:
        return str(2**63 + zlib.crc32("/".join(file.parts[-2:]).encode()))

    def host(
        self, task: str = "pick", *, micrographs: bool = True, **given: Path | str
    ) -> CryoSPARCHost:
        """Return a host; picks to decide on are particles here, unless there are particles too."""
        inputs: dict[str, tuple[OutputRef | str, ...]] = {}
        if micrographs:
            inputs["micrographs"] = (self._import(),)
        spec = task_named(task)
        for name, one in given.items():
            rows = spec.input(name).kind is InputKind.PICKS and "particles" not in given
            asked = REST if one == REST else self._write_particles(Path(one))
            inputs["particles" if rows else name] = (asked,)
        request = JobRequest(spec, self._uid, workspace="W1", inputs=inputs)
        job = self._jobs.pop(task, None) or prepare_job(self._server, request)
        self._jobs[task] = job  # the latest is the last
        if job.look().status == "completed":
            job.controller.clear()
        self._connect_anew(job, request)
        host = CryoSPARCHost(
            job,
            request,
            self.project / "spool",
            keep_spool=True,
            poll_seconds=0.2,
            event_seconds=0.01,
        )
        self._stack.callback(host.close)
        return host

    def _connect_anew(self, job: ExternalJob, request: JobRequest) -> None:
        """Connect what is given now, where that is not what was given before."""
        for port in ports(request.task):
            wanted = request.outputs_for(port.spec.name)
            found = find_input(job.look(), request.task, port)
            if found is not None and [str(one) for one in found.links] != [str(o) for o in wanted]:
                job.controller.disconnect(found.name)
                for one in wanted:
                    job.controller.connect(found.name, one.job, one.output)

    def delivered(self) -> dict[str, NDArray[np.float64]]:
        done = Dataset.load(self.folder() / "micrographs.cs")
        found: dict[str, NDArray[np.float64]] = {str(u): np.zeros((0, 2)) for u in done["uid"]}
        picks = Dataset.load(self.folder() / "particles.cs")
        of = np.array(picks["location/micrograph_uid"])
        xy = np.stack(
            [
                np.array(picks["location/center_x_frac"], np.float64) * SHAPE[1],
                np.array(picks["location/center_y_frac"], np.float64) * SHAPE[0],
            ],
            axis=1,
        )
        return {uid: xy[of == int(uid)] for uid in found}

    def native_files(self) -> dict[str, bytes]:
        folders = [self._folder(job) for job in self._jobs.values()]
        return {
            f"{folder.name}/{path.relative_to(folder).as_posix()}": path.read_bytes()
            for folder in folders
            for path in folder.rglob("*")
            if path.suffix in NATIVE and path.name != DRAWN
        }

    def rows(self, output: str) -> int:
        task, job = list(self._jobs.items())[-1]
        name = reference(task_named(task), job.uid, output).partition(".")[2]
        return len(self._store.load_output(self._uid, job.uid, name, "all"))

    def folder(self) -> Path:
        return self._folder(list(self._jobs.values())[-1])

    def _folder(self, job: ExternalJob) -> Path:
        return Path(self._store.jdir(self._store.job(self._uid, job.uid)))

    def close(self) -> None:
        self._stack.close()

    def _import(self) -> OutputRef:
        """Return the exposures that are the files of now."""
        known, made = self._imported
        if made is None or known != self.files:
            made = OutputRef(self._write_exposures(), "exposures")
            self._imported = (list(self.files), made)
        return made

    def _write_exposures(self) -> str:
        job = self._store.create_job(self._uid, "W1", "import_micrographs")
        folder = self._store.jdir(job) / "imported"
        folder.mkdir()
        blob, scope = ("micrograph_blob",) * 2, ("mscope_params",) * 2
        rows = new_rows([int(self.id_of(f)) for f in self.files], "exposure", [blob, scope])
        paths = []
        for file in self.files:
            link = folder / f"{int(self.id_of(file)):021d}_{file.name}"
            link.symlink_to(file)
            paths.append(f"{job.job_dir}/imported/{link.name}")
        rows["micrograph_blob/path"] = np.array(paths, dtype=object)
        rows["micrograph_blob/shape"] = np.tile(np.array(SHAPE, np.uint32), (len(rows), 1))
        rows["micrograph_blob/psize_A"] = np.full(len(rows), 2.0, np.float32)
        rows["mscope_params/exp_group_id"] = np.full(len(rows), 7, np.uint32)
        write_output(self._store, job, "exposures", "exposure", rows, [blob, scope])
        complete(self._store, job)
        return str(job.uid)

    def _write_particles(self, path: Path) -> OutputRef:
        """Return an output with the rows of a CSV of places, or of a particles STAR file.

        The same place and the same image have the same uid in every output.
        """
        content = path.read_bytes()
        if content not in self._particles:
            write = self._write_places if path.suffix == ".csv" else self._write_extracted
            job = self._store.create_job(self._uid, "W1", "manual_picker")
            rows, slots = write(job, path)
            write_output(self._store, job, "particles", "particle", rows, _same(slots))
            complete(self._store, job)
            self._particles[content] = OutputRef(str(job.uid), "particles")
        return self._particles[content]

    def _write_places(self, job: Any, path: Path) -> tuple[Dataset, Sequence[str]]:
        table, slots = read_picks(path), ("location",)
        places = zip(table.micrograph, table.x_px, table.y_px, strict=True)
        rows = new_rows(
            [zlib.crc32(repr(one).encode()) for one in places], "particle", _same(slots)
        )
        self._locate(rows, table.micrograph, table.x_px, table.y_px)
        return rows, slots

    def _write_extracted(self, job: Any, path: Path) -> tuple[Dataset, Sequence[str]]:
        table, slots = read_particles(path), ("blob", "location")
        rows = new_rows([zlib.crc32(one.encode()) for one in table.image], "particle", _same(slots))
        assert table.micrograph is not None
        self._locate(rows, table.micrograph, table.x_px, table.y_px)
        stacks = {name: f"{job.job_dir}/{Path(name).name}" for name in set(table.file)}
        for name, link in stacks.items():
            (self._store.pdir(self._uid) / link).symlink_to(self.project / name)
        rows["blob/path"] = np.array([stacks[name] for name in table.file], dtype=object)
        rows["blob/idx"] = table.index.astype(np.uint32)
        rows["blob/psize_A"] = np.asarray(table.pixel_size_A, np.float32)
        rows["blob/sign"] = np.ones(len(rows), np.float32)
        return rows, slots

    def _locate(self, rows: Dataset, names: Sequence[str], x_px: Any, y_px: Any) -> None:
        files = {"/".join(file.parts[-2:]): file for file in self.files}
        on = [files["/".join(Path(name).parts[-2:])] for name in names]
        rows["location/micrograph_uid"] = np.array([int(self.id_of(f)) for f in on], np.uint64)
        exposures = self._store.load_output(self._uid, self._import().job, "exposures", "all")
        paths = dict(zip(exposures["uid"], exposures["micrograph_blob/path"], strict=True))
        of = [paths[uid] for uid in rows["location/micrograph_uid"]]
        rows["location/micrograph_path"] = np.array(of, dtype=object)
        rows["location/micrograph_shape"] = np.tile(np.array(SHAPE, np.uint32), (len(rows), 1))
        rows["location/micrograph_psize_A"] = np.full(len(rows), 2.0, np.float32)
        rows["location/center_x_frac"] = (x_px / SHAPE[1]).astype(np.float32)
        rows["location/center_y_frac"] = (y_px / SHAPE[0]).astype(np.float32)


def _same(slots: Sequence[str]) -> list[tuple[str, str]]:
    return [(slot, slot) for slot in slots]
