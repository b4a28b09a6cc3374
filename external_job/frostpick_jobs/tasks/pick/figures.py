"""Pictures of a finished picking job."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from frostpick.picking.against_noise import AgainstNoise
from frostpick.picking.held_out import HeldOutLabels
from frostpick.picking.null import NoiseSample
from frostpick.picking.pick import MicrographPicks
from frostpick.picking.threshold import Cut
from frostpick.report.counts import picks_per_micrograph
from frostpick.report.figure import Figure
from frostpick.report.micrographs import picks_on_micrograph
from frostpick.report.scores import expected_precision_recall, score_histogram
from frostpick_jobs.store import StoredPicks
from frostpick_jobs.tasks.pick.threshold import Threshold

MOST_SHOWN = 12


def pick_figures(
    pictured: Sequence[StoredPicks],
    scores: NDArray[np.float64],
    threshold: Threshold,
    counts: Sequence[int],
    failed: int,
    title: Callable[[str], str] = str,
    noise: Sequence[NoiseSample] = (),
    held_out: HeldOutLabels | None = None,
    against: AgainstNoise | None = None,
) -> list[Figure]:
    """Draw the scores, the counts, and the picks on a few micrographs.

    Parameters
    ----------
    pictured
        Results with a preview, at most ``MOST_SHOWN``.
    scores
        ``(n,)`` scores of all picks above the floor.
    counts
        Selected picks of each micrograph, in the job's order.
    failed
        Number of micrographs that could not be used.
    title
        What a micrograph is called, by its id.
    noise
        What some micrographs with inverted contrast tell.
    held_out
        What recall is by, where there are such labels.
    against
        What scores are worth in this job.
    """
    one = math.nan if threshold.by_micrograph else threshold.score
    plots = [
        score_histogram(scores, threshold.score, sum(counts)),
        expected_precision_recall(scores, one, noise, held_out, against),
        picks_per_micrograph(counts, failed),
    ]
    for result in pictured:
        own = threshold.of(result.micrograph_id)
        plots += on_micrograph(result, own, title(result.micrograph_id))
    return plots


def on_micrograph(result: StoredPicks | MicrographPicks, cut: Cut, title: str) -> list[Figure]:
    """Draw the picks on a micrograph, if it has a preview."""
    if result.preview is None:
        return []
    picks = cut.select(result.picks)
    diameter_A = picks.diameter_A or 0.02 * result.shape[1] * result.pixel_size_A
    figure = picks_on_micrograph(
        result.preview,
        picks.x_px,
        picks.y_px,
        picks.score,
        picks.selected,
        scale=result.preview.shape[1] / result.shape[1],
        diameter_px=diameter_A / result.pixel_size_A,
        title=title,
        pixel_size_A=result.pixel_size_A,
        threshold=cut.score,
    )
    return [figure]
