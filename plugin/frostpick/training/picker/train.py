"""Train a picking model: the file to read first.

`train_picker` is the whole of it, in order, each step one function of this package.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from frostpick.models.picking_model import PickingModel
from frostpick.models.registry import PAPER_PX
from frostpick.runtime.basis import begin_training, finish_training
from frostpick.runtime.device import resolve_device
from frostpick.runtime.memory import keep_freed_memory
from frostpick.runtime.reporter import Reporter
from frostpick.runtime.threads import resolve_threads
from frostpick.settings import TrainSettings
from frostpick.training.few import check_number, count_particles
from frostpick.training.picker.compared import compare_with_start
from frostpick.training.picker.finish import Setting, finish
from frostpick.training.picker.judged_labels import JudgedLabels, judged_by
from frostpick.training.picker.recipe import Recipe
from frostpick.training.picker.setup import (
    check_start,
    choose_network,
    choose_reading,
    expected_at_first,
    make_trainer,
    training_basis,
)
from frostpick.training.picker.soft_labels import GivenSoftLabels, ModelSoftLabels, SoftLabels
from frostpick.training.picker.training_loop import TrainingLoop
from frostpick.training.picker.validation_split import hold_out
from frostpick.training.read_images import choose_micrographs, read_training_images
from frostpick.types import Labels, Micrograph, Picks

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """A trained model and how it came about.

    Parameters
    ----------
    model
        Network and card, calibrated.
    curve
        One row a measurement: step, epoch, loss, learning_rate, held_out_ap,
        held_out_recall (`recall_among`), expected_per_micrograph; the kept one has ``chosen`` = 1.
    summary
        JSON values: expected count, prior, split, labels used, what they were judged to be,
        calibration, failures, seconds.
    judged
        What the labels were worth, with pictures of the least trusted.
    unseen
        Micrographs of the job that trained nothing: held out whole, or not chosen.
    """

    model: PickingModel
    curve: list[dict[str, float]]
    summary: dict[str, Any]
    judged: JudgedLabels
    unseen: tuple[str, ...] = ()


def train_picker(
    micrographs: Sequence[Micrograph],
    labels: Mapping[str, Labels],
    settings: TrainSettings,
    *,
    start: PickingModel | None,
    spool: Path,
    reporter: Reporter,
    recipe: Recipe | None = None,
    soft: Mapping[str, Picks] | None = None,
    asked: Mapping[str, Any] | None = None,
    judge: PickingModel | None = None,
) -> TrainingResult:
    """Train a model on incomplete labels.

    A training from a model takes `Recipe.passes` passes. Each begins at the start model; the
    first takes that model's picks as soft labels of what is not labelled, every later one
    the picks of the pass before it (`frostpick.training.picker.distillation`).

    Parameters
    ----------
    micrographs
        All micrographs of the job.
    labels
        By micrograph id, in pixels of those micrographs. Without any the start model learns
        from its own picks what these micrographs look like.
    settings
        What the user asked for.
    start
        Model to start from; None trains a new network.
    spool
        Folder for the state of a training. A call with the same
        inputs goes on from there and gives, on one CPU with as many threads,
        the same model as an uninterrupted one. With other inputs, or after a finished training
        with other settings, it begins anew and says so.
    reporter
        Told of each step and asked to stop at each step.
    recipe
        Numbers of the method, for experiments.
    soft
        By micrograph id, in pixels of those micrographs: picks that are the first pass's soft
        labels, each worth its ``probability``; the start's own when None.
    asked
        What the user asked for, by option, where that was not ``settings``.
    judge
        Model that judges the labels before they teach (`frostpick.training.picker.judged_labels`)
        where there is no ``start``, which does it else. Verified picks stand with labels that
        were judged before.

    Raises
    ------
    ConfigError
        No diameter; fewer expected particles than labels;
        a training with other settings is unfinished in ``spool`` and ``settings.restart`` is
        not set.
    LabelError
        One or two of the labels can be used, none of them, or none is given and there is no
        start.
    InputError
        No micrograph can be used.
    """
    wall, cpu = time.monotonic(), time.process_time()
    check_start(start)
    recipe = _at_scale(recipe or Recipe(), settings, start)
    device = _take_machine(settings)

    # what is learned from: working images, their labels, and which part of them judges
    reading = choose_reading(settings, labels, start, recipe, spool)
    chosen = choose_micrographs(
        micrographs,
        labels,
        everything=settings.all_micrographs,
        seed=settings.seed,
        needed=start is None,
    )
    gathered = read_training_images(chosen, labels, reading, reporter, device)
    left = sum(len(image.particles_yx) for image in gathered.images)
    if soft is None:
        needless = start is not None and asked is None
        check_number(left, needless=needless, given=count_particles(labels))
    judged = JudgedLabels(gathered.images, {})
    if soft is None and settings.label_weights == "auto":
        judged = judged_by(
            start or judge,
            gathered.images,
            reading,
            device,
            reporter,
            settings.seed,
            from_model=start is not None,
        )
    split = hold_out(
        judged.images,
        settings.seed,
        recipe.guard * recipe.px_per_diameter,
        fewest=recipe.fewest_held_out(tuning=start is not None),
    )
    expected, given = expected_at_first(settings, split.images, recipe, len(micrographs))

    spec = choose_network(settings, start, recipe)
    setting = Setting(
        settings, recipe, device, start, spec, reading, gathered, split, given, judged
    )
    basis = training_basis(setting, labels, chosen, soft, asked)
    begin_training(spool, basis, restart=settings.restart)
    result = _take_passes(setting, expected, soft, spool, basis.key, reporter)
    finish_training(spool, basis)

    shutil.rmtree(reading.folder, ignore_errors=True)
    result.summary["wall_s"] = time.monotonic() - wall
    result.summary["cpu_s"] = time.process_time() - cpu
    taught = {image.micrograph_id for image in split.images if image.trains} | {*gathered.failed}
    return replace(result, unseen=tuple(m.id for m in micrographs if m.id not in taught))


def _at_scale(recipe: Recipe, settings: TrainSettings, start: PickingModel | None) -> Recipe:
    """Return the recipe at the start's working pixels a diameter, or at a paper's network's."""
    if start is not None:
        return replace(recipe, px_per_diameter=start.card.px_per_diameter)
    if settings.network in PAPER_PX:
        return replace(recipe, px_per_diameter=PAPER_PX[str(settings.network)])
    return recipe


