"""How ``general``, the default start of every training, was made.

A corpus of simulated micrographs, each with a protein, optics, noise and junk of its own,
and supervised training on it: every output of the network is on a particle or it is not.
The same call gives the same weights on one kind of CPU with as many threads, and goes on
where a stopped one ended.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from frostpick.citations import BEPLER
from frostpick.models.card import ModelCard, NetworkSpec
from frostpick.models.networks.dense import DenseNetwork
from frostpick.models.picking_model import PickingModel
from frostpick.picking.calibration import calibrated
from frostpick.picking.calibration_fit import fit_calibration
from frostpick.picking.threshold import choose_threshold
from frostpick.pretraining.picker.corpus_files import VERSION, CorpusImage, CorpusSpec, make_corpus
from frostpick.pretraining.picker.tiles import SupervisedTiles
from frostpick.pretraining.picker.trainer import SupervisedTrainer
from frostpick.runtime.checkpoint import training_key
from frostpick.runtime.executors.processes import ProcessExecutor
from frostpick.runtime.loop import Saving, run_training
from frostpick.runtime.memory import keep_freed_memory
from frostpick.runtime.reporter import Reporter
from frostpick.runtime.threads import resolve_threads
from frostpick.sampling import Sampling
from frostpick.training.examples import TrainingImage
from frostpick.training.measure import Found, average_precision, found_in, joined, peaks_in
from frostpick.training.picker.augment import Augmentation
from frostpick.training.picker.ema import Schedule
from frostpick.training.picker.setup import initial_network
from frostpick.training.tiles import TileGeometry

log = logging.getLogger(__name__)

#: Fraction of the outputs on particles before anything is learned.
FIRST_PRIOR = 0.02
#: Lowest logit of a pick while measuring.
FLOOR = -8.0


@dataclass(frozen=True)
class PickerRecipe:
    """Numbers of the pretraining; the shipped model has the defaults.

    Parameters
    ----------
    seed
        Of the corpus and of everything else random.
    micrographs, held_out
        Size of the corpus; the last ``held_out`` are measured and calibrated on only.
    steps, measure_every
        Optimiser steps, and after how many the held-out micrographs are picked.
    tiles, outputs
        Tiles a step, and output locations along a side of a tile.
    on_particle, on_decoy
        Fractions of the tiles near particles and near decoys.
    label_radius
        Radius of a particle's disc in diameters.
    jitter
        Standard deviation of the natural logarithm of the stated diameter over the true one.
    looks
        Whether part of the micrographs is denoised, filtered, binned, stored in 8 bits.
    without
        Shapes of `frostpick.simulate.proteins.specimen.SHAPES` that no particle of the corpus has:
        to measure what is found of shapes that were never seen.
    """

    seed: int = 2026
    micrographs: int = 32000
    held_out: int = 160
    steps: int = 120000
    measure_every: int = 20000
    tiles: int = 6
    outputs: int = 33
    on_particle: float = 0.35
    on_decoy: float = 0.25
    network: str = "dilated"
    arguments: Mapping[str, int | float | str | bool] = field(
        default_factory=lambda: {"dilations": "1,1,1,2"}
    )
    rate: float = 3e-3
    warm_up: float = 0.1
    weight_decay: float = 0.01
    average: float = 0.999
    label_radius: float = 0.19
    px_per_diameter: float = 32.0
    min_distance: float = 0.5
    jitter: float = 0.13
    looks: bool = True
    without: tuple[str, ...] = ()
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(contrast=0.1, level=0.1, noise=0.2, blur=0.5)
    )

    @property
    def corpus(self) -> CorpusSpec:
        """What the micrographs are made with."""
        return CorpusSpec(self.seed, self.px_per_diameter, self.jitter, self.looks, self.without)


@dataclass(frozen=True)
class Pretrained:
    """A pretrained model and how it came about."""

    model: PickingModel
    curve: list[dict[str, float]]
    summary: dict[str, Any]


def pretrain_picker(
    recipe: PickerRecipe,
    *,
    spool: Path,
    reporter: Reporter,
    threads: int = 0,
    device: torch.device | None = None,
) -> Pretrained:
    """Pretrain a picking model on simulated micrographs.

    Parameters
    ----------
    spool
        Folder for the corpus and the state of an unfinished run.
    threads
        CPU threads of the training, and processes that simulate; 0 means all.

    Raises
    ------
    ConfigError
        A run with another recipe is unfinished in ``spool``.
    JobStopped
        Asked to stop; the same call goes on.
    """
    wall, cpu = time.monotonic(), time.process_time()
    device = device or torch.device("cpu")
    threads = resolve_threads(threads)
    torch.set_num_threads(threads)
    keep_freed_memory()
    processes = ProcessExecutor([torch.device("cpu")] * threads, threads, told=False)
    corpus = make_corpus(
        spool / corpus_name(recipe), recipe.corpus, recipe.micrographs, processes, reporter
    )
    torch.set_num_threads(threads)  # a single micrograph may have been made in this process
    apart = min(recipe.held_out, len(corpus) // 4)
    kept, held_out = corpus[:-apart], corpus[-apart:]
    trainer = _trainer(recipe, kept, device)
    run = _Run(trainer, recipe, held_out)
    key = {"format": 1, "task": "pretrain", "corpus": VERSION, "recipe": asdict(recipe)}
    run_training(
        run,
        reporter,
        Saving(spool, training_key(key)),
        steps=recipe.steps,
        stage="pretraining",
        measure=run.measure,
        measure_every=recipe.measure_every,
    )
    network, found = trainer.copy_of_average(), run.found
    if found is None:  # a finished training that was stopped before its model was written
        found = _find(recipe, network, held_out, device)
    model = _model(recipe, network, found, len(corpus))
    summary = {"wall_s": time.monotonic() - wall, "cpu_s": time.process_time() - cpu}
    return Pretrained(model, run.curve, summary)


def corpus_name(recipe: PickerRecipe) -> str:
    """Return the name of the corpus' folder; other corpora lie in other ones."""
    told = training_key({"corpus": asdict(recipe.corpus), "version": VERSION})
    return f"corpus-{recipe.seed}-{told[:8]}"


