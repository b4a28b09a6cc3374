"""Part ``stages``: the simulated stage of a pruner trained anew, short, with parts left out."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from frostpick.models.pruner.model import Pruner, load_pruner
from frostpick.pretraining.pruner.pretrain import PretrainRecipe, pretrain_pruner
from frostpick.runtime.checkpoint import FILE as CHECKPOINT
from frostpick.runtime.reporter import SilentReporter
from frostpick.training.pruner.losses import LossWeights

#: Heads and losses by variant; the fit to labels after it keeps its own losses.
STAGES = {
    "as-shipped": (2, LossWeights()),
    "one-head": (1, LossWeights()),
    "cross-entropies": (2, LossWeights(agreement=0.0, binary=0.0)),
    "one-cross-entropy": (1, LossWeights(agreement=0.0, binary=0.0)),
}


def stage_recipe(variant: str, micrographs: int, steps: int, seed: int) -> PretrainRecipe:
    """Return the recipe of a variant, without a picker."""
    heads, losses = STAGES[variant]
    return PretrainRecipe(
        seed=seed, micrographs=micrographs, steps=steps, heads=heads, losses=losses, picker=""
    )


def stages(options: argparse.Namespace) -> Iterator[tuple[str, Pruner]]:
    """Give every variant with every seed; one that is there is not trained again.

    A seed is of the corpus, the first weights and the batches.
    """
    folder: Path = options.out / "stages"
    for seed in map(int, options.seeds.split(",")):
        for variant in options.stages.split(","):
            name = f"{variant}_{options.micrographs}_{options.steps}_{seed}"
            if not (folder / name).exists():
                recipe = stage_recipe(variant, options.micrographs, options.steps, seed)
                pretrain_pruner(folder, SilentReporter(), recipe).save(folder / name)
                # Its state is in the way of the next one; the boxes of the corpus are shared.
                (folder / CHECKPOINT).unlink(missing_ok=True)
            yield name, load_pruner(str(folder / name))
