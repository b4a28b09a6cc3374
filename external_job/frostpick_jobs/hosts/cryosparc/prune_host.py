"""A pruning External job of CryoSPARC: particles in, the same rows out in two outputs."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from frostpick.types import Decisions, Micrograph
from frostpick_jobs.formats.decision_table import write_decision_table
from frostpick_jobs.hosts.cryosparc.host import CryoSPARCHost
from frostpick_jobs.hosts.cryosparc.model_files import upload_pruner
from frostpick_jobs.hosts.cryosparc.read.inputs import (
    BAD,
    GOOD,
    MICROGRAPHS,
    PARTICLES,
    PICK_STATS,
    find_input,
    load_parts,
    pruned_slots,
)
from frostpick_jobs.hosts.cryosparc.read.prune_rows import ParticleInput
from frostpick_jobs.hosts.cryosparc.read.sources import ProjectFiles, find_project_files
from frostpick_jobs.hosts.cryosparc.server.upload import upload_file
from frostpick_jobs.hosts.cryosparc.server.wiring import KEPT, REJECTED
from frostpick_jobs.hosts.cryosparc.write.outputs import save_record
from frostpick_jobs.hosts.cryosparc.write.summary import table
from frostpick_jobs.job.host import Candidates, Delivery, Judged

log = logging.getLogger(__name__)

SCORES = "scores.csv"


class CryoSPARCPruneHost(CryoSPARCHost):
    """An External job whose particle input is pruned; see `CryoSPARCHost`.

    Boxes are cut from the micrographs where some are connected, else read from the
    particles' own images.
    """

    #: Slots of the particle input that are read, where it has them, besides those of the boxes.
    _also: tuple[str, ...] = (PICK_STATS,)

    def micrographs(self) -> Sequence[Micrograph]:
        """Return the exposures of the micrograph input, none without one."""
        return self._found if self._on_micrographs else []

    def candidates(self) -> Candidates:
        """Return the rows of the particle input."""
        found = self._candidates(self._particles)
        return replace(found, merit=self._particles.merit())

    def judged(self) -> Judged:
        """Return the rows of the two inputs of examples."""
        good, bad = self._examples(GOOD), self._examples(BAD)
        if good is None:
            return Judged(None, None if bad is None else self._candidates(bad))
        if self.request.bad_is_rest:
            rest = self._particles.rows_not_in(good.uid)
            return Judged(self._candidates(good), self._candidates(self._particles, rest))
        return Judged(self._candidates(good), None if bad is None else self._candidates(bad))

    def deliver(self, delivery: Delivery) -> None:
        """Save kept and rejected rows, scores, pruner, record and pictures; complete the job."""
        decisions = delivery.decisions
        assert decisions is not None
        check, slot = self.reporter.check, self._slot
        self._particles.save(self.job, KEPT, slot, decisions.keep, check)
        self._particles.save(self.job, REJECTED, slot, ~decisions.keep, check)
        if delivery.pruner is not None:
            upload_pruner(self.job, delivery.pruner, check)
        log.info("%s", table([(name, str(n)) for name, n in decisions.counts().items()]))
        self._finish(delivery, decisions)

    def _finish(self, delivery: Delivery, decisions: Decisions) -> None:
        """Upload the scores of all rows and the record, show pictures, complete the job."""
        uids = [str(uid) for uid in self._particles.uid.tolist()]
        with tempfile.TemporaryDirectory(prefix="frostpick-") as folder:
            scores = Path(folder) / SCORES
            write_decision_table(scores, decisions, uids, named="uid")
            upload_file(self.job, SCORES, scores.read_bytes(), self.reporter.check)
        save_record(self.job, delivery.record)
        self._show_pictures(delivery)
        self._complete()

    def _pictured(self, delivery: Delivery) -> str | None:
        return KEPT

    def _candidates(self, particles: ParticleInput, rows: Any = None) -> Candidates:
        return particles.candidates(
            self.micrographs(),
            self._exposures if self._on_micrographs else None,
            self._files,
            flip_y=self.request.flip_y,
            rows=rows,
        )

    @property
    def _slot(self) -> str:
        return "location" if self._on_micrographs else "blob"

    @cached_property
    def _on_micrographs(self) -> bool:
        found = find_input(self.job.look(), "exposure", MICROGRAPHS)
        return found is not None and bool(found.links)

    @cached_property
    def _files(self) -> ProjectFiles:
        return find_project_files(self.job.server, self.job.project, self.spool)

    @cached_property
    def _particles(self) -> ParticleInput:
        return self._read(self._input("particle", PARTICLES), self._also)

    def _examples(self, name: str) -> ParticleInput | None:
        found = self.job.look().inputs.get(name)
        return self._read(found) if found is not None and found.links else None

    def _read(self, found: Any, also: Sequence[str] = ()) -> ParticleInput:
        parts = load_parts(
            self.job.server,
            self.job.project,
            self.job.controller,
            found,
            lambda available: pruned_slots(available, self._slot, also),
        )
        return ParticleInput.of(found.name, list(parts.values()))
