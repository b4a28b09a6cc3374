"""Judge labels once, before the rounds that learn from them and are compared by them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from frostpick.models.picking_model import PickingModel
from frostpick.runtime.device import resolve_device
from frostpick.runtime.reporter import Reporter
from frostpick.settings import TrainSettings
from frostpick.training.few import count_particles
from frostpick.training.picker.judged_labels import (
    JudgedLabels,
    judged_by,
    labels_judged,
)
from frostpick.training.picker.recipe import Recipe
from frostpick.training.picker.setup import choose_reading
from frostpick.training.read_images import read_training_images
from frostpick.types import Labels, Micrograph


def judge_first(
    micrographs: Sequence[Micrograph],
    labels: Mapping[str, Labels],
    settings: TrainSettings,
    judge: PickingModel | None,
    recipe: Recipe,
    spool: Path,
    reporter: Reporter,
    start: PickingModel | None,
) -> tuple[Mapping[str, Labels], JudgedLabels]:
    """Return the labels that teach, with what each is worth, and how they were judged.

    Useless ones are none where a start model needs none.

    Raises
    ------
    FrostpickError
        As `read_training_images`.
    """
    labelled = [m for m in micrographs if m.id in labels and len(labels[m.id])]
    own = {m.id: labels[m.id] for m in labelled}
    if settings.label_weights == "trust" or not count_particles(own) or judge is None:
        return labels, JudgedLabels([], {})
    folder = spool.parent / f"{spool.name}_judging"
    reading = choose_reading(settings, labels, start or judge, recipe, folder)
    device = resolve_device(settings.device)
    try:
        images = read_training_images(labelled, own, reading, reporter, device).images
        judged = judged_by(
            judge, images, reading, device, reporter, settings.seed, from_model=start is not None
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not judged.changed:
        return labels, judged
    return (labels_judged(labels, judged) if judged.left else {}), judged
