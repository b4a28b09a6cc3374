"""The rows of a pruning or verifying job as RELION has them: particles, or coordinates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.types import Decisions, Micrograph, Picks, sigmoid
from frostpick_jobs.formats import StarTable, write_micrograph_star, write_star_blocks
from frostpick_jobs.formats.star.columns import score_columns, write_with_columns
from frostpick_jobs.formats.star.pick_labels import optional_labels
from frostpick_jobs.formats.star.rows import copy_rows
from frostpick_jobs.hosts.relion.arguments import JobArguments
from frostpick_jobs.hosts.relion.coordinates import remove_stale, write_lists
from frostpick_jobs.hosts.relion.generation import Generation
from frostpick_jobs.hosts.relion.nodes import Node, NodeKind
from frostpick_jobs.hosts.relion.paths import coordinate_file
from frostpick_jobs.inputs.prune_inputs import PruneInputs
from frostpick_jobs.inputs.score_table import SCORES, write_scores
from frostpick_jobs.job.own_files import OwnFiles

PARTICLES, REJECTED = "particles.star", "rejected.star"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RowFiles:
    """Writes rows of the kind that was given, and returns the nodes of what stands for them.

    Parameters
    ----------
    arguments
        Of the job.
    generation
        Whose files to write.
    inputs
        Where the rows are from.
    own
        Which files the job has written.
    """

    arguments: JobArguments
    generation: Generation
    inputs: PruneInputs
    own: OwnFiles

    def write_kept(self, decisions: Decisions) -> list[Node]:
        """Write the rows that are kept, particles that are not as well, and all scores."""
        source = self.inputs.row_file
        if source is None:
            return [self._write_coordinates(decisions, self._write_kept_picks)]
        self._note(REJECTED, PARTICLES)
        copy_rows(source, self._job / REJECTED, ~decisions.keep)
        copy_rows(source, self._job / PARTICLES, decisions.keep)
        return [self._particles(decisions), (REJECTED, NodeKind.PARTICLES)]

    def write_scored(self, decisions: Decisions) -> Node:
        """Write all rows with score and spread.

        They stand in columns that every generation knows
        (`frostpick_jobs.formats.star.columns`), so that Subset selection can cut by them.
        """
        source = self.inputs.row_file
        if source is None:
            return self._write_coordinates(decisions, self._write_scored_picks)
        self._note(PARTICLES)
        write_with_columns(source, self._job / PARTICLES, score_columns(decisions))
        return self._particles(decisions)

    @property
    def _job(self) -> Path:
        return self.arguments.job

    def _particles(self, decisions: Decisions) -> Node:
        self._note(SCORES)
        write_scores(self._job, self.inputs, decisions)
        return PARTICLES, NodeKind.PARTICLES

    def _write_coordinates(
        self, decisions: Decisions, write: Callable[[Micrograph, Picks, Decisions], None]
    ) -> Node:
        """Write picks of every micrograph that had some, the list of them, and the scores."""
        names = []
        for micrograph, picks in self.inputs.input_rows().picks:
            self._note(coordinate_file(micrograph.id))
            write(micrograph, picks, decisions)
            names.append(micrograph.id)
        remove_stale(self._job, names, self.own)
        self._note(SCORES)
        write_scores(self._job, self.inputs, decisions)
        return write_lists(self.arguments, names, self.generation, self.own)

    def _note(self, *names: str) -> None:
        self.own.note(*(self._job / name for name in names))

    def _path(self, micrograph: Micrograph) -> Path:
        return self._job / coordinate_file(micrograph.id)

    def _write_kept_picks(self, micrograph: Micrograph, picks: Picks, decisions: Decisions) -> None:
        kept = picks.keep(decisions.keep[picks.row])
        score = decisions.score[kept.row]
        scored = replace(kept, score=score, probability=sigmoid(score))
        write_micrograph_star(self._path(micrograph), scored.sorted(), None)

    def _write_scored_picks(
        self, micrograph: Micrograph, picks: Picks, decisions: Decisions
    ) -> None:
        """Write the rows of a micrograph in their order, as whole pixels, all of them.

        Extract stops at a box that lies wholly off the micrograph, and 3.1 cannot cut by the
        score before: a centre off it is written as the nearest pixel, with the lowest score.
        ``scores.csv`` has it as it was.
        """
        x, y = np.floor(picks.x_px + 0.5), np.floor(picks.y_px + 0.5)
        if not np.isfinite(decisions.score[picks.row]).all():
            x, y = self._on_the_image(micrograph, x, y)
        columns = {
            "rlnCoordinateX": x,
            "rlnCoordinateY": y,
            **{name: values[picks.row] for name, values in score_columns(decisions).items()},
            **optional_labels(picks.optional()),
        }
        table = StarTable("", columns)
        write_star_blocks(self._path(micrograph), [table], self.generation.star_version)

    def _on_the_image(self, micrograph: Micrograph, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return the nearest pixels of a micrograph; without a readable header as they are."""
        shape = self.inputs.with_header(micrograph).shape
        if shape is None:
            return x, y
        return np.clip(x, 0, shape[1] - 1), np.clip(y, 0, shape[0] - 1)
