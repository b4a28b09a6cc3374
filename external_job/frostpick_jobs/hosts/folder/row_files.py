"""The rows of a pruning or verifying job, as a folder has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.types import Decisions
from frostpick_jobs.formats import StarTable, write_star_blocks
from frostpick_jobs.formats.star.columns import (
    SCORE,
    WORST_SCORE,
    score_columns,
    write_with_columns,
)
from frostpick_jobs.formats.star.pick_labels import optional_labels
from frostpick_jobs.formats.star.rows import copy_rows
from frostpick_jobs.inputs.prune_inputs import PruneInputs
from frostpick_jobs.inputs.score_table import write_scores

KEPT, REJECTED, VERIFIED = "kept.star", "rejected.star", "verified.star"


def write_kept(out: Path, inputs: PruneInputs, decisions: Decisions) -> None:
    """Write every row to one of kept and rejected, and the table of scores.

    Particles of a STAR file are written line by line as they stand there, with its optics
    table; picks as whole pixels with the score as figure of merit.
    """
    write_scores(out, inputs, decisions)
    for name, chosen in ((KEPT, decisions.keep), (REJECTED, ~decisions.keep)):
        if inputs.row_file is not None:
            copy_rows(inputs.row_file, out / name, chosen)
            continue
        rows = np.flatnonzero(chosen)
        score = np.nan_to_num(decisions.score[rows], nan=WORST_SCORE)
        _write_table(out / name, inputs, rows, {SCORE: score})


def write_scored(out: Path, inputs: PruneInputs, decisions: Decisions) -> None:
    """Write all rows with score and spread in two columns more, and the table of scores."""
    write_scores(out, inputs, decisions)
    columns = score_columns(decisions)
    if inputs.row_file is not None:
        write_with_columns(inputs.row_file, out / VERIFIED, columns)
        return
    _write_table(out / VERIFIED, inputs, np.arange(len(decisions)), columns)


def _write_table(
    path: Path,
    inputs: PruneInputs,
    rows: NDArray[np.int64],
    scores: Mapping[str, NDArray[np.float64]],
) -> None:
    if inputs.particles is not None:
        images = [f"{row + 1:06d}@{inputs.particles}" for row in rows.tolist()]
        write_star_blocks(path, [StarTable("particles", {"rlnImageName": images, **scores})])
        return
    picks = inputs.pick_rows
    names = picks.names
    columns = {
        "rlnMicrographName": [names[row] for row in rows.tolist()],
        "rlnCoordinateX": np.floor(picks.x_px[rows] + 0.5),
        "rlnCoordinateY": np.floor(picks.y_px[rows] + 0.5),
        **scores,
        **optional_labels({name: one[rows] for name, one in picks.optional().items()}),
    }
    write_star_blocks(path, [StarTable("", columns)])
