"""Supervised training of a picking network, one step at a time."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from frostpick.models.card import NetworkSpec
from frostpick.models.dense import DenseNetwork
from frostpick.models.networks import build_network
from frostpick.recipes.supervised_tiles import SupervisedTiles
from frostpick.runtime.precision import native_precision
from frostpick.training.augment import Augmentation, augment
from frostpick.training.checkpoint import (
    as_saved,
    optimiser_state,
    part_of,
    restore_optimiser,
)
from frostpick.training.trainer import Schedule

#: Salt of the random stream of a step's augmentation.
AUGMENT = 612
#: Fraction of the outputs on particles before anything is learned.
FIRST_PRIOR = 0.02


class SupervisedTrainer:
    """Trains on tiles where every particle is known; step k depends on the inputs and k alone.

    Where the device has it natively the layers compute in bfloat16; weights, logits and
    loss are float32.
    """

    def __init__(
        self,
        network: DenseNetwork,
        tiles: SupervisedTiles,
        schedule: Schedule,
        augmentation: Augmentation,
        device: torch.device,
    ) -> None:
        network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network: DenseNetwork = network.train()
        self.tiles, self.schedule, self.augmentation = tiles, schedule, augmentation
        self.device = device
        self.done = 0
        self.half = native_precision(device) == "bfloat16"
        self.optimiser = torch.optim.AdamW(
            network.parameters(),
            lr=schedule.rate,
            weight_decay=schedule.weight_decay,
            foreach=False,
        )
        self.average = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @staticmethod
    def new_network(spec: NetworkSpec, seed: int) -> DenseNetwork:
        """Return an untrained network that scores a small probability everywhere."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build_network(spec.name, spec.arguments)
        head = getattr(network, "head", None)
        if isinstance(head, torch.nn.Conv2d) and head.bias is not None:
            torch.nn.init.constant_(head.bias, math.log(FIRST_PRIOR / (1 - FIRST_PRIOR)))
        return network

    def step(self) -> float:
        """Take the next step; return its loss, the mean cross-entropy of an output."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.rate_at(self.done)
        batch = self.tiles.batch(self.done)
        generator = torch.Generator().manual_seed(
            int(np.random.default_rng((self.tiles.seed, AUGMENT, self.done)).integers(2**63))
        )
        tiles = augment(batch.tiles.to(self.device), self.augmentation, generator)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            logits = self.network(tiles.contiguous(memory_format=torch.channels_last))[:, 0]
        weight = batch.weight.to(self.device)
        each = binary_cross_entropy_with_logits(
            logits.float(), batch.target.to(self.device), reduction="none"
        )
        loss = (each * weight).sum() / weight.sum().clamp(min=1.0)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.done += 1
        self._update_average()
        return float(loss.detach())

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
        """Return a second network with the averaged weights, in evaluation mode."""
        network = copy.deepcopy(self.network)
        network.load_state_dict(self.average)
        return network.eval().requires_grad_(False)

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
