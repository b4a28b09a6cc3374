"""The course of a training: steps, measurements, the class prior, and what is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from frostpick.models.networks.dense import DenseNetwork
from frostpick.picking.selector import Selector
from frostpick.runtime.checkpoint import as_saved, part_of
from frostpick.runtime.evenly_spread import evenly_spread
from frostpick.runtime.loop import Saving, run_training
from frostpick.runtime.reporter import Reporter
from frostpick.training.examples import Region, TrainingImage
from frostpick.training.measure import (
    COUNTED,
    Found,
    Look,
    average_precision,
    found_in,
    joined,
    looking,
    recall_among,
)
from frostpick.training.picker.recipe import Recipe
from frostpick.training.picker.trainer import Trainer
from frostpick.training.picker.why_kept import why_kept
from frostpick.training.prior import class_prior, mean_area, packing_limit, particles_per_image

#: Seconds between two saved states; a kill loses no more.
SAVE_EVERY_S = 5.0
#: Fractions of the course after which an unknown number of particles is estimated anew.
COUNT_AT = (0.3, 0.5, 0.7)
#: Fraction of the course after which an epoch may be the one that is kept.
KEEP_FROM = 0.6
#: A later epoch is kept unless it is this much worse, relatively, than the best before:
#: a few dozen held-out labels tell overfitting, not one good epoch from the next.
LATER = 0.05


@dataclass
class Progress:
    """What a course has come to besides tensors: plain JSON values."""

    done: int
    expected: float
    curve: list[dict[str, float]]
    chosen_step: int = 0
    chosen_metric: float = 0.0


class TrainingLoop:
    """One training from its first step to its last, or from where it was killed.

    Parameters
    ----------
    trainer
        Ready for step 0.
    images
        All images, with their held-out parts.
    recipe
        The numbers.
    expected
        Particles a micrograph: the user's, or a first guess.
    estimate
        Whether to replace the guess by estimates on the way.
    spool, key
        Where the state is kept, and what it depends on.
    """

    def __init__(
        self,
        trainer: Trainer,
        images: Sequence[TrainingImage],
        recipe: Recipe,
        *,
        expected: float,
        estimate: bool,
        spool: Path,
        key: str,
    ) -> None:
        self.trainer = trainer
        self.images = images
        self.recipe = recipe
        self.estimate = estimate
        self.spool = spool
        self.key = key
        self.steps = trainer.schedule.steps
        self.progress = Progress(0, expected, [])
        self.best: dict[str, torch.Tensor] = {}
        self._losses: list[float] = []
        self._set_prior()

    @property
    def measured(self) -> bool:
        """Whether anything is held out."""
        return any(image.held_out is not None for image in self.images)

    def run(self, reporter: Reporter) -> None:
        """Take all steps that are left; `JobStopped` leaves a state to go on from."""
        run_training(
            self,
            reporter,
            Saving(self.spool, self.key, seconds=SAVE_EVERY_S),
            steps=self.steps,
            stage="training",
            measure=self._measure,
            measure_every=self.recipe.epoch_steps,
        )

    @property
    def device(self) -> torch.device:
        """Where the steps are computed."""
        return self.trainer.device

    @property
    def done(self) -> int:
        """Steps that are taken."""
        return self.trainer.done

    def step(self) -> dict[str, float]:
        """Take the next step; return its loss and learning rate."""
        self._losses.append(self.trainer.step())
        return {"loss": self._losses[-1], "learning_rate": self._rate}

    @property
    def chosen_step(self) -> int:
        """The step whose network is kept."""
        return self.progress.chosen_step or self.steps

    def why_kept(self) -> str:
        """Return in words why that step is kept."""
        first = KEEP_FROM * self.steps
        return why_kept(self.progress.curve, self.chosen_step, first=first, later=LATER)

    def curve(self) -> list[dict[str, float]]:
        """Return one row a measurement, the kept step marked."""
        return [
            {**row, "chosen": float(row["step"] == self.chosen_step)} for row in self.progress.curve
        ]

    @property
    def _rate(self) -> float:
        return self.trainer.schedule.rate_at(self.done - 1)

    def network(self) -> DenseNetwork:
        """Return the kept network, in evaluation mode, on the training device."""
        self.trainer.network.load_state_dict(self.best or self.trainer.average)
        return self.trainer.network.eval().requires_grad_(False)

    def looking(self, network: DenseNetwork, selector: Selector | None = None) -> Look:
        """Return what picks a whole image with ``network``, each image once."""
        return looking(
            network,
            px_per_diameter=self.recipe.px_per_diameter,
            min_distance=self.recipe.min_distance,
            device=self.trainer.device,
            selector=selector,
        )

    def find(self, look: Look, parts: Sequence[tuple[TrainingImage, Region]]) -> Found:
        """Pick regions of images and pool the picks."""
        px = self.recipe.px_per_diameter
        return joined([found_in(look(image), image, region, px) for image, region in parts])

    def held_out_parts(self) -> list[tuple[TrainingImage, Region]]:
        """Return what is held out."""
        return [(i, i.held_out) for i in self.images if i.held_out is not None]

    def held_out_count(self) -> int:
        """Return how many particles what is held out is expected to have; labels at least."""
        parts = self.held_out_parts()
        expected = sum(self.progress.expected * part.area / i.whole.area for i, part in parts)
        return max(round(expected), sum(len(i.held_out_particles()) for i, _ in parts))

    def labelled(self) -> list[TrainingImage]:
        """Return labelled images, at most `COUNTED` of them."""
        labelled = [image for image in self.images if len(image.particles_yx)]
        return evenly_spread(labelled, COUNTED, "starts")

    @property
    def most(self) -> float:
        """Particles an image beyond which they would overlap."""
        return packing_limit(self.images, self.recipe.px_per_diameter)

    def count(self, look: Look) -> float:
        """Return particles an image; the present figure when not one label was found."""
        labelled = self.labelled()
        found = self.find(look, [(image, image.whole) for image in labelled])
        return particles_per_image(
            found.logit,
            found.label_logit,
            len(labelled),
            otherwise=self.progress.expected,
            most=self.most,
        )

    def _measure(self) -> None:
        done, p = self.done, self.progress
        row: dict[str, float] = {
            "step": done,
            "epoch": done / self.recipe.epoch_steps,
            "loss": float(np.mean(self._losses)),
            "learning_rate": self._rate,
        }
        self._losses = []
        fraction = done / self.steps
        count_now = self.estimate and any(
            (done - self.recipe.epoch_steps) / self.steps < at <= fraction for at in COUNT_AT
        )
        look = self.looking(self.trainer.copy_of_average())
        if self.measured:
            found = self.find(look, self.held_out_parts())
            row["held_out_ap"] = average_precision(found)
            row["held_out_recall"] = recall_among(found, self.held_out_count())
            if fraction >= KEEP_FROM and row["held_out_ap"] >= (1 - LATER) * p.chosen_metric:
                p.chosen_step = done
                p.chosen_metric = max(p.chosen_metric, row["held_out_ap"])
                self.best = {k: v.detach().clone() for k, v in self.trainer.average.items()}
        if count_now:
            p.expected = self.count(look)
            self._set_prior()
        row["expected_per_micrograph"] = p.expected
        p.curve.append(row)

    def _set_prior(self) -> None:
        radius = self.recipe.label_radius * self.recipe.px_per_diameter
        self.trainer.prior = class_prior(self.progress.expected, mean_area(self.images), radius)

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return the trainer's tensors, the best weights so far, and the progress."""
        self.progress.done = self.done
        tensors = self.trainer.state() | as_saved(self.best, "best.")
        return tensors, {**vars(self.progress), "losses": self._losses}

    def restore(self, tensors: Mapping[str, torch.Tensor], progress: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        values = dict(progress)
        self._losses = values.pop("losses")
        self.progress = Progress(**values)
        self.best = {k: v.to(self.device) for k, v in part_of(tensors, "best.").items()}
        self.trainer.restore(tensors, self.progress.done)
        self._set_prior()
