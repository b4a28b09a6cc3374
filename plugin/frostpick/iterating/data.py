"""What all rounds of an iteration work with."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from frostpick.errors import ConfigError, InputError, option
from frostpick.iterating.validation_split import ValidationSplit, hold_out_labels
from frostpick.models.picking_model import PickingModel
from frostpick.settings import TrainSettings
from frostpick.training.read_images import BACKGROUND, choose_micrographs
from frostpick.types import Labels, Micrograph

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class IterationData:
    """Micrographs and labels, and which of them judge.

    Parameters
    ----------
    pool
        All micrographs that are looked at.
    train
        Those that train.
    labels
        The user's labels on the pool.
    own
        Those of them that train.
    validation
        The others.
    """

    pool: list[Micrograph]
    train: list[Micrograph]
    labels: dict[str, Labels]
    own: dict[str, Labels]
    validation: ValidationSplit


def choose_data(
    micrographs: Sequence[Micrograph],
    labels: Mapping[str, Labels],
    settings: TrainSettings,
    start: PickingModel | None,
) -> IterationData:
    """Choose micrographs as a training does, and hold labels out.

    Raises
    ------
    InputError
        No micrograph.
    ConfigError
        Neither a label nor a start model.
    """
    if not micrographs:
        raise InputError("no micrographs to train on")
    usable = {m.id: labels[m.id] for m in micrographs if m.id in labels and len(labels[m.id])}
    if not usable and start is None:
        raise ConfigError(
            f"rounds begin with labels or with a model; give {option('labels')} or "
            f"{option('start_model')}"
        )
    if usable:
        pool = choose_micrographs(
            micrographs, usable, everything=settings.all_micrographs, seed=settings.seed
        )
    else:
        most = len(micrographs) if settings.all_micrographs else BACKGROUND
        order = np.random.default_rng((settings.seed, 7)).permutation(len(micrographs))
        pool = [micrographs[i] for i in np.sort(order[:most])]
    own, train, validation = hold_out_labels(usable, pool, settings.seed)
    log.info("%s", validation.text)
    return IterationData(pool, train, usable, own, validation)
