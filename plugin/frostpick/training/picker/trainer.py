"""One step of training on labels that are incomplete."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.models.networks.dense import DenseNetwork
from frostpick.training.picker.augment import Augmentation, augment
from frostpick.training.picker.distillation import Distillation
from frostpick.training.picker.ema import EmaTraining, Schedule
from frostpick.training.picker.objectives import OBJECTIVES, SAMPLED, SAMPLED_LOCATIONS, nnpu
from frostpick.training.tiles import Targets, TileSampler, turn_tiles

#: Salts of the random streams of one step, beside those of the tiles.
AUGMENT, LOCATIONS = 101, 102


class Trainer(EmaTraining):
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
        anchor: Distillation | None = None,
    ) -> None:
        super().__init__(network, schedule, device)
        self.sampler = sampler
        self.objective = objective
        self.prior = prior
        self.augmentation = augmentation
        self.anchor = anchor

    def step(self) -> float:
        """Take the next step; return its loss."""
        plans = self.sampler.plan(self.done)
        tiles = self._tiles(self.sampler.crops(plans), np.stack([p.turn for p in plans]))
        tiles = tiles.contiguous(memory_format=torch.channels_last)
        targets = self.sampler.targets(plans)
        self.network.train()
        logits = self.logits(tiles)
        loss = self._loss(logits, targets) if self.sampler.by_label else logits.new_zeros(())
        if self.anchor is not None:
            at = torch.from_numpy(targets.unlabelled & ~targets.positive).to(self.device)
            loss = self.anchor.loss(loss, logits, at, plans)
        return self.descend(loss)

    def _tiles(self, crops: NDArray[np.float32], turns: NDArray[np.float64]) -> torch.Tensor:
        turned = turn_tiles(
            torch.from_numpy(crops).to(self.device),
            torch.from_numpy(turns.astype(np.float32)).to(self.device),
            self.sampler.geometry.side,
        )
        generator = self.generator(self.sampler.seed, AUGMENT)
        return augment(turned, self.augmentation, generator)

    def _loss(self, logits: torch.Tensor, targets: Targets) -> torch.Tensor:
        positive = torch.from_numpy(targets.positive).to(self.device)
        unlabelled, prior = self._unlabelled(targets)
        at = torch.from_numpy(unlabelled).to(self.device)
        worth = None
        if targets.worth is not None:
            worth = torch.from_numpy(targets.worth).to(self.device)[positive]
        if self.objective == "nnpu":
            known = min(self.sampler.labelled_share, 0.99 * prior)
            loss = nnpu(logits[positive], logits[at], prior, known, worth=worth)
        else:
            loss = OBJECTIVES[self.objective](logits[positive], logits[at], prior, worth=worth)
        if targets.empty.any():
            empty = torch.from_numpy(targets.empty).to(self.device)
            # a known empty place weighs as much as a known particle
            loss = loss + self.prior * torch.nn.functional.softplus(logits[empty]).mean()
        return loss

    def _unlabelled(self, targets: Targets) -> tuple[NDArray[np.bool_], float]:
        """Return the unlabelled locations that the objective is taken over, and their prior."""
        at = targets.unlabelled & ~targets.positive
        if self.objective not in SAMPLED:
            return at, self.prior
        seen = targets.unlabelled.sum()
        labelled = float((targets.unlabelled & targets.positive).sum()) / max(1.0, float(seen))
        prior = max((self.prior - labelled) / (1.0 - labelled), 0.1 * self.prior)
        rng = np.random.default_rng((self.sampler.seed, LOCATIONS, self.done))
        flat = np.flatnonzero(at)
        chosen = rng.choice(flat, min(SAMPLED_LOCATIONS, len(flat)), replace=False)
        some = np.zeros(at.size, bool)
        some[chosen] = True
        return some.reshape(at.shape), prior
