"""What a newly trained model picks, in pictures, and how it is delivered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frostpick.models.picking_model import PickingModel
from frostpick.picking.pick import MicrographPicks
from frostpick.picking.plan import plan_picking, settle_contrast
from frostpick.picking.work import pick_micrographs
from frostpick.report.boxes import box_mosaic
from frostpick.report.figure import Figure
from frostpick.runtime.evenly_spread import evenly_spread
from frostpick.runtime.executors.base import Executor
from frostpick.runtime.executors.local import LocalExecutor
from frostpick.runtime.run_record import RunRecord
from frostpick.settings import Contrast, PickSettings, TrainSettings
from frostpick.training.picker.judged_labels import JudgedLabels
from frostpick.types import Labels, Micrograph
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.outputs import Files, ModelOutput, Report
from frostpick_jobs.job.results import TrainingResult
from frostpick_jobs.tasks.pick.figures import on_micrograph

#: Enough to see whether it worked; picking is there for more.
MOST_PICKED = 4


def picked_figures(
    model: PickingModel,
    micrographs: Sequence[Micrograph],
    labels: Mapping[str, Labels],
    settings: TrainSettings,
    contrast: Contrast,
    host: Host,
    executor: Executor | None = None,
) -> list[Figure]:
    """Pick a few micrographs, labelled ones where there are any, and draw the picks.

    Parameters
    ----------
    contrast
        What the training found, or was told.
    host
        Whose progress it is, and who knows what micrographs are called.
    executor
        Who picks, and where. None: this process, on the first device of the settings.
    """
    labelled = [m for m in micrographs if len(labels.get(m.id, ()))]
    shown = evenly_spread(labelled or list(micrographs), MOST_PICKED)
    told = settings.model_dump(include={"device", "threads", "pixel_size"})
    picking = PickSettings(**told, contrast=contrast)
    reporter = host.reporter
    executor = executor or LocalExecutor(settings.device, settings.threads, most=1)
    plan = plan_picking(model, picking, frozenset(m.id for m in shown), executor)
    if plan.contrast == "auto":  # else the training has looked at it
        plan = settle_contrast(model, shown, plan, reporter)
    reporter.stage("picking for the report", len(shown))
    figures: list[Figure] = []
    for found in pick_micrographs(model, shown, plan, reporter, executor):
        if isinstance(found, MicrographPicks):
            title = host.title(found.micrograph_id)
            figures += on_micrograph(found, model.card.threshold, title)
        reporter.advance(1)
    return figures


def least_trusted(judged: JudgedLabels) -> list[Figure]:
    """Draw the labels that look least like particles; nothing where labels were not judged."""
    if not len(judged.boxes):
        return []
    caption = (
        "The least trusted labels, smoothed, each with its own grey scale, and how probably the "
        f"model that judges takes it for a particle. Labels: {judged.told['text']}."
    )
    return [
        box_mosaic(
            judged.boxes, judged.captions, name="least_trusted_labels", caption=caption, columns=5
        )
    ]


def deliver_trained(
    host: Host,
    settings: TrainSettings,
    done: TrainingResult,
    labels: Mapping[str, Labels],
    plots: Sequence[Figure],
    record: RunRecord,
    *,
    told: Mapping[str, Any] | None = None,
    counts: Mapping[str, int] | None = None,
    files: Mapping[str, Path] | None = None,
) -> None:
    """Show the pictures, finish the record, and hand the model to the host.

    Parameters
    ----------
    told, counts, files
        What else stands in the record, among its counts, and in the job's folder.
    """
    host.show(plots)
    record.add(
        model={"digest": done.model.digest, "started_from": settings.start_model},
        seed=settings.seed,
        **(told or {}),
        training=dict(done.training),
        curve=list(done.curve),
        counts={
            "labels": sum(len(one) for one in labels.values()),
            "labelled_micrographs": sum(len(one) > 0 for one in labels.values()),
            **(counts or {}),
        },
    )
    finished = record.finished()
    model = ModelOutput("model", done.model, finished["curve"], finished["counts"])
    host.deliver([model, Files(files or {}), Report(finished, plots, done.failed)])
