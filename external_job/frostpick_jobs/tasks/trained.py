"""Pictures of what a newly trained model picks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from frostpick.config import Contrast, PickSettings, TrainSettings
from frostpick.models.picking_model import PickingModel
from frostpick.picking.pick import MicrographPicks, pick_micrographs
from frostpick.picking.plan import plan_picking, settle_contrast
from frostpick.report.figure import Figure
from frostpick.runtime.reporter import Reporter
from frostpick.runtime.spread import spread
from frostpick.types import Labels, Micrograph
from frostpick_jobs.tasks.pick.figures import on_micrograph

#: Enough to see whether it worked; picking is there for more.
MOST_PICKED = 4


def picked_figures(
    model: PickingModel,
    micrographs: Sequence[Micrograph],
    labels: Mapping[str, Labels],
    settings: TrainSettings,
    contrast: Contrast,
    reporter: Reporter,
) -> list[Figure]:
    """Pick a few micrographs, labelled ones where there are any, and draw the picks.

    Parameters
    ----------
    contrast
        What the training found, or was told.
    """
    labelled = [m for m in micrographs if len(labels.get(m.id, ()))]
    shown = spread(labelled or list(micrographs), MOST_PICKED)
    told = settings.model_dump(include={"device", "threads", "pixel_size"})
    picking = PickSettings(**told, contrast=contrast)
    plan = plan_picking(model, picking, preview_ids=frozenset(m.id for m in shown))
    plan = settle_contrast(model, shown, plan, reporter)
    reporter.stage("looking at the result", len(shown))
    figures: list[Figure] = []
    for found in pick_micrographs(model, shown, plan, reporter):
        if isinstance(found, MicrographPicks):
            figures += on_micrograph(found, model.card.threshold)
        reporter.advance(1)
    return figures
