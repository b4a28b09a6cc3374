"""What the tasks that train a picking model read alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from frostpick.errors import InputError, LabelError, option
from frostpick.models.picking_model import PickingModel
from frostpick.models.registry import PAPER_PX
from frostpick.runtime.run_record import RunRecord
from frostpick.settings import TrainSettings
from frostpick.training.few import (
    FROM_MODEL,
    FROM_NOTHING,
    check_number,
    count_particles,
    warn_of_few,
)
from frostpick.training.picker.setup import choose_diameter
from frostpick.training.picker.soft_labels import BY_HAND
from frostpick.types import Labels, Micrograph
from frostpick_jobs.job.host import Host
from frostpick_jobs.tasks.places import check_places

#: Judges labels where a training begins with no model.
JUDGE = "general"


def micrographs_to_train_on(host: Host) -> Sequence[Micrograph]:
    """Return a host's micrographs; `InputError` when there are none."""
    micrographs = host.micrographs()
    if not micrographs:
        raise InputError(f"no micrographs to train on; give some with {option('micrographs')}")
    return micrographs


def given_labels(host: Host, start: PickingModel | None) -> Mapping[str, Labels]:
    """Return a host's labels, none where it was given none and a start model needs none.

    Raises
    ------
    LabelError
        Labels are given, and none, one or two are on the micrographs of the job.
    """
    if start is not None and not host.inputs.get("labels"):
        return {}
    labels = host.labels()
    count = sum(len(one) for one in labels.values())
    if count == 0:
        raise LabelError(
            f"no label is on any of the micrographs; check {option('labels')} and its names"
        )
    particles = count_particles(labels)
    check_number(particles, needless=start is not None)
    warn_of_few(particles, FROM_NOTHING if start is None else FROM_MODEL)
    return labels


def compare_with_images(
    host: Host,
    record: RunRecord,
    micrographs: Sequence[Micrograph],
    labels: Mapping[str, Labels],
    settings: TrainSettings,
    start: PickingModel | None,
) -> None:
    """Warn where the labels do not fit the images (`frostpick_jobs.tasks.places`)."""
    diameter = choose_diameter(settings, labels, start)
    check_places(host, record, micrographs, labels, settings, diameter_A=diameter, what="labels")


def start_model(host: Host, settings: TrainSettings) -> PickingModel | None:
    """Return the model to start from; None for none."""
    return None if settings.start_model == "none" else host.models.picking(settings.start_model)


def own_diameter(start: PickingModel | None) -> float | None:
    """Return the diameter in Angstrom that the start model was trained for; None for none."""
    return None if start is None else start.card.diameter_A


def judging_model(
    host: Host,
    settings: TrainSettings,
    labels: Mapping[str, Labels],
    start: PickingModel | None,
) -> PickingModel | None:
    """Return the model that judges labels: the start, else the shipped one where it is needed."""
    if start is not None or settings.label_weights == "trust" or settings.network in PAPER_PX:
        return start
    return host.models.picking(JUDGE) if count_particles(labels) >= BY_HAND else None
