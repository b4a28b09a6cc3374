"""Writes what a task delivers, each output by the writer of its kind."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property

from frostpick_jobs.hosts.cryosparc.ports import KEPT, PICKS, VERIFIED, gives_micrographs
from frostpick_jobs.hosts.cryosparc.read.connected import Connected
from frostpick_jobs.hosts.cryosparc.request import JobRequest
from frostpick_jobs.hosts.cryosparc.server.job import ExternalJob
from frostpick_jobs.hosts.cryosparc.server.upload import upload_file
from frostpick_jobs.hosts.cryosparc.write.mirror_check import compare_with_originals
from frostpick_jobs.hosts.cryosparc.write.model import save_model
from frostpick_jobs.hosts.cryosparc.write.outputs import save_micrographs, save_picks
from frostpick_jobs.hosts.cryosparc.write.pick_table import RowCollector
from frostpick_jobs.hosts.cryosparc.write.report import save_report
from frostpick_jobs.hosts.cryosparc.write.rows import save_kept, save_scored
from frostpick_jobs.hosts.cryosparc.write.summary import pick_summary, table
from frostpick_jobs.hosts.cryosparc.write.uids import job_seed
from frostpick_jobs.job.outputs import (
    Files,
    KeptRows,
    MicrographOutput,
    ModelOutput,
    Output,
    PicksOutput,
    Report,
    ScoredRows,
    find,
)

log = logging.getLogger(__name__)

#: The output that shows a picture, by the first that a task delivers.
_PICTURED: dict[type[Output], str] = {PicksOutput: PICKS, KeptRows: KEPT, ScoredRows: VERIFIED}


class OutputWriter:
    """The outputs of an External job.

    Parameters
    ----------
    connected
        Its inputs, whose rows the outputs refer to.
    """

    def __init__(self, job: ExternalJob, request: JobRequest, connected: Connected) -> None:
        self._job, self._request, self._connected = job, request, connected
        self._diameter_A: float | None = None

    def add(self, output: MicrographOutput) -> None:
        """Take up the picks of a micrograph: outputs of CryoSPARC hold all at once."""
        self._picks.add(output)
        self._diameter_A = output.picks.diameter_A

    def write(self, outputs: Sequence[Output]) -> None:
        """Write a task's outputs in their order, the report last, and log what they come to."""
        told: list[str] = []
        for one in outputs:
            told += self._write(one)
        if find(outputs, PicksOutput) is None and gives_micrographs(self._request.task):
            self._save_micrographs(self._connected.exposures.uid.tolist())
        for line in told:
            log.info("%s", line)
        report = find(outputs, Report)
        if report is not None:
            save_report(self._job, report, _PICTURED.get(type(outputs[0])))

    def _write(self, output: Output) -> list[str]:
        """Write an output; return what the end of the event log says of it."""
        job = self._job
        match output:
            case PicksOutput():
                return self._write_picks(output)
            case ModelOutput():
                return save_model(job, output)
            case KeptRows(decisions):
                rows = self._connected.rows
                there = self._connected.exposures if self._connected.on_micrographs else None
                save_kept(job, rows, self._connected.row_slot, decisions, there)
                return [table([(name, str(n)) for name, n in decisions.counts().items()])]
            case ScoredRows(decisions):
                save_scored(job, self._connected.rows, decisions)
            case Files():
                for name, path in output.files.items():
                    upload_file(job, name, path.read_bytes())
            case Report():
                pass  # behind all others
        return []

    def _write_picks(self, output: PicksOutput) -> list[str]:
        rows, picked = self._picks.rows(), self._picks.picked()
        exposures = self._connected.exposures
        compare_with_originals(rows, self._connected, self._request, self._diameter_A)
        self._job.server.stop()
        save_picks(self._job, rows, exposures, output.min_distance_A)
        self._save_micrographs(exposures.uid[picked].tolist())
        return pick_summary(rows, exposures, picked, output.failed, output.threshold, output.kept)

    def _save_micrographs(self, uids: Sequence[int]) -> None:
        save_micrographs(self._job, self._connected.exposure_parts, uids)

    @cached_property
    def _picks(self) -> RowCollector:
        seed = job_seed(self._job.project, self._job.uid)
        return RowCollector(self._connected.exposures, seed, flip_y=self._request.flip_y)