def _trainer(
    recipe: PickerRecipe, images: Sequence[CorpusImage], device: torch.device
) -> SupervisedTrainer:
    spec = NetworkSpec(name=recipe.network, arguments=dict(recipe.arguments))
    network = initial_network(spec, None, recipe.seed, FIRST_PRIOR)
    geometry = TileGeometry.of(
        network, recipe.outputs, recipe.label_radius * recipe.px_per_diameter, 0.0
    )
    tiles = SupervisedTiles(
        images,
        geometry,
        tiles=recipe.tiles,
        on_particle=recipe.on_particle,
        on_decoy=recipe.on_decoy,
        seed=recipe.seed,
    )
    schedule = Schedule(
        recipe.steps, recipe.rate, recipe.warm_up, recipe.weight_decay, recipe.average
    )
    return SupervisedTrainer(network, tiles, schedule, recipe.augmentation, device)


class _Run:
    """The trainer, its losses, and what was found at the last measurement, unless before a stop."""

    def __init__(
        self, trainer: SupervisedTrainer, recipe: PickerRecipe, held_out: Sequence[CorpusImage]
    ) -> None:
        self.trainer, self.recipe, self.held_out = trainer, recipe, held_out
        self.device = trainer.device
        self.curve: list[dict[str, float]] = []
        self.found: Found | None = None
        self._losses: list[float] = []

    @property
    def done(self) -> int:
        """Steps that are taken."""
        return self.trainer.done

    def step(self) -> dict[str, float]:
        """Take the next step; return its loss."""
        self._losses.append(self.trainer.step())
        return {"loss": self._losses[-1]}

    def measure(self) -> None:
        """Pick the held-out micrographs."""
        network = self.trainer.copy_of_average()
        self.found = _find(self.recipe, network, self.held_out, self.device)
        row = {
            "step": float(self.done),
            "loss": float(np.mean(self._losses)),
            "held_out_ap": average_precision(self.found),
        }
        self.curve.append(row)
        self._losses = []
        log.info("step %d: loss %.4f, held-out AP %.3f", self.done, *list(row.values())[1:])

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return the trainer's tensors, and the progress."""
        progress = {"done": self.done, "curve": self.curve, "losses": self._losses}
        return self.trainer.state(), progress

    def restore(self, tensors: Mapping[str, torch.Tensor], progress: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.curve, self._losses = progress["curve"], progress["losses"]
        self.trainer.restore(tensors, int(progress["done"]))


def _find(
    recipe: PickerRecipe,
    network: DenseNetwork,
    images: Sequence[CorpusImage],
    device: torch.device,
) -> Found:
    found = []
    for number, image in enumerate(images):
        one = TrainingImage(
            str(number),
            image.whole(),
            Sampling.identity(image.shape, 1.0),
            image.particles_yx,
            image.decoys_yx,
        )
        peaks = peaks_in(
            network,
            one,
            px_per_diameter=recipe.px_per_diameter,
            min_distance=recipe.min_distance,
            floor=FLOOR,
            device=device,
        )
        found.append(found_in(peaks, one, one.whole, recipe.px_per_diameter))
    return joined(found)


def _model(
    recipe: PickerRecipe,
    network: DenseNetwork,
    found: Found,
    micrographs: int,
) -> PickingModel:
    """Calibrate by what was found on the held-out micrographs, where every particle is known."""
    calibration = fit_calibration(
        found.logit, found.matched, 1.0, fitted_on="held-out simulated micrographs"
    )
    card = ModelCard(
        network=NetworkSpec(name=recipe.network, arguments=dict(recipe.arguments)),
        px_per_diameter=recipe.px_per_diameter,
        calibration=calibration,
        threshold=choose_threshold(calibrated(found.logit, calibration), "auto"),
        min_distance=recipe.min_distance,
        trained_on={
            "task": "pretrain",
            "data": "simulated micrographs of made-up proteins and of assemblies of real chains",
            "corpus_seed": recipe.seed,
            "micrographs": micrographs,
            "steps": recipe.steps,
            "held_out_ap": round(average_precision(found), 4),
        },
        citation=BEPLER,
    )
    return PickingModel(card, network.cpu())
