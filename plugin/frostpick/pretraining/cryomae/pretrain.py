"""How the encoder of few-shot picking is pretrained: rebuild windows, and tell particles from ice.

Every step takes a few micrographs. Windows of each are rebuilt from the tokens that a mask
left over, cryoMAE's pretraining (Xu, Zhan and Xu 2024). Simulated micrographs also know where
their particles are: on them, each with a protein of its own, what the few-shot training will
ask for is rehearsed: that particles of one micrograph are like each other and unlike all else
on it (`frostpick.pretraining.cryomae.tiles`). The paper does without; ``rehearse=False`` is the
paper's.

After step k the state depends on recipe, sources and k alone; a stopped run goes on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from frostpick.models.card import ModelCard, NetworkSpec
from frostpick.models.cryomae.autoencoder import MASKED, MaskedAutoencoder, random_masks
from frostpick.models.cryomae.autoencoder import reconstruction_loss as rebuilt_loss
from frostpick.models.cryomae.geometry import PX_PER_DIAMETER
from frostpick.models.cryomae.model import KIND, NETWORK, AutoencoderModel
from frostpick.models.cryomae.pooling import RingPooling
from frostpick.pretraining.cryomae.tiles import Tiles, contrast_loss
from frostpick.pretraining.cryomae.windows import Shown, WindowSource
from frostpick.runtime.checkpoint import (
    as_saved,
    optimiser_state,
    part_of,
    restore_optimiser,
    training_key,
)
from frostpick.runtime.loop import Saving, run_training
from frostpick.runtime.precision import native_precision
from frostpick.runtime.reporter import Reporter

#: Steps between two rows of the curve.
ROW = 25
#: Salt of the random stream of a step.
STEP = 401


@dataclass(frozen=True)
class MaeRecipe:
    """Numbers of the pretraining; the card of the shipped encoder tells its own.

    Parameters
    ----------
    steps
        Optimiser steps.
    micrographs
        Micrographs a step, each seen once.
    windows, tiles
        Windows to rebuild and tiles to rehearse on, of each micrograph.
    rate, warm_up, weight_decay
        AdamW; one cosine after a linear warm-up over that share of the steps.
    masked
        Share of hidden tokens in the reconstruction.
    rehearse, weight, temperature
        Whether, and with which weight beside the reconstruction, the contrast is rehearsed, and
        the cosines' divisor in it.
    """

    preset: str = "tiny"
    seed: int = 2024
    steps: int = 500
    micrographs: int = 1
    windows: int = 6
    tiles: int = 5
    rate: float = 1e-3
    warm_up: float = 0.08
    weight_decay: float = 0.05
    masked: float = MASKED
    rehearse: bool = True
    weight: float = 1.0
    temperature: float = 0.1

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step."""
        peak = max(1.0, self.warm_up * self.steps)
        if step < peak:
            return self.rate * (step + 1) / peak
        done = (step - peak) / max(1.0, self.steps - peak)
        return self.rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


@dataclass(frozen=True)
class Pretrained:
    """A pretrained autoencoder and how it came about."""

    model: AutoencoderModel
    curve: list[dict[str, float]]
    summary: dict[str, Any]


def pretrain_mae(
    source: WindowSource,
    recipe: MaeRecipe,
    *,
    spool: Path,
    reporter: Reporter,
    device: torch.device | None = None,
) -> Pretrained:
    """Pretrain an autoencoder.

    Parameters
    ----------
    source
        Where windows come from: `SimulatedWindows` or `MicrographWindows`.
    spool
        Folder for the state of an unfinished run; the same call goes on from there.
    reporter
        Told of each step and asked to stop at each step.
    device
        The CPU when None.

    Raises
    ------
    ConfigError
        A run with another recipe or other sources is unfinished in ``spool``.
    DeviceError
        The GPU's memory is too small.
    """
    device = device or torch.device("cpu")
    wall, cpu = time.monotonic(), time.process_time()
    run = _Run(recipe, source, device)
    key = training_key(
        {"format": 2, "task": "pretrain-mae", "recipe": asdict(recipe), "source": source.key()}
    )
    run_training(
        run,
        reporter,
        Saving(spool, key),
        steps=recipe.steps,
        stage="pretraining",
        measure=run.measure,
        measure_every=ROW,
    )
    card = ModelCard(
        kind=KIND,
        network=NetworkSpec(name=NETWORK, arguments={"preset": recipe.preset}),
        px_per_diameter=PX_PER_DIAMETER,
        trained_on={
            "task": "pretrain --method mae",
            "source": source.name,
            "micrographs_seen": recipe.micrographs * recipe.steps,
            **asdict(recipe),
        },
        citation="Xu, Zhan and Xu, cryoMAE (2024); He et al., masked autoencoders (2022)",
    )
    network = run.network.cpu().eval().requires_grad_(False)
    summary = {"wall_s": time.monotonic() - wall, "cpu_s": time.process_time() - cpu}
    return Pretrained(AutoencoderModel(card, network), run.curve, summary)


