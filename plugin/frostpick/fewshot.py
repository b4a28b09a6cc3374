"""Few-shot picking's two ways from exemplars to a model, and which of them is taken.

``cryomae`` compares every place with the exemplars (`frostpick.training.cryomae.train`);
``pu`` trains a picking network on them (`frostpick.training.picker.train`). The trainers do
not know each other; this module knows both.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from frostpick.errors import LabelError, Wording, option
from frostpick.models.picking_model import PickingModel
from frostpick.models.shipped import shipped_names
from frostpick.runtime.reporter import Reporter
from frostpick.settings import FewshotSettings, TrainSettings
from frostpick.settings.model_ref import ModelKind
from frostpick.training.few import (
    FEWEST,
    FROM_NOTHING,
    MEASURED,
    PU,
    count_particles,
    warn_of_few,
)
from frostpick.training.picker.train import TrainingResult, train_picker
from frostpick.types import Labels, Micrograph

log = logging.getLogger(__name__)

#: Settings that a model from exemplars depends on, beside the scale; the model to start from is
#: told by its digest as well.
COURSE = frozenset({"seed", "expected_per_micrograph", "steps", "encoder"})
#: The shipped network that ``pu`` starts from.
GENERAL = "general"

Method = Literal["cryomae", "pu"]


def check_count(exemplars: Mapping[str, Labels]) -> None:
    """Say how many exemplars there are; `LabelError` for fewer than three."""
    on = {name: int((one.sign > 0).sum()) for name, one in exemplars.items()}
    on = {name: count for name, count in on.items() if count}
    if not on:
        raise LabelError(
            f"no exemplar is on any of the micrographs; check {option('exemplars')} and its names"
        )
    count = sum(on.values())
    if count < FEWEST:
        raise LabelError(
            f"few-shot picking needs at least {FEWEST} exemplars, found {count}; mark about "
            f"{MEASURED} particles on one micrograph"
        )
    log.info("%d exemplars on %d micrographs", count, len(on))


def choose_method(settings: FewshotSettings, *, kind: Callable[[str], ModelKind]) -> Method:
    """Return the method as `method_in_force`, and say which."""
    method, why = method_in_force(settings, kind=kind)
    log.info("method: %s, %s", method, why)
    return method


def method_in_force(
    settings: FewshotSettings, *, kind: Callable[[str], ModelKind]
) -> tuple[Method, str]:
    """Return the method, and why it is that one.

    ``auto`` is the one that the model given is for: ``cryomae`` for an encoder, ``pu`` for a
    picking model. Without one it is ``pu`` where its network is shipped.

    Parameters
    ----------
    kind
        ``(text) -> encoder`` or ``picking``: what the model that a text names is for.

    Raises
    ------
    ModelError
        There is no such model, or it is for neither.
    """
    if settings.method != "auto":
        return settings.method, "as asked for"
    if settings.encoder not in ("", "none"):
        found: Method = "cryomae" if kind(settings.encoder) == "encoder" else "pu"
        return found, f"which the model {settings.encoder} is for"
    method: Method = "pu" if GENERAL in shipped_names() else "cryomae"
    return method, Wording(f"chosen by auto; {option('method')} names another")


def start_name(settings: FewshotSettings) -> str:
    """Return the name of the network that ``pu`` starts from; ``none`` for a new one."""
    return settings.encoder or (GENERAL if GENERAL in shipped_names() else "none")


def train_on_exemplars(
    micrographs: Sequence[Micrograph],
    exemplars: Mapping[str, Labels],
    settings: FewshotSettings,
    *,
    start: PickingModel | None,
    spool: Path,
    reporter: Reporter,
) -> TrainingResult:
    """Train a picking network on exemplars, method ``pu``; parameters as `train_picker`."""
    if start is None:
        log.warning("method pu begins from nothing; a model of many particles picks better")
    measured = FROM_NOTHING if start is None else PU
    warn_of_few(count_particles(exemplars), measured, "exemplars")
    alike = settings.model_dump(
        include={
            "device",
            "threads",
            "seed",
            "diameter",
            "pixel_size",
            "contrast",
            "expected_per_micrograph",
            "restart",
            "license",
        }
    )
    asked = TrainSettings(**alike, start_model=start_name(settings), steps=settings.steps)
    asked = asked.model_copy(update={"label_weights": "trust"})  # marked by hand
    given = settings.model_dump(mode="json", include={*alike, *COURSE} - settings.without_effect())
    return train_picker(
        micrographs,
        exemplars,
        asked,
        start=start,
        spool=spool,
        reporter=reporter,
        asked=given,
    )
