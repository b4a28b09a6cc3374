"""What is connected to an External job, by the kinds of its task's inputs; each is read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick.types import Labels, Micrograph
from frostpick_jobs.hosts.cryosparc.ports import (
    LEARNED_FROM,
    Port,
    boxes_from,
    find_input,
    port_of,
    ports,
)
from frostpick_jobs.hosts.cryosparc.read.exposures import (
    Exposures,
    as_micrographs,
    log_exposures,
    read_exposures,
)
from frostpick_jobs.hosts.cryosparc.read.inputs import (
    PICK_STATS,
    exposure_slots,
    load_parts,
    particle_slots,
    pruned_slots,
)
from frostpick_jobs.hosts.cryosparc.read.particle_labels import read_labels
from frostpick_jobs.hosts.cryosparc.read.prune_rows import ParticleInput
from frostpick_jobs.hosts.cryosparc.read.sources import ProjectFiles, find_project_files
from frostpick_jobs.hosts.cryosparc.request import JobRequest
from frostpick_jobs.hosts.cryosparc.server.job import ExternalJob
from frostpick_jobs.hosts.cryosparc.server.job_view import InputView, JobView
from frostpick_jobs.job.host import InputRows, LabelledInput
from frostpick_jobs.tasks.declarations import REST, InputKind, OutputKind


class Connected:
    """The inputs of an External job.

    Rows to decide on are boxes cut from the micrographs where some are connected, else the
    particles' own images.

    Parameters
    ----------
    spool
        Local folder, for micrographs that are downloaded.
    diameter_A
        For labels: what counts as one particle.
    """

    def __init__(
        self, job: ExternalJob, request: JobRequest, spool: Path, diameter_A: float | None
    ) -> None:
        self._job, self._request, self._spool = job, request, spool
        self._diameter_A = diameter_A

    def take_diameter(self, diameter_A: float) -> None:
        """Take up the diameter that the job found, as the one of the labels."""
        self._diameter_A = diameter_A

    def given(self) -> Mapping[str, Sequence[str]]:
        """Return what is connected now, such as ``J10.exposures``, by the task's inputs."""
        view, task = self._job.look(), self._request.task
        found: dict[str, Sequence[str]] = {}
        for port in ports(task):
            one = find_input(view, task, port)
            links = () if one is None else one.links
            rest = self._request.is_rest(port.spec.name)
            found[port.spec.name] = (REST,) if rest else tuple(str(link) for link in links)
        return found

    @cached_property
    def micrographs(self) -> list[Micrograph]:
        """The exposures, none where none are connected; the id is the uid in decimal."""
        if not self.on_micrographs:
            return []
        log_exposures(self.exposures, self._request.image_slot)
        return as_micrographs(self.exposures, self._files)

    @property
    def originals(self) -> list[Micrograph]:
        """The micrographs that outputs name, in the order of the exposures."""
        return as_micrographs(self.exposures.originals(), self._files)

    @cached_property
    def on_micrographs(self) -> bool:
        """Whether micrographs are connected."""
        port = port_of(self._request.task, InputKind.MICROGRAPHS)
        return port is not None and self._linked(port) is not None

    @cached_property
    def exposures(self) -> Exposures:
        """The exposures of all connections."""
        return read_exposures(self.exposure_parts, self._request.image_slot)

    @cached_property
    def exposure_parts(self) -> list[Any]:
        """A cryosparc ``Dataset`` for each connection of the micrographs."""
        slot = self._request.image_slot
        found = self._demand(InputKind.MICROGRAPHS)
        return list(self._load(found, lambda available: exposure_slots(available, slot)).values())

    def labels(self) -> dict[str, Labels]:
        """Return the particles to learn from, re-centred, in pixels of the images."""
        flip_y = self._request.flip_y
        parts = self._load(self._demand(*LEARNED_FROM), particle_slots)
        return read_labels(
            parts, self.exposures, self.micrographs, diameter_A=self._diameter_A, flip_y=flip_y
        )

    @cached_property
    def rows(self) -> ParticleInput:
        """The rows that are decided on."""
        # scores that are written anew are not read, whatever they were
        also = () if self._request.task.gives(OutputKind.SCORED_ROWS) else (PICK_STATS,)
        return self._read_rows(self._demand(InputKind.PARTICLES), also)

    @property
    def row_slot(self) -> str:
        """Slot of the rows that boxes are made from."""
        return boxes_from(self.on_micrographs)

    def input_rows(self) -> InputRows:
        """Return the rows that are decided on, with what their picker thought of them."""
        return replace(self._input_rows(self.rows), merit=self.rows.merit())

    def labelled_rows(self) -> LabelledInput:
        """Return the rows known to be good, and those known to be bad."""
        good, bad = self._examples("labels"), self._examples("bad")
        if good is not None and self._request.is_rest("bad"):
            rest = self.rows.rows_not_in(good.uid)
            others = self._input_rows(self.rows, rest)
            return LabelledInput(self._input_rows(good), others, rest=True)
        told = [None if one is None else self._input_rows(one) for one in (good, bad)]
        return LabelledInput(good=told[0], bad=told[1])

    def _input_rows(
        self, particles: ParticleInput, rows: NDArray[np.int64] | None = None
    ) -> InputRows:
        return particles.input_rows(
            self.micrographs,
            self.exposures if self.on_micrographs else None,
            self._files,
            flip_y=self._request.flip_y,
            rows=rows,
        )

    def _examples(self, name: str) -> ParticleInput | None:
        for port in ports(self._request.task):
            if port.kind is InputKind.EXAMPLES and port.spec.name == name:
                found = self._linked(port)
                return None if found is None else self._read_rows(found)
        return None

    def _read_rows(self, found: InputView, also: Sequence[str] = ()) -> ParticleInput:
        parts = self._load(found, lambda available: pruned_slots(available, self.row_slot, also))
        return ParticleInput.of(found.name, list(parts.values()))

    @cached_property
    def _view(self) -> JobView:
        """The job when it was first read from; what is connected does not change after wiring."""
        return self._job.look()

    @cached_property
    def _files(self) -> ProjectFiles:
        links = [link for one in self._view.inputs.values() for link in one.links]
        jobs = sorted({link.job for link in links})
        return find_project_files(
            self._job.server,
            self._job.project,
            self._spool,
            jobs,
            mounts=self._request.mounts,
            download=self._request.download,
        )

    def _load(
        self, found: InputView, slots_of: Callable[[Sequence[str]], list[str]]
    ) -> dict[str, Any]:
        job = self._job
        return load_parts(job.server, job.project, job.controller, found, slots_of)

    def _linked(self, port: Port) -> InputView | None:
        """Return the input of a port where something is connected to it."""
        found = find_input(self._view, self._request.task, port)
        return found if found is not None and found.links else None

    def _demand(self, *kinds: InputKind) -> InputView:
        """Return the input of some kinds; `InputError` where nothing is connected."""
        port = port_of(self._request.task, *kinds)
        if port is None:
            raise InputError(f"{self._request.task.name} has no input of {kinds[0].value}")
        found = self._linked(port)
        if found is None:
            raise InputError(
                f"{self._job} has no {port.name} connected; connect an output with {port.type}s"
            )
        return found
