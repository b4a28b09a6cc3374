"""One training step, and the state that a resumed training starts from."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.models.dense import DenseNetwork
from frostpick.runtime.precision import native_precision
from frostpick.training.anchor import Anchor
from frostpick.training.augment import Augmentation, augment
from frostpick.training.checkpoint import (
    as_saved,
    optimiser_state,
    part_of,
    restore_optimiser,
)
from frostpick.training.objectives import OBJECTIVES, SAMPLED, SAMPLED_LOCATIONS
from frostpick.training.tiles import Targets, TileSampler, turn_tiles

#: Salts of the random streams of one step, beside those of the tiles.
AUGMENT, LOCATIONS = 101, 102


@dataclass(frozen=True)
class Schedule:
    """Length and speed of a training.

    Parameters
    ----------
    steps
        Optimiser steps.
    rate
        Highest learning rate, reached after ``warm_up`` of the steps (one cycle).
    warm_up
        Fraction of the steps with a rising rate.
    weight_decay
        AdamW's decoupled weight decay.
    average
        Decay of the running average of the weights that is evaluated and kept.
    """

    steps: int = 300
    rate: float = 3e-3
    warm_up: float = 0.25
    weight_decay: float = 0.01
    average: float = 0.98

    def rate_at(self, step: int) -> float:
        """Return the one-cycle rate of a step: cosine up from 1/25, cosine down to 1/1000."""
        peak = max(1.0, self.warm_up * self.steps)
        if step < peak:
            return self.rate * (1 / 25 + (1 - 1 / 25) * 0.5 * (1 - math.cos(math.pi * step / peak)))
        done = (step - peak) / max(1.0, self.steps - peak)
        return self.rate * (1e-3 + (1 - 1e-3) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


class Trainer:
    """Trains a network; after step k its state depends on the inputs and k alone."""

    def __init__(
        self,
        network: DenseNetwork,
        sampler: TileSampler,
        *,
        objective: str,
        prior: float,
        schedule: Schedule,
        augmentation: Augmentation,
        device: torch.device,
        anchor: Anchor | None = None,
    ) -> None:
        # a fifth faster on the CPU than channels first
        network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network: DenseNetwork = network.train().requires_grad_(True)
        self.sampler = sampler
        self.objective = objective
        self.prior = prior
        self.schedule = schedule
        self.augmentation = augmentation
        self.device = device
        self.anchor = anchor
        self.half = native_precision(device) == "bfloat16"
        self.done = 0
        self.optimiser = torch.optim.AdamW(
            network.parameters(),
            lr=schedule.rate,
            weight_decay=schedule.weight_decay,
            foreach=False,
        )
        self.average = {k: v.detach().clone() for k, v in network.state_dict().items()}

    def step(self) -> float:
        """Take the next step; return its loss."""
        rate = self.schedule.rate_at(self.done)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        plans = self.sampler.plan(self.done)
        tiles = self._tiles(self.sampler.crops(plans), np.stack([p.turn for p in plans]))
        tiles = tiles.contiguous(memory_format=torch.channels_last)
        targets = self.sampler.targets(plans)
        self.network.train()
        logits = self._logits(self.network, tiles)
        loss = self._loss(logits, targets)
        if self.anchor is not None:
            at = torch.from_numpy(targets.unlabelled & ~targets.positive).to(self.device)
            loss = self.anchor.loss(loss, tiles, logits, at)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.done += 1
        self._update_average()
        return float(loss.detach())

    def _logits(self, network: DenseNetwork, tiles: torch.Tensor) -> torch.Tensor:
        """Score in bfloat16 where the device has it natively; logits are float32."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            logits: torch.Tensor = network(tiles)[:, 0]
        return logits.float()

    def _tiles(self, crops: NDArray[np.float32], turns: NDArray[np.float64]) -> torch.Tensor:
        turned = turn_tiles(
            torch.from_numpy(crops).to(self.device),
            torch.from_numpy(turns.astype(np.float32)).to(self.device),
            self.sampler.geometry.side,
        )
        generator = torch.Generator().manual_seed(
            int(np.random.default_rng((self.sampler.seed, AUGMENT, self.done)).integers(2**63))
        )
        return augment(turned, self.augmentation, generator)

    def _loss(self, logits: torch.Tensor, targets: Targets) -> torch.Tensor:
        positive = torch.from_numpy(targets.positive).to(self.device)
        unlabelled, prior = self._unlabelled(targets)
        at = torch.from_numpy(unlabelled).to(self.device)
        loss = OBJECTIVES[self.objective](logits[positive], logits[at], prior)
        if targets.empty.any():
            empty = torch.from_numpy(targets.empty).to(self.device)
            # a known empty place weighs as much as a known particle
            loss = loss + self.prior * torch.nn.functional.softplus(logits[empty]).mean()
        return loss

    def _unlabelled(self, targets: Targets) -> tuple[NDArray[np.bool_], float]:
        """Return the unlabelled locations that the objective is taken over, and their prior."""
        if self.objective == "nnpu":  # its unlabelled are a draw from everything, labels included
            return targets.unlabelled, self.prior
        at = targets.unlabelled & ~targets.positive
        seen = targets.unlabelled.sum()
        labelled = float((targets.unlabelled & targets.positive).sum()) / max(1.0, float(seen))
        prior = max((self.prior - labelled) / (1.0 - labelled), 0.1 * self.prior)
        if self.objective not in SAMPLED:
            return at, self.prior
        rng = np.random.default_rng((self.sampler.seed, LOCATIONS, self.done))
        flat = np.flatnonzero(at)
        chosen = rng.choice(flat, min(SAMPLED_LOCATIONS, len(flat)), replace=False)
        some = np.zeros(at.size, bool)
        some[chosen] = True
        return some.reshape(at.shape), prior

    def _update_average(self) -> None:
        # a short memory at first: the average must forget the initial weights
        decay = min(self.schedule.average, self.done / (self.done + 10.0))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                kept = self.average[name]
                if value.is_floating_point():
                    kept.lerp_(value, 1.0 - decay)
                else:
                    kept.copy_(value)

    def copy_of_average(self) -> DenseNetwork:
        """Return a second network with the averaged weights."""
        network = copy.deepcopy(self.network)
        network.load_state_dict(self.average)
        return network

    def state(self) -> dict[str, torch.Tensor]:
        """Return every tensor the next step depends on."""
        tensors = as_saved(self.network.state_dict(), "network.")
        tensors |= as_saved(self.average, "average.")
        return tensors | optimiser_state(self.optimiser)

    def restore(self, state: Mapping[str, torch.Tensor], done: int) -> None:
        """Continue after ``done`` steps from what `state` returned then."""
        self.network.load_state_dict(part_of(state, "network."))
        for name, value in part_of(state, "average.").items():
            self.average[name].copy_(value)
        restore_optimiser(self.optimiser, state)
        self.done = done
