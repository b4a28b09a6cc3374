"""How the denoisers of the corpus are made: noise-to-noise on simulated pairs.

    python -m frostpick.pretraining.picker.train_denoiser FOLDER

The two halves of a pair share everything but the counting noise, so what a network can
foretell of one from the other is the scene (Lehtinen et al. 2018). Two are made: ``fine``
looks at the pixels themselves, ``broad`` at their 2 x 2 means. Each takes a few minutes of
one core; the same call gives the same weights on one kind of CPU, and goes on where a
stopped one ended.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from frostpick.pretraining.picker.denoiser import CLIP, Denoiser, UNet, load_denoiser, standardise
from frostpick.runtime.checkpoint import (
    as_saved,
    optimiser_state,
    part_of,
    restore_optimiser,
    training_key,
)
from frostpick.runtime.loop import Saving, run_training
from frostpick.runtime.memory import keep_freed_memory
from frostpick.runtime.precision import native_precision
from frostpick.runtime.reporter import Reporter, SilentReporter
from frostpick.simulate.corpus import corpus_pair
from frostpick.training.picker.ema import Schedule

log = logging.getLogger(__name__)

#: Salts of the random streams of the pieces and of the steps.
PIECES, STEP = 621, 622
#: Steps at the end of which the mean loss is told.
TELL_EVERY = 200


@dataclass(frozen=True)
class DenoiserRecipe:
    """Numbers of a denoiser's training.

    Parameters
    ----------
    name
        Of its file.
    step
        Pixels of the micrograph a pixel that it looks at, 1 or 2.
    seed
        Of the corpus (another one than the picker's), the weights and the tiles.
    pairs, pieces, piece
        Simulated micrographs, pieces kept of each, and their side in its pixels.
    steps, tiles, tile
        Optimiser steps, tiles a step, and their side in the pixels looked at.
    """

    name: str
    step: int
    seed: int = 5210
    pairs: int = 240
    pieces: int = 4
    piece: int = 256
    steps: int = 3000
    tiles: int = 8
    tile: int = 96
    channels: int = 12
    rate: float = 4e-3
    average: float = 0.99


#: The two that the corpus uses.
RECIPES = (DenoiserRecipe("fine", 1), DenoiserRecipe("broad", 2))


def make_denoisers(
    folder: Path,
    reporter: Reporter,
    recipes: Sequence[DenoiserRecipe] = RECIPES,
) -> list[Denoiser]:
    """Return the denoisers; those in ``folder`` are not trained again.

    Raises
    ------
    ConfigError
        One in ``folder`` is damaged or of another recipe.
    JobStopped
        Asked to stop; a finished denoiser stays, the same call goes on with an unfinished one.
    """
    return [_make(folder, recipe, reporter) for recipe in recipes]


def open_denoisers(folder: Path) -> list[Denoiser]:
    """Read what `make_denoisers` made: for the processes that simulate."""
    return [load_denoiser(folder / f"{r.name}.safetensors", _key(r)) for r in RECIPES]


def _key(recipe: DenoiserRecipe) -> str:
    return training_key({"format": 1, "task": "denoiser", "recipe": asdict(recipe)})


def _make(folder: Path, recipe: DenoiserRecipe, reporter: Reporter) -> Denoiser:
    path = folder / f"{recipe.name}.safetensors"
    if path.exists():
        return load_denoiser(path, _key(recipe))
    began = time.process_time()
    key = _key(recipe)
    # a state of another recipe is not in the way
    spool = folder / f"{recipe.name}-{key[:8]}"
    run = _Run(recipe, training_pieces(recipe, reporter), began)
    run_training(
        run,
        reporter,
        Saving(spool, key),
        steps=recipe.steps,
        stage=f"training denoiser {recipe.name}",
        measure=run.measure,
        measure_every=TELL_EVERY,
    )
    cpu = run.cpu_s()
    log.info("denoiser %s: last loss %.4f, %.0f CPU s", recipe.name, run.losses[-1], cpu)
    run.network.load_state_dict(run.average)
    denoiser = Denoiser(run.network, recipe.step)
    told = {"losses": [round(v, 5) for v in run.losses], "cpu_s": round(cpu, 1)}
    denoiser.save(path, key, told)
    shutil.rmtree(spool, ignore_errors=True)
    return denoiser


def training_pieces(recipe: DenoiserRecipe, reporter: Reporter) -> torch.Tensor:
    """Return pieces of standardised pairs, ``(n, 2, side, side)`` float16.

    The side is that of ``piece`` in the pixels looked at. The second of a pair is in the
    deviations of the first, less the level of the first: what the network has to foretell.
    """
    rng = np.random.default_rng((recipe.seed, PIECES))
    side = recipe.piece // recipe.step
    kept = torch.empty((recipe.pairs * recipe.pieces, 2, side, side), dtype=torch.float16)
    reporter.stage(f"simulating pairs for denoiser {recipe.name}", recipe.pairs)
    for index in range(recipe.pairs):
        reporter.check()
        both = torch.stack([torch.from_numpy(m.image) for m in corpus_pair(recipe.seed, index)])
        if recipe.step > 1:
            both = F.avg_pool2d(both[:, None], recipe.step)[:, 0]
        standard = standardise(both[0])
        both = ((both - standard.level) / standard.deviation).clamp_(-60000, 60000)
        for k in range(recipe.pieces):
            y, x = (int(rng.integers(n - side + 1)) for n in both.shape[1:])
            kept[index * recipe.pieces + k] = both[:, y : y + side, x : x + side]
        reporter.advance()
    return kept


class _Run:
    """The network, its running average, and one step.

    The loss is the squared difference from the other half, cut at the deviations that the
    network sees at most: one crystal must not weigh more than all particles.

    Parameters
    ----------
    pairs
        See `training_pieces`.
    began
        CPU seconds of the process when the work began.
    """

    def __init__(self, recipe: DenoiserRecipe, pairs: torch.Tensor, began: float) -> None:
        keep_freed_memory()
        torch.manual_seed(recipe.seed)  # only the initial weights are drawn from it
        network = UNet(recipe.channels).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network: UNet = network
        self.average = {k: v.detach().clone() for k, v in network.state_dict().items()}
        self.recipe, self.pairs, self.began = recipe, pairs, began
        self.device = torch.device("cpu")
        self.schedule = Schedule(recipe.steps, recipe.rate, 0.1)
        self.optimiser = torch.optim.Adam(network.parameters(), foreach=False)
        self.half = native_precision(self.device) == "bfloat16"
        self.done = 0
        self.losses: list[float] = []
        self._recent: list[float] = []

    def step(self) -> dict[str, float]:
        """Take the next step."""
        given, other = _tiles(self.recipe, self.pairs, self.done)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            said = self.network(given)
        loss = F.mse_loss(said.float(), other)
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.rate_at(self.done)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            decay = min(self.recipe.average, self.done / (self.done + 10.0))
            for name, value in self.network.state_dict().items():
                self.average[name].lerp_(value, 1.0 - decay)
        self.done += 1
        self._recent.append(float(loss.detach()))
        return {}

    def measure(self) -> None:
        """Keep the mean of the losses since the last time."""
        self.losses.append(float(np.mean(self._recent)))
        self._recent = []

    def cpu_s(self) -> float:
        """Return the CPU seconds since the work began, those before a stop included."""
        return time.process_time() - self.began

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return network, average and moments, and the progress."""
        tensors = as_saved(self.network.state_dict(), "network.")
        tensors |= as_saved(self.average, "average.") | optimiser_state(self.optimiser)
        progress = {"done": self.done, "losses": self.losses, "recent": self._recent}
        return tensors, {**progress, "cpu_s": self.cpu_s()}

    def restore(self, tensors: Mapping[str, torch.Tensor], progress: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.network.load_state_dict(part_of(tensors, "network."))
        for name, value in part_of(tensors, "average.").items():
            self.average[name].copy_(value)
        restore_optimiser(self.optimiser, tensors)
        self.done = int(progress["done"])
        self.losses, self._recent = list(progress["losses"]), list(progress["recent"])
        self.began -= float(progress["cpu_s"])


def _tiles(
    recipe: DenoiserRecipe, pairs: torch.Tensor, step: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what is given and what is asked for, ``(b, 1, tile, tile)`` float32."""
    rng = np.random.default_rng((recipe.seed, STEP, step))
    t = recipe.tile
    made = []
    for _ in range(recipe.tiles):
        both = pairs[int(rng.integers(len(pairs)))]
        y, x = (int(rng.integers(n - t + 1)) for n in both.shape[1:])
        both = torch.rot90(both[:, y : y + t, x : x + t].float(), int(rng.integers(4)), (1, 2))
        made.append(both.flip(2) if rng.integers(2) else both)
    batch = torch.stack(made)
    given, other = batch[:, :1], batch[:, 1:]
    if step % 2:  # the halves are alike
        given, other = other, given

    return (
        given.clamp(-CLIP, CLIP).contiguous(memory_format=torch.channels_last),
        other.clamp(-CLIP, CLIP),
    )


def main() -> None:
    """Make what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(options.threads)
    make_denoisers(options.folder, SilentReporter())


if __name__ == "__main__":
    main()
