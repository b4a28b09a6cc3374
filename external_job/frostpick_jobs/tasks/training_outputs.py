"""What a newly trained model picks, in pictures, and how it is delivered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from frostpick.models.picking_model import PickingModel
from frostpick.picking.null import LEAST, NoiseSample, looked_at_for_noise
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
from frostpick_jobs.tasks.pick.noise import STAGE, tell_noise
from frostpick_jobs.tasks.pick.threshold import Threshold
from frostpick_jobs.tasks.pick.totals import sample_of
from frostpick_jobs.tasks.repeated import NAME, repeated_objects

#: Enough to see whether it worked; picking is there for more.
MOST_PICKED = 4
#: Micrographs that are searched for what repeats.
SEARCHED = 8


def picked_figures(
    model: PickingModel,
    micrographs: Sequence[Micrograph],
    labels: Mapping[str, Labels],
    settings: TrainSettings,
    contrast: Contrast,
    host: Host,
    executor: Executor | None = None,
    record: RunRecord | None = None,
    unseen: Collection[str] = (),
) -> list[Figure]:
    """Pick a few micrographs, labelled ones first, draw the picks, and search for what repeats.

    How many picks at the model's threshold are likely noise is told by micrographs that it has
    not learned from, where there are any.

    Parameters
    ----------
    contrast
        What the training found, or was told.
    host
        Whose progress it is, and who knows what micrographs are called.
    executor
        Who picks, and where. None: this process, on the first device of the settings.
    record
        Where the noise and what repeats are noted; without one noise is not looked for.
    unseen
        Micrographs that trained nothing.
    """
    labelled = [m for m in micrographs if len(labels.get(m.id, ()))]
    shown = evenly_spread(labelled or list(micrographs), MOST_PICKED)
    drawn = frozenset(m.id for m in shown)
    others = [m for m in micrographs if m.id not in drawn]
    searched = evenly_spread(others, SEARCHED - len(shown))
    fresh = evenly_spread([m.id for m in micrographs if m.id in unseen], LEAST)
    noisy = looked_at_for_noise(model, fresh or sorted(drawn))
    if record is None:
        noisy = frozenset()
    pictured = drawn | {m.id for m in searched}
    picked = [m for m in micrographs if m.id in pictured | noisy]
    told = settings.model_dump(include={"device", "threads", "pixel_size"})
    picking = PickSettings(**told, contrast=contrast)
    reporter = host.reporter
    executor = executor or LocalExecutor(settings.device, settings.threads, most=1)
    plan = plan_picking(model, picking, pictured, executor)
    plan = replace(plan, decoy_ids=noisy)
    if plan.contrast == "auto":  # else the training has looked at it
        plan = settle_contrast(model, shown, plan, reporter)
    reporter.stage("picking for the report", len(picked))
    figures: list[Figure] = []
    samples: list[NoiseSample] = []
    results: list[MicrographPicks] = []
    cut, spent = Threshold(model.card.threshold, "the model's own", frozen=False), 0.0
    for found in pick_micrographs(model, picked, plan, reporter, executor):
        if isinstance(found, MicrographPicks):
            if found.micrograph_id in drawn:
                name = found.micrograph_id
                figures += on_micrograph(found, cut.of(name), host.title(name))
            results += [found] if found.micrograph_id in pictured else []
            sample = sample_of(found, plan.min_distance_A, plan.border)
            samples += [] if sample is None else [sample]
            spent += found.seconds.get(STAGE, 0.0)
        reporter.advance(1)
    repeated = repeated_objects(
        results,
        cut.of,
        plan.diameter_A,
        plan.contrast,
        check=reporter.check,
        job=host.place.job,
    )
    repeated.write(host.spool / NAME)
    if record is not None:
        repeated.tell(record)
        selected = sum(one.at(cut.score)[0] for one in samples)
        tell_noise(samples, cut, selected, record, learned=not fresh, seconds={STAGE: spent})
    return [*figures, *repeated.figures]


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


def unlabelled_look(judged: JudgedLabels) -> list[Figure]:
    """Draw picks of the look that labels lack; nothing where they show all that is seen."""
    views = judged.views
    if not views.partial:
        return []
    caption = (
        "Picks of the start model whose look has too few labels, smoothed, each with its own grey "
        f"scale. It may be a view of the particle, or no particle: {views.told['text']}."
    )
    return [box_mosaic(views.boxes, name="unlabelled_look", caption=caption)]


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
        model={
            "digest": done.model.digest,
            "parent": done.model.card.parent,
            "started_from": settings.start_model,
        },
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
    places = host.spool / NAME
    more = {NAME: places} if places.exists() else {}
    host.deliver([model, Files({**(files or {}), **more}), Report(finished, plots, done.failed)])
