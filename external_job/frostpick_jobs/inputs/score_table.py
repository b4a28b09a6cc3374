"""The table of what a job decided on each row that a file gave it."""

from __future__ import annotations

from pathlib import Path

from frostpick.types import Decisions
from frostpick_jobs.formats.decision_table import write_decision_table
from frostpick_jobs.inputs.prune_inputs import PruneInputs

SCORES = "scores.csv"


def write_scores(folder: Path, inputs: PruneInputs, decisions: Decisions) -> None:
    """Write ``scores.csv``, every row under the name that it has in its own table."""
    path = folder / SCORES
    if inputs.picks:
        rows = inputs.pick_rows
        xy = rows.x_px, rows.y_px
        write_decision_table(path, decisions, rows.names, xy, named="micrograph")
    elif inputs.row_file is not None:
        write_decision_table(path, decisions, inputs.particle_rows.image)
    else:
        images = [f"{row + 1:06d}@{inputs.particles}" for row in range(len(decisions))]
        write_decision_table(path, decisions, images)
