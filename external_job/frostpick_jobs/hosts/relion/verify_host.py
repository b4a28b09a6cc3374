"""A verifying External job of RELION: coordinates or particles in, every row out with scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.images import PixelSizes
from frostpick.types import Decisions, Picks
from frostpick_jobs.formats import StarTable, write_star_blocks
from frostpick_jobs.formats.star.columns import score_columns, write_with_columns
from frostpick_jobs.hosts.relion.generation import Generation
from frostpick_jobs.hosts.relion.prune_host import KEPT, RelionPruneHost
from frostpick_jobs.inputs.headers import with_header
from frostpick_jobs.job.host import Delivery

Floats = NDArray[np.float64]


class RelionVerifyHost(RelionPruneHost):
    """An External job that scores what its input field names, and drops nothing.

    Score and spread stand in columns that every generation knows
    (`frostpick_jobs.formats.star.columns`), so that Subset selection can cut by them.
    """

    _doing = "verifying"

    def _write_particles(self, source: Path, decisions: Decisions) -> None:
        write_with_columns(source, self._job / KEPT, score_columns(decisions))

    def _write_micrograph(self, path: Path, picks: Picks, decisions: Decisions) -> None:
        """Write the rows of a micrograph in their order, as whole pixels, all of them.

        Extract stops at a box that lies wholly off the micrograph, and 3.1 cannot cut by the
        score before: a centre off it is written as the nearest pixel, with the lowest score.
        ``scores.csv`` has it as it was.
        """
        x, y = np.floor(picks.x_px + 0.5), np.floor(picks.y_px + 0.5)
        if not np.isfinite(decisions.score[picks.row]).all():
            x, y = self._on_the_image(picks.micrograph_id, x, y)
        columns = {
            "rlnCoordinateX": x,
            "rlnCoordinateY": y,
            **{name: values[picks.row] for name, values in score_columns(decisions).items()},
        }
        version = 50001 if self._generation is Generation.RELION_5 else 30001
        write_star_blocks(path, [StarTable("", columns)], version)

    def _on_the_image(self, micrograph_id: str, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return the nearest pixels of a micrograph; without a readable header as they are."""
        micrograph = next(one for one in self.micrographs() if one.id == micrograph_id)
        shape = with_header(micrograph, PixelSizes(self._pixel_size_A)).shape
        if shape is None:
            return x, y
        return np.clip(x, 0, shape[1] - 1), np.clip(y, 0, shape[0] - 1)

    def _write_pruner(self, delivery: Delivery) -> None:
        """Write none: the pruner is used as it was given."""
