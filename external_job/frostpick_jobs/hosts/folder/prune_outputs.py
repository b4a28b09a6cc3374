"""Results of a pruning or verifying job on a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.types import Decisions
from frostpick_jobs.formats import StarTable, write_star_blocks
from frostpick_jobs.formats.decision_table import write_decision_table
from frostpick_jobs.formats.star.columns import (
    SCORE,
    WORST_SCORE,
    score_columns,
    write_with_columns,
)
from frostpick_jobs.formats.star.rows import copy_rows
from frostpick_jobs.inputs.prune_inputs import PruneInputs

KEPT, REJECTED, VERIFIED, SCORES = "kept.star", "rejected.star", "verified.star", "scores.csv"


def write_decisions(out: Path, inputs: PruneInputs, decisions: Decisions, *, verify: bool) -> None:
    """Write every row to one of kept and rejected, or all to one file, and the table of scores.

    Particles of a STAR file are written line by line as they stand there, with its optics
    table; picks as whole pixels with the score as figure of merit. What was verified has its
    score and spread in two columns more.
    """
    _write_scores(out / SCORES, inputs, decisions)
    if verify:
        _write_verified(out / VERIFIED, inputs, decisions)
        return
    _write(out / KEPT, inputs, decisions, decisions.keep)
    _write(out / REJECTED, inputs, decisions, ~decisions.keep)


def _write(
    path: Path, inputs: PruneInputs, decisions: Decisions, chosen: NDArray[np.bool_]
) -> None:
    if inputs.particles is not None and not inputs.is_stack:
        copy_rows(inputs.particles, path, chosen)
        return
    rows = np.flatnonzero(chosen)
    score = np.nan_to_num(decisions.score[rows], nan=WORST_SCORE)
    _write_table(path, inputs, rows, {SCORE: score})


def _write_verified(path: Path, inputs: PruneInputs, decisions: Decisions) -> None:
    columns = score_columns(decisions)
    if inputs.particles is not None and not inputs.is_stack:
        write_with_columns(inputs.particles, path, columns)
        return
    _write_table(path, inputs, np.arange(len(decisions)), columns)


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
    columns = {
        "rlnMicrographName": [picks.micrograph_id[row] or picks.name[row] for row in rows.tolist()],
        "rlnCoordinateX": np.floor(picks.x_px[rows] + 0.5),
        "rlnCoordinateY": np.floor(picks.y_px[rows] + 0.5),
        **scores,
    }
    write_star_blocks(path, [StarTable("", columns)])


def _write_scores(path: Path, inputs: PruneInputs, decisions: Decisions) -> None:
    if inputs.picks:
        rows = inputs.pick_rows
        names = [own or name for own, name in zip(rows.micrograph_id, rows.name, strict=True)]
        write_decision_table(path, decisions, names, (rows.x_px, rows.y_px), named="micrograph")
    elif inputs.is_stack:
        images = [f"{row + 1:06d}@{inputs.particles}" for row in range(len(decisions))]
        write_decision_table(path, decisions, images)
    else:
        write_decision_table(path, decisions, inputs.particle_rows.image)
