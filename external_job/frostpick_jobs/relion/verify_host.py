"""A verifying External job of RELION: coordinates or particles in, every row out with scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from frostpick.types import Decisions, Picks
from frostpick_jobs.formats import StarTable, write_star_blocks
from frostpick_jobs.formats.star_columns import score_columns, write_with_columns
from frostpick_jobs.host import Delivery
from frostpick_jobs.relion.generation import Generation
from frostpick_jobs.relion.prune_host import KEPT, RelionPruneHost


class RelionVerifyHost(RelionPruneHost):
    """An External job that scores what its input field names, and drops nothing.

    Score and spread stand in columns that every generation knows
    (`frostpick_jobs.formats.star_columns`), so that Subset selection can cut by them.
    """

    _doing = "verifying"

    def _write_particles(self, source: Path, decisions: Decisions) -> None:
        write_with_columns(source, self._job / KEPT, score_columns(decisions))

    def _write_micrograph(self, path: Path, picks: Picks, decisions: Decisions) -> None:
        """Write the rows of a micrograph in their order, as whole pixels, all of them."""
        columns = {
            "rlnCoordinateX": np.floor(picks.x_px + 0.5),
            "rlnCoordinateY": np.floor(picks.y_px + 0.5),
            **{name: values[picks.row] for name, values in score_columns(decisions).items()},
        }
        version = 50001 if self._generation is Generation.RELION_5 else 30001
        write_star_blocks(path, [StarTable("", columns)], version)

    def _write_pruner(self, delivery: Delivery) -> None:
        """Write none: the pruner is used as it was given."""
