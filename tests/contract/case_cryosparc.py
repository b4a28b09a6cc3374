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

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

from cryosparc.dataset import Dataset
from cryosparc_project import LOGIN, POOL
from csemu.seed import _alloc, _done, _finish

from frostpick_jobs.formats import read_picks
from frostpick_jobs.hosts.cryosparc.host import CryoSPARCHost
from frostpick_jobs.hosts.cryosparc.request import JobRequest, Task
from frostpick_jobs.hosts.cryosparc.server.connect import Patience, connect
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.hosts.cryosparc.server.wiring import prepare_job

SHAPE = (192, 224)


class Case:
    """An External job of a project whose exposures are links to the files."""

    name = "cryosparc"
    settings: ClassVar = {}

    def __init__(self, project: Path, files: Sequence[Path]) -> None:
        self.project, self.files = project, list(files)
        self._stack = ExitStack()
        self._store, url = self._stack.enter_context(POOL.lease(project / "state"))
        self._server = connect(url, environ=LOGIN, patience=Patience(20.0, 0.05))
        self._stack.callback(self._server.close)
        self._uid = self._store.create_project("contract").uid
        self._store.create_workspace(self._uid, "contract")
        self._imported: tuple[list[Path], str] = ([], "")
        self._jobs: dict[Task, Any] = {}

    def id_of(self, file: Path) -> str:
        return str(2**63 + zlib.crc32("/".join(file.parts[-2:]).encode()))

    def host(self, labels: Path | None = None) -> CryoSPARCHost:
        task: Task = "train" if labels else "pick"
        micrographs = OutputRef(self._import(), "exposures")
        particles = [OutputRef(self._label(labels), "particles")] if labels else []
        job = self._jobs.get(task)
        request = JobRequest(
            task,
            self._uid,
            workspace="W1",
            micrographs=(micrographs,),
            particles=tuple(particles),
        )
        if job is None:
            job = self._jobs[task] = prepare_job(self._server, request)
        elif job.look().status == "completed":
            job.controller.clear()
        links = [str(link) for link in job.look().inputs["micrographs"].links]
        if links != [str(micrographs)]:
            job.controller.disconnect("micrographs")
            job.controller.connect("micrographs", micrographs.job, micrographs.output)
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
            f"{folder.name}/{path.name}": path.read_bytes()
            for folder in folders
            for path in folder.glob("*.cs")
        }

    def folder(self) -> Path:
        return self._folder(list(self._jobs.values())[-1])

    def _folder(self, job: Any) -> Path:
        return Path(self._store.jdir(self._store.job(self._uid, job.uid)))

    def close(self) -> None:
        self._stack.close()

    def _import(self) -> str:
        """Return the job whose exposures are the files of now."""
        known, job = self._imported
        if known != self.files:
            job = self._write_exposures()
            self._imported = (list(self.files), job)
        return job

    def _write_exposures(self) -> str:
        job = self._store.create_job(self._uid, "W1", "import_micrographs")
        folder = self._store.jdir(job) / "imported"
        folder.mkdir()
        blob, scope = ("micrograph_blob",) * 2, ("mscope_params",) * 2
        rows = _alloc([int(self.id_of(f)) for f in self.files], "exposure", [blob, scope])
        paths = []
        for file in self.files:
            link = folder / f"{int(self.id_of(file)):021d}_{file.name}"
            link.symlink_to(file)
            paths.append(f"{job.job_dir}/imported/{link.name}")
        rows["micrograph_blob/path"] = np.array(paths, dtype=object)
        rows["micrograph_blob/shape"] = np.tile(np.array(SHAPE, np.uint32), (len(rows), 1))
        rows["micrograph_blob/psize_A"] = np.full(len(rows), 2.0, np.float32)
        rows["mscope_params/exp_group_id"] = np.full(len(rows), 7, np.uint32)
        _finish(self._store, job, "exposures", "exposure", rows, [blob, scope])
        _done(self._store, job)
        return str(job.uid)

    def _label(self, labels: Path) -> str:
        """Return a job with the labels of a CSV file as particles."""
        table = read_picks(labels)
        names = {"/".join(file.parts[-2:]): file for file in self.files}
        files = [names[name] for name in table.micrograph]
        job = self._store.create_job(self._uid, "W1", "manual_picker")
        location = ("location",) * 2
        rows = _alloc(range(1, 1 + len(table)), "particle", [location])
        rows["location/micrograph_uid"] = np.array([int(self.id_of(f)) for f in files], np.uint64)
        rows["location/micrograph_path"] = np.array([f.name for f in files], dtype=object)
        rows["location/micrograph_shape"] = np.tile(np.array(SHAPE, np.uint32), (len(rows), 1))
        rows["location/center_x_frac"] = (table.x_px / SHAPE[1]).astype(np.float32)
        rows["location/center_y_frac"] = (table.y_px / SHAPE[0]).astype(np.float32)
        _finish(self._store, job, "particles", "particle", rows, [location])
        _done(self._store, job)
        return str(job.uid)
