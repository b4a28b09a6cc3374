"""A pruning External job of RELION: coordinates or particles in, the same kind out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import ConfigError, InputError
from frostpick.images import PixelSizes
from frostpick.runtime.atomic import remove_leftovers
from frostpick.types import Decisions, Micrograph, Picks
from frostpick_jobs.formats import read_picks, write_micrograph_star
from frostpick_jobs.formats.decision_table import write_decision_table
from frostpick_jobs.formats.star.particles import ParticleRows, read_particles
from frostpick_jobs.formats.star.rows import copy_rows
from frostpick_jobs.hosts.relion import markers
from frostpick_jobs.hosts.relion.arguments import JobArguments
from frostpick_jobs.hosts.relion.coordinates import remove_stale, write_lists
from frostpick_jobs.hosts.relion.host import LOGFILE, RelionHost
from frostpick_jobs.hosts.relion.nodes import NodeKind, write_nodes
from frostpick_jobs.hosts.relion.paths import coordinate_file
from frostpick_jobs.inputs.headers import with_header
from frostpick_jobs.inputs.rows import PickRows, pick_rows
from frostpick_jobs.job.host import Candidates, Delivery, Judged

logger = logging.getLogger(__name__)

KEPT, REJECTED, SCORES, PRUNER = "particles.star", "rejected.star", "scores.csv", "pruner"
#: What the label ``bad`` takes for all input that is not good.
REST = "rest"


class RelionPruneHost(RelionHost):
    """An External job that prunes what its input field names.

    Parameters
    ----------
    arguments
        ``--in_parts``, or ``--in_coords`` with ``--in_mics``.
    good, bad
        Files of known particles and non-particles, below the project folder; ``bad`` may
        be ``rest``.
    pixel_size_A
        Pixel size of micrographs of which neither RELION nor the header knows it.
    """

    #: For the log.
    _doing = "pruning"

    def __init__(
        self,
        arguments: JobArguments,
        *,
        good: str | None = None,
        bad: str | None = None,
        pixel_size_A: float | None = None,
    ) -> None:
        super().__init__(arguments, pixel_size_A=pixel_size_A)
        self._good, self._bad = good, bad

    def begin(self) -> None:
        """Check the input fields, clear old exit files and what a killed run left half-written."""
        markers.clear(self._job)
        given = self._arguments
        if (given.in_parts is None) == (given.in_coords is None):
            raise InputError(
                "fill in either the field 'Input particles' or 'Input coordinates' (with 'Input "
                "micrographs'), not " + ("neither" if given.in_parts is None else "both")
            )
        if given.in_coords is not None and given.in_mics is None:
            raise InputError("coordinates without micrographs; fill in 'Input micrographs'")
        if self._bad == REST and self._good is None:
            raise ConfigError("label bad is rest, all that is not good; give the label good too")
        labels = {"good": self._good, "bad": None if self._bad == REST else self._bad}
        fields = {flag: getattr(given, flag) for flag in ("in_mics", "in_coords", "in_parts")}
        for flag, name in {**fields, **labels}.items():
            if name is not None and not Path(name).is_file():
                raise InputError(f"{name}: no such file ({flag}); run the job that writes it first")
        remove_leftovers(self._job)
        logger.info("RELION %s, %s %s", self._generation.value, self._doing, self._source)

    def micrographs(self) -> Sequence[Micrograph]:
        """Return the micrographs of ``--in_mics``, none without it."""
        return self._found if self._arguments.in_mics is not None else []

    def candidates(self) -> Candidates:
        """Return the rows of ``--in_parts`` or ``--in_coords``."""
        if self._arguments.in_parts is not None:
            rows = self._particles
            return Candidates(rows=len(rows), stacks=rows.stacks(Path()), merit=rows.merit)
        return self._picks.candidates(self.micrographs())

    def judged(self) -> Judged:
        """Return the rows of the labels ``good`` and ``bad``."""
        if self._good is None and self._bad is None:
            return Judged()
        good = None if self._good is None else self._labels(self._good)
        if self._bad is None:
            return Judged(good)
        return Judged(good, self._rest() if self._bad == REST else self._labels(self._bad, True))

    def deliver(self, delivery: Delivery) -> None:
        """Write particles or coordinates, scores, pruner, report and pictures, then the nodes."""
        assert delivery.decisions is not None
        if self._arguments.in_parts is not None:
            self._write_particles(Path(self._arguments.in_parts), delivery.decisions)
            write_decision_table(self._job / SCORES, delivery.decisions, self._particles.image)
            node = (KEPT, NodeKind.PARTICLES)
        else:
            node = self._write_picks(delivery.decisions)
        self._write_pruner(delivery)
        self._write_report(delivery)
        nodes = [node, (LOGFILE, NodeKind.LOGFILE)]
        write_nodes(self._job, self._arguments.prefix, nodes, self._generation)

    def _write_particles(self, source: Path, decisions: Decisions) -> None:
        copy_rows(source, self._job / REJECTED, ~decisions.keep)
        copy_rows(source, self._job / KEPT, decisions.keep)

    def _write_micrograph(self, path: Path, picks: Picks, decisions: Decisions) -> None:
        kept = picks.keep(decisions.keep[picks.row])
        scored = Picks.from_xy(
            picks.micrograph_id, kept.x_px, kept.y_px, score=decisions.score[kept.row], row=kept.row
        )
        write_micrograph_star(path, scored.sorted(), None)

    def _write_pruner(self, delivery: Delivery) -> None:
        if delivery.pruner is not None:
            delivery.pruner.save(self._job / PRUNER)

    @property
    def _source(self) -> str:
        return str(self._arguments.in_parts or self._arguments.in_coords)

    @cached_property
    def _particles(self) -> ParticleRows:
        assert self._arguments.in_parts is not None
        return read_particles(Path(self._arguments.in_parts), self._pixel_size_A)

    @cached_property
    def _picks(self) -> PickRows:
        assert self._arguments.in_coords is not None
        return self._rows_of(self._arguments.in_coords)

    def _labels(self, file: str, every: bool = False) -> Candidates:
        if self._arguments.in_parts is not None:
            rows = read_particles(Path(file), self._pixel_size_A)
            return Candidates(rows=len(rows), stacks=rows.stacks(Path()))
        return self._rows_of(file, every).candidates(self.micrographs())

    def _rest(self) -> Candidates:
        assert self._good is not None
        if self._arguments.in_parts is None:
            left = self._picks.rows_not_in(self._rows_of(self._good))
            return self._picks.candidates(self.micrographs(), left)
        known = set(read_particles(Path(self._good), self._pixel_size_A).image)
        at = np.array([n for n, one in enumerate(self._particles.image) if one not in known])
        if len(at) == len(self._particles):
            raise InputError(
                f"{self._good}: no image of it is in {self._source}; expected a selection of it"
            )
        rows: NDArray[np.int64] = at.astype(np.int64)
        return Candidates(len(self._particles), stacks=self._particles.stacks(Path(), rows))

    def _rows_of(self, file: str, every: bool = False) -> PickRows:
        sizes = PixelSizes(self._pixel_size_A)
        return pick_rows(
            [read_picks(Path(file), Path())],
            self.micrographs(),
            lambda micrograph: with_header(micrograph, sizes),
            every=every,
        )

    def _write_picks(self, decisions: Decisions) -> tuple[str, NodeKind]:
        """Write picks of every micrograph that had some, the list of them, and the scores."""
        assert self._arguments.in_mics is not None
        names = []
        for micrograph, picks in self.candidates().picks:
            self._write_micrograph(self._job / coordinate_file(micrograph.id), picks, decisions)
            names.append(micrograph.id)
        remove_stale(self._job, names)
        rows = self._picks
        own = [one or name for one, name in zip(rows.micrograph_id, rows.name, strict=True)]
        write_decision_table(
            self._job / SCORES, decisions, own, (rows.x_px, rows.y_px), named="micrograph"
        )
        in_mics, prefix = self._arguments.in_mics, self._arguments.prefix
        return write_lists(self._job, prefix, in_mics, names, self._generation)