def _take_machine(settings: TrainSettings) -> torch.device:
    """Set threads and memory as asked, and return the device that trains."""
    torch.set_num_threads(resolve_threads(settings.threads))
    keep_freed_memory()
    return resolve_device(settings.device)


def _take_passes(
    setting: Setting,
    expected: float,
    soft: Mapping[str, Picks] | None,
    spool: Path,
    key: str,
    reporter: Reporter,
) -> TrainingResult:
    """Train, calibrate, and let the result teach the next pass, which begins anew."""
    settings, recipe, start = setting.settings, setting.recipe, setting.start
    images, spec, device = setting.split.images, setting.spec, setting.device
    passes = recipe.passes if start else 1
    curve: list[dict[str, float]] = []
    teacher: SoftLabels | None = None
    alone = not any(len(image.particles_yx) for image in images)
    if soft is not None:
        teacher = GivenSoftLabels(soft)
    elif start is not None:
        teacher = ModelSoftLabels(start, recipe.anchor_sharpness, device, alone=alone)
        if alone:
            teacher.weigh(images)
    first, silence = teacher, None
    for number in range(passes):
        if passes > 1:
            log.info(
                "pass %d of %d begins%s",
                number + 1,
                passes,
                ", which learns from the picks of the one before, too" if number else "",
            )
        course = TrainingLoop(
            make_trainer(images, spec, start, settings, recipe, expected, device, teacher),
            images,
            recipe,
            expected=expected,
            estimate=not setting.expected_given,
            spool=spool / f"pass_{number + 1}" if number else spool,
            key=f"{key}-{number + 1}",
        )
        if not number and course.trainer.anchor is not None:
            silence = course.trainer.anchor.silence
        course.run(reporter)
        model, summary = finish(course, setting, first, silence)
        if number + 1 == passes:
            summary |= compare_with_start(course, start)
        curve = follow(curve, course.curve())
        if number + 1 < passes:
            teacher = ModelSoftLabels(model, recipe.anchor_sharpness, device, alone=alone)
        expected = float(summary["expected_per_micrograph"])
    summary |= {"passes": passes, "steps": int(curve[-1]["step"])}
    summary["chosen_step"] = next(int(row["step"]) for row in curve if row["chosen"])
    return TrainingResult(model, curve, summary, setting.judged)


def follow(
    earlier: Sequence[Mapping[str, float]], later: Sequence[Mapping[str, float]]
) -> list[dict[str, float]]:
    """Return the curve of a pass after those before it, counted on; only the last one chooses."""
    if not earlier:
        return [dict(row) for row in later]
    last = earlier[-1]
    counted_on = [
        {**row, "step": row["step"] + last["step"], "epoch": row["epoch"] + last["epoch"]}
        for row in later
    ]
    return [*({**row, "chosen": 0.0} for row in earlier), *counted_on]
