"""Picks and decoys of a set's micrographs at some cuts, beside what the truth says of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accuracy.sets import Split

from frostpick.images import read_image
from frostpick.models.picking_model import PickingModel
from frostpick.picking.inference import prepared_for_inference
from frostpick.picking.noise import NoiseEstimate, expected_noise
from frostpick.picking.null import NoiseSample
from frostpick.picking.pick import MicrographPicks, pick_image
from frostpick.picking.plan import plan_picking
from frostpick.settings import PickSettings
from null_picks.truth import lies_on

#: Probabilities at which picks are cut.
CUTS = (0.5, 0.27, 0.12)
Result = dict[str, Any]


def score_of(probability: float) -> float:
    """Return the log-odds of a probability."""
    return math.log(probability / (1 - probability))


def picked_twice(
    model: PickingModel, files: Sequence[Path], pixel_A: float, diameter_A: float
) -> Iterator[tuple[MicrographPicks, NoiseSample]]:
    """Yield the picks of micrographs, and what their inverted contrast tells of them."""
    names = frozenset(file.stem for file in files)
    plan = plan_picking(model, PickSettings(diameter=diameter_A, device="cpu", threads=1))
    plan = replace(plan, decoy_ids=names)
    model = prepared_for_inference(model, torch.device("cpu"), plan.precision)
    for file in files:
        image = read_image(file, file.stem).data
        found = pick_image(model, image, pixel_A, plan, file.stem)
        assert found.decoys is not None
        lengths = diameter_A / pixel_A, plan.min_distance_A / pixel_A
        yield found, NoiseSample.of(found.picks, found.decoys, found.shape, *lengths)


def against_truth(
    model: PickingModel, split: Split, pixel_A: float, diameter_A: float
) -> list[Result]:
    """Return a row a cut: picks by what they lie on, and how many the decoys say are noise."""
    files = [split.micrographs / f"{name}.mrc" for name in split.names]
    both = list(picked_twice(model, files, pixel_A, diameter_A))
    on = [lies_on(found.picks, split, diameter_A / pixel_A) for found, _ in both]
    rows = []
    for probability in CUTS:
        cut = score_of(probability)
        chosen = [found.picks.score >= cut for found, _ in both]
        counted = {
            kind: sum(
                int((getattr(one, kind) & at).sum()) for one, at in zip(on, chosen, strict=True)
            )
            for kind in ("particle", "junk", "background")
        }
        told = expected_noise([sample for _, sample in both], cut)
        rows.append({"p": probability, **counted, **figures(told)})
    return rows


def figures(told: NoiseEstimate) -> Result:
    """Return an estimate as JSON values."""
    return {name: None if value != value else value for name, value in vars(told).items()}
