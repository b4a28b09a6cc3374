"""One step of cryoMAE's few-shot training, and what tells when to stop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import normalize

from frostpick.models.cryomae.autoencoder import (
    MaskedAutoencoder,
    random_masks,
    reconstruction_loss,
)
from frostpick.models.cryomae.geometry import PX_PER_DIAMETER, WINDOW, grid
from frostpick.models.cryomae.pooling import RingPooling
from frostpick.runtime.checkpoint import (
    as_saved,
    optimiser_state,
    part_of,
    restore_optimiser,
)
from frostpick.runtime.precision import native_precision
from frostpick.training.cryomae.exemplars import (
    STILL,
    Windows,
    all_places,
    random_corners,
    random_places,
    windows,
)
from frostpick.training.cryomae.recipe import FewshotRecipe
from frostpick.training.cryomae.similarity import similarity_loss
from frostpick.training.examples import TrainingImage

#: Salts of the random streams.
STEP, STANDARD, KEPT_ASIDE = 301, 302, 303
#: Unlabelled windows that fix the standard of the descriptors, and those kept aside.
STANDARDS, ASIDE = 192, 64
#: Windows encoded at once without gradients.
BATCH = 64
#: Share of the unlabelled windows that may lie above the background's upper limit: about as
#: many as hold particles.
LIKE_PARTICLES = 0.02


@dataclass(frozen=True)
class Measurement:
    """Reconstruction error and cosine margin on windows that do not train.

    The margin is the mean, over exemplars, of the largest cosine to another exemplar, less
    the cosine to an exemplar that 2 % of unlabelled windows exceed.
    """

    reconstruction: float
    margin: float


class FewshotTrainer:
    """Trains the second half of an encoder; after step k its state depends on k alone.

    Parameters
    ----------
    network
        Changed in place; first half of the encoder frozen.
    images
        Working images with exemplars, and others.
    prior
        Chance that an unlabelled window shows a particle.
    """

    def __init__(
        self,
        network: MaskedAutoencoder,
        images: Sequence[TrainingImage],
        recipe: FewshotRecipe,
        prior: float,
        seed: int,
        device: torch.device,
    ) -> None:
        self.network = network.to(device)
        self.images, self.recipe, self.seed, self.device = images, recipe, seed, device
        self.prior = prior if recipe.adjusted else 0.0
        self.exemplars = all_places(images)
        self.away = recipe.away * PX_PER_DIAMETER
        self.pooling = RingPooling().to(device)
        self.autocast = native_precision(device) == "bfloat16"
        freeze_first_half(network)
        self.trained = {n: p for n, p in network.named_parameters() if p.requires_grad}
        self.optimiser = torch.optim.AdamW(
            self.trained.values(),
            lr=recipe.rate,
            weight_decay=recipe.weight_decay,
            foreach=False,
        )
        self.done = 0
        self.centre, self.spread = self.standard()
        rng = np.random.default_rng((seed, KEPT_ASIDE))
        self.aside = self._unlabelled(ASIDE, rng)
        self.aside_kept = random_masks(ASIDE, recipe.masked, _generator(rng))

    def step(self) -> tuple[float, float]:
        """Take the next step; return its reconstruction and similarity losses."""
        recipe = self.recipe
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate * 0.5 * (1 + math.cos(math.pi * self.done / recipe.steps))
        rng = np.random.default_rng((self.seed, STEP, self.done))
        positive = self._positive(rng)
        other = self._unlabelled(recipe.unlabelled * len(positive.crops), rng)
        crops = torch.cat([positive.crops, other.crops])
        centres = torch.cat([positive.centres, other.centres])
        generator = _generator(rng)
        self.network.train()
        kept = random_masks(len(crops), recipe.masked, generator).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            _, patches = self.network(crops, kept)
        reconstruction = reconstruction_loss(patches, crops, kept)
        similarity = reconstruction.new_zeros(())
        if recipe.beta > 0:
            descriptors = self._descriptors(crops, centres, generator)
            m = len(positive.crops)
            similarity = similarity_loss(
                descriptors[:m], descriptors[m:], self.prior, alpha=recipe.alpha, tau=recipe.tau
            )
        self.optimiser.zero_grad(set_to_none=True)
        (reconstruction + recipe.beta * similarity).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.trained.values(), 5.0)
        self.optimiser.step()
        self.done += 1
        return float(reconstruction.detach()), float(similarity.detach())

    def measure(self) -> Measurement:
        """Measure on the windows kept aside; changes nothing."""
        self.network.eval()
        errors = []
        with torch.inference_mode():
            for part in range(0, ASIDE, BATCH):
                kept = self.aside_kept[part : part + BATCH].to(self.device)
                crops = self.aside.crops[part : part + BATCH]
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
                    _, patches = self.network(crops, kept)
                errors.append(float(reconstruction_loss(patches, crops, kept)))
        own = self.exemplar_descriptors()
        background = self.embed(self.aside) @ own.flatten(0, 1).T
        return Measurement(float(np.mean(errors)), _margin(own, background.amax(1)))

    def exemplar_descriptors(self) -> torch.Tensor:
        """Return ``(exemplars, 4, size)`` unit descriptors, by quarter turns."""
        count = len(self.exemplars)
        places = [place for place in self.exemplars for _ in range(4)]
        shown = windows(self.images, places, [0, 1, 2, 3] * count, [STILL] * len(places))
        return self.embed(shown.to(self.device)).view(count, 4, -1)

    def embed(self, shown: Windows) -> torch.Tensor:
        """Return unit descriptors ``(b, size)`` without gradients."""
        with torch.inference_mode():
            pooled = torch.cat(
                [
                    self._pooled(
                        shown.crops[k : k + BATCH], shown.centres[k : k + BATCH], None
                    ).float()
                    for k in range(0, len(shown.crops), BATCH)
                ]
            )
            return normalize((pooled - self.centre) / self.spread, dim=-1)

    def _descriptors(
        self, crops: torch.Tensor, centres: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        kept = None
        if self.recipe.masked_similarity > 0:
            kept = random_masks(len(crops), self.recipe.masked_similarity, generator)
            kept = kept.to(self.device)
        pooled = self._pooled(crops, centres, kept).float()
        return normalize((pooled - self.centre) / self.spread, dim=-1)

    def _pooled(
        self, crops: torch.Tensor, centres: torch.Tensor, kept: torch.Tensor | None
    ) -> torch.Tensor:
        at = grid().to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            tokens = self.network.encoder(crops, kept)
        pooled: torch.Tensor = self.pooling(
            tokens.float(), centres, at if kept is None else at[kept]
        )
        return pooled

    def standard(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and deviation of the ring means of unlabelled windows, as they are now.

        Every place of a window whose rings fit in counts; the windows are always the same.
        """
        rng = np.random.default_rng((self.seed, STANDARD))
        crops = self._unlabelled(STANDARDS, rng).crops
        parts = []
        with torch.inference_mode():
            for k in range(0, STANDARDS, BATCH):
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
                    tokens = self.network.encoder(crops[k : k + BATCH])
                square = tokens.view(len(tokens), WINDOW, WINDOW, -1).float()
                parts.append(self.pooling.dense(square).flatten(0, 2))
        deviation, mean = torch.std_mean(torch.cat(parts), dim=0)
        return mean.clone(), (deviation + 1e-3 * deviation.mean() + 1e-6).clone()

    def _positive(self, rng: np.random.Generator) -> Windows:
        rounds = math.ceil(self.recipe.positives / len(self.exemplars))
        order = np.concatenate([rng.permutation(len(self.exemplars)) for _ in range(rounds)])
        chosen = [self.exemplars[k] for k in order[: self.recipe.positives]]
        return self._shown(chosen, rng)

    def _unlabelled(self, count: int, rng: np.random.Generator) -> Windows:
        return self._shown(random_places(self.images, count, self.away, rng), rng)

    def _shown(
        self, places: Sequence[tuple[int, float, float]], rng: np.random.Generator
    ) -> Windows:
        turns = rng.integers(8 if self.recipe.mirror else 4, size=len(places)).tolist()
        corners = random_corners(len(places), rng)
        return windows(self.images, places, turns, corners).to(self.device)

    def state(self) -> dict[str, torch.Tensor]:
        """Return every tensor the next step depends on."""
        tensors = as_saved(self.trained, "network.")
        return tensors | optimiser_state(self.optimiser)

    def restore(self, state: Mapping[str, torch.Tensor], done: int) -> None:
        """Continue after ``done`` steps from what `state` returned then."""
        with torch.no_grad():
            for name, value in part_of(state, "network.").items():
                self.trained[name].copy_(value)
        restore_optimiser(self.optimiser, state)
        self.done = done