class _Run:
    """The network, its optimiser, and one step."""

    def __init__(self, recipe: MaeRecipe, source: WindowSource, device: torch.device) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            network = MaskedAutoencoder(recipe.preset)
        self.recipe, self.source, self.device = recipe, source, device
        self.network = network.to(device).train()
        self.pooling = RingPooling().to(device)
        self.autocast = native_precision(device) == "bfloat16"
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=recipe.rate,
            betas=(0.9, 0.95),
            weight_decay=recipe.weight_decay,
            foreach=False,
        )
        self.done = 0
        self.curve: list[dict[str, float]] = []
        self._losses: list[tuple[float, float]] = []

    def step(self) -> dict[str, float]:
        """Take the next step; return reconstruction and contrast losses."""
        recipe = self.recipe
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate_at(self.done)
        rng = np.random.default_rng((recipe.seed, STEP, self.done))
        first = self.done * recipe.micrographs
        shown = [
            self.source.shown(
                first + k, recipe.windows, recipe.tiles if recipe.rehearse else 0, rng
            )
            for k in range(recipe.micrographs)
        ]
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        rebuilt, contrast = self._update(shown, generator)
        self.done += 1
        self._losses.append((rebuilt, contrast))
        return {"reconstruction": rebuilt, "contrast": contrast}

    def measure(self) -> None:
        """Add the mean losses since the last row to the curve."""
        rebuilt, contrast = np.mean(self._losses, axis=0)
        self._losses = []
        self.curve.append(
            {
                "step": self.done,
                "reconstruction": float(rebuilt),
                "contrast": float(contrast),
                "learning_rate": self.recipe.rate_at(self.done - 1),
            }
        )

    def _update(self, shown: Sequence[Shown], generator: torch.Generator) -> tuple[float, float]:
        recipe = self.recipe
        crops = torch.cat([one.crops for one in shown]).to(self.device)
        kept = random_masks(len(crops), recipe.masked, generator).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            _, patches = self.network(crops, kept)
        rebuilt = rebuilt_loss(patches, crops, kept)
        contrast = rebuilt.new_zeros(())
        tiles = [one.tiles for one in shown if one.tiles]
        if tiles:
            contrast = self._rehearsal(tiles)
        self.optimiser.zero_grad(set_to_none=True)
        (rebuilt + recipe.weight * contrast).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        return float(rebuilt.detach()), float(contrast.detach())

    def _rehearsal(self, tiles: Sequence[Tiles]) -> torch.Tensor:
        """Return the mean contrast loss over micrographs."""
        crops = torch.cat([one.crops for one in tiles]).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            tokens = self.network.encoder.tile(crops)
            pooled = self.pooling.dense(tokens).float()
        parts = torch.split(pooled, [len(one.crops) for one in tiles])
        losses = [
            contrast_loss(
                part.flatten(0, 2), one.shows.flatten().to(self.device), self.recipe.temperature
            )
            for one, part in zip(tiles, parts, strict=True)
        ]
        return torch.stack(losses).mean()

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return network and moments, and the progress."""
        tensors = as_saved(self.network.state_dict(), "network.") | optimiser_state(self.optimiser)
        return tensors, {"done": self.done, "curve": self.curve, "losses": self._losses}

    def restore(self, tensors: Mapping[str, torch.Tensor], progress: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.network.load_state_dict(part_of(tensors, "network."))
        restore_optimiser(self.optimiser, tensors)
        self.done = int(progress["done"])
        self.curve = list(progress["curve"])
        self._losses = [(a, b) for a, b in progress["losses"]]
