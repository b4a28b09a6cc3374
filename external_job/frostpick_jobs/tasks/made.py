"""The model that a few-shot job made, kept: new micrographs are picked with it, not trained on."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from frostpick.errors import ModelError
from frostpick.fewshot import COURSE
from frostpick.models.cryomae.model import AutoencoderModel
from frostpick.models.licence import relicensed
from frostpick.models.picking_model import PickingModel
from frostpick.report.figure import Figure
from frostpick.runtime.atomic import write_text
from frostpick.runtime.checkpoint import training_key
from frostpick.settings import FewshotSettings
from frostpick.training.digests import labels_digest, micrographs_told, with_labels
from frostpick.types import Labels, Micrograph
from frostpick_jobs.tasks.chosen_pictures import as_rows, from_rows

log = logging.getLogger(__name__)

#: What is told of the model, beside the states of its training.
FILE = "made.json"


@dataclass(frozen=True)
class Made:
    """A model made from exemplars."""

    model: PickingModel
    curve: Sequence[Mapping[str, float]]
    summary: Mapping[str, Any]
    figures: Sequence[Figure]


def made_key(
    settings: FewshotSettings,
    start: PickingModel | AutoencoderModel | None,
    exemplars: Mapping[str, Labels],
    micrographs: Sequence[Micrograph],
) -> str:
    """Return the digest of what a model of exemplars is made for.

    That is the exemplars, their micrographs and the settings of the training; not the
    micrographs without exemplars, which only show what is no particle.
    """
    scale = {"diameter", "pixel_size", "contrast", "encoder_size", "picking_rule"}
    on = with_labels(exemplars)
    return training_key(
        {
            "format": 1,
            "settings": settings.for_key(only=scale | COURSE - {"encoder"}),
            "start": start.digest if start else None,
            "exemplars": labels_digest(on),
            "diameters": sorted({one.diameter_A or 0.0 for one in on.values()}),
            "micrographs": micrographs_told(m for m in micrographs if m.id in on),
        }
    )


def keep_made(spool: Path, folder: Path, key: str, made: Made) -> None:
    """Keep a model in ``folder`` and what is told of it in ``spool``, which is written last."""
    made.model.save(folder)
    told = {
        "key": key,
        "digest": made.model.digest,
        "curve": list(made.curve),
        "summary": dict(made.summary),
        "figures": as_rows(made.figures),
    }
    write_text(spool / FILE, json.dumps(told) + "\n")


def kept_made(spool: Path, folder: Path, key: str, own: str = "") -> Made | None:
    """Return what `keep_made` kept with the same key; None where that is not all there.

    Parameters
    ----------
    own
        The licence that the model has from now on; empty leaves what its card says.
    """
    try:
        told = json.loads((spool / FILE).read_text(encoding="utf-8"))
        if told["key"] != key:
            return None
        model = PickingModel.load(folder)
        if model.digest != told["digest"]:
            return None  # of the other method
        made = Made(model, told["curve"], told["summary"], from_rows(told["figures"]))
    except (OSError, ValueError, KeyError, TypeError, ModelError):
        return None
    log.info("picking with the model that this job made of the same exemplars before")
    if own and (model := relicensed(made.model, own)) is not made.model:
        made = replace(made, model=model)
        keep_made(spool, folder, key, made)
    return made