def freeze_first_half(network: MaskedAutoencoder) -> None:
    """Let only the second half of the encoder's blocks, its last norm and the decoder learn."""
    network.requires_grad_(True)
    network.encoder.embedding.requires_grad_(False)
    for block in network.encoder.blocks[: len(network.encoder.blocks) // 2]:
        block.requires_grad_(False)


def leave_one_out(own: torch.Tensor) -> torch.Tensor:
    """Return each exemplar's largest cosine to any other one.

    Parameters
    ----------
    own
        ``(exemplars, turns, size)`` unit descriptors; the unturned one is compared. A
        single exemplar is compared with its own turns.
    """
    if len(own) == 1:
        return (own[0, :1] @ own[0, 1:].T).amax(1)
    cosines = torch.einsum("is,jts->ijt", own[:, 0], own).amax(-1)
    return cosines.masked_fill(torch.eye(len(own), dtype=torch.bool, device=own.device), -2).amax(1)


def _margin(own: torch.Tensor, background: torch.Tensor) -> float:
    limit = torch.quantile(background.float(), 1 - LIKE_PARTICLES)
    return float(leave_one_out(own).mean() - limit)


def _generator(rng: np.random.Generator) -> torch.Generator:
    return torch.Generator().manual_seed(int(rng.integers(2**63)))
