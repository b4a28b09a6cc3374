"""Train a picking model: the file to read first.

`train_picker` is the whole of it, in order, each step one function of this package.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from frostpick.config import TrainSettings
from frostpick.models.networks import PAPER_PX
from frostpick.models.picking_model import PickingModel
from frostpick.runtime.device import resolve_device
from frostpick.runtime.reporter import Reporter
from frostpick.runtime.threads import resolve_threads
from frostpick.training.checkpoint import remove_checkpoint
from frostpick.training.course import Course
from frostpick.training.finish import Setting, finish
from frostpick.training.gather import choose_micrographs, gather
from frostpick.training.held_out import hold_out
from frostpick.training.recipe import Recipe
from frostpick.training.setup import (
    check_start,
    choose_network,
    choose_reading,
    expected_at_first,
    make_trainer,
    resume_key,
)
from frostpick.types import Labels, Micrograph


@dataclass(frozen=True)
class TrainingResult:
    """A trained model and how it came about.

    Parameters
    ----------
    model
        Network and card, calibrated.
    curve
        One row a measurement: step, epoch, loss, learning_rate, held_out_ap,
        expected_per_micrograph; the kept one has ``chosen`` = 1.
    summary
        JSON values: expected count, prior, split, labels used, calibration,
        failures, seconds.
    """

    model: PickingModel
    curve: list[dict[str, float]]
    summary: dict[str, Any]


def train_picker(
    micrographs: Sequence[Micrograph],
    labels: Mapping[str, Labels],
    settings: TrainSettings,
    *,
    start: PickingModel | None,
    spool: Path,
    reporter: Reporter,
    recipe: Recipe | None = None,
) -> TrainingResult:
    """Train a model on incomplete labels.

    Parameters
    ----------
    micrographs
        All micrographs of the job.
    labels
        By micrograph id, in pixels of those micrographs.
    settings
        What the user asked for.
    start
        Model to start from; None trains a new network.
    spool
        Folder for the state of an unfinished training. A call with the same
        inputs goes on from there and gives, on one CPU with as many threads,
        the same model as an uninterrupted one.
    reporter
        Told of each step and asked to stop at each step.
    recipe
        Numbers of the method, for experiments.

    Raises
    ------
    ConfigError
        No diameter; fewer expected particles than labels; another training is
        unfinished in ``spool`` and ``settings.restart`` is not set.
    LabelError
        No label can be used.
    InputError
        No micrograph can be used.
    """
    wall, cpu = time.monotonic(), time.process_time()
    check_start(start)
    recipe = recipe or Recipe()
    if start is not None:
        recipe = replace(recipe, px_per_diameter=start.card.px_per_diameter)
    elif settings.network in PAPER_PX:
        recipe = replace(recipe, px_per_diameter=PAPER_PX[str(settings.network)])
    torch.set_num_threads(resolve_threads(settings.threads))
    device = resolve_device(settings.device)
    if settings.restart:
        remove_checkpoint(spool)
    reading = choose_reading(settings, labels, start, recipe, spool)
    chosen = choose_micrographs(
        micrographs, labels, everything=settings.all_micrographs, seed=settings.seed
    )
    gathered = gather(chosen, labels, reading, reporter, device)
    split = hold_out(gathered.images, settings.seed, recipe.guard * recipe.px_per_diameter)
    expected, given = expected_at_first(settings, split.images, recipe, len(micrographs))
    spec = choose_network(settings, start, recipe)
    course = Course(
        make_trainer(split.images, spec, start, settings, recipe, expected, device),
        split.images,
        recipe,
        expected=expected,
        estimate=not given,
        spool=spool,
        key=resume_key(settings, recipe, start, labels, chosen, gathered),
    )
    course.run(reporter)
    setting = Setting(settings, start, spec, reading, gathered, split, given)
    model, summary = finish(course, setting)
    shutil.rmtree(reading.folder, ignore_errors=True)
    summary["wall_s"] = time.monotonic() - wall
    summary["cpu_s"] = time.process_time() - cpu
    return TrainingResult(model, course.curve(), summary)
