"""Supervised training of a picking network, one step at a time."""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from frostpick.models.networks.dense import DenseNetwork
from frostpick.pretraining.picker.tiles import SupervisedTiles
from frostpick.training.picker.augment import Augmentation, augment
from frostpick.training.picker.ema import EmaTraining, Schedule

#: Salt of the random stream of a step's augmentation.
AUGMENT = 612


class SupervisedTrainer(EmaTraining):
    """Trains on tiles where every particle is known; step k depends on the inputs and k alone."""

    def __init__(
        self,
        network: DenseNetwork,
        tiles: SupervisedTiles,
        schedule: Schedule,
        augmentation: Augmentation,
        device: torch.device,
    ) -> None:
        super().__init__(network, schedule, device)
        self.tiles, self.augmentation = tiles, augmentation

    def step(self) -> float:
        """Take the next step; return its loss, the mean cross-entropy of an output."""
        batch = self.tiles.batch(self.done)
        generator = self.generator(self.tiles.seed, AUGMENT)
        tiles = augment(batch.tiles.to(self.device), self.augmentation, generator)
        logits = self.logits(tiles.contiguous(memory_format=torch.channels_last))
        weight = batch.weight.to(self.device)
        each = binary_cross_entropy_with_logits(
            logits, batch.target.to(self.device), reduction="none"
        )
        return self.descend((each * weight).sum() / weight.sum().clamp(min=1.0))
