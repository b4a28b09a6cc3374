"""The course of a few-shot training: steps, measurements, and the rule that ends it."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from frostpick.runtime.loop import Saving, run_training
from frostpick.runtime.reporter import Reporter
from frostpick.training.cryomae.recipe import FewshotRecipe
from frostpick.training.cryomae.trainer import FewshotTrainer

log = logging.getLogger(__name__)

#: Seconds between two saved states.
SAVE_EVERY_S = 20.0


class FewshotLoop:
    """One training from its first step to its last, or from where it was stopped.

    Parameters
    ----------
    trainer
        Ready for step 0.
    spool, key
        Where the state is kept, and what it depends on.
    """

    def __init__(self, trainer: FewshotTrainer, spool: Path, key: str) -> None:
        self.trainer, self.spool, self.key = trainer, spool, key
        self.curve: list[dict[str, float]] = []
        self.reason = "all steps"
        self._losses: list[tuple[float, float]] = []

    def run(self, reporter: Reporter) -> None:
        """Take the steps that are left; `JobStopped` leaves a state to go on from."""
        recipe = self.trainer.recipe
        run_training(
            self,
            reporter,
            Saving(self.spool, self.key, seconds=SAVE_EVERY_S),
            steps=recipe.steps,
            stage="training",
            measure=self._measure,
            measure_every=recipe.measure_every,
            settled=self._settled,
        )
        log.info("trained %d steps (%s)", self.done, self.reason)

    @property
    def device(self) -> torch.device:
        """Where the steps are computed."""
        return self.trainer.device

    @property
    def done(self) -> int:
        """Steps that are taken."""
        return self.trainer.done

    def step(self) -> dict[str, float]:
        """Take the next step; return its losses."""
        self._losses.append(self.trainer.step())
        reconstruction, similarity = self._losses[-1]
        return {"reconstruction": reconstruction, "similarity": similarity}

    def _measure(self) -> None:
        measured = self.trainer.measure()
        rebuilt, similar = np.mean(self._losses, axis=0)
        self._losses = []
        self.curve.append(
            {
                "step": self.trainer.done,
                "reconstruction": float(rebuilt),
                "similarity": float(similar),
                "held_out_reconstruction": measured.reconstruction,
                "margin": measured.margin,
            }
        )

    def _settled(self) -> bool:
        done = settled(self.curve, self.trainer.recipe)
        if done:
            self.reason = "neither reconstruction nor margin improves"
        return done

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return the trainer's tensors, and the progress."""
        progress = {"done": self.done, "curve": self.curve, "losses": self._losses}
        return self.trainer.state(), progress

    def restore(self, tensors: Mapping[str, torch.Tensor], progress: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.curve = list(progress["curve"])
        self._losses = [(a, b) for a, b in progress["losses"]]
        self.trainer.restore(tensors, int(progress["done"]))


def settled(curve: Sequence[dict[str, float]], recipe: FewshotRecipe) -> bool:
    """Return whether the last measurements improved nothing any more.

    An improvement is a held-out reconstruction error lower, by ``gain`` of itself, than any
    before, or a margin higher by ``gain``. Without a similarity loss the margin, which then
    nothing drives, does not count.
    """
    if not curve or curve[-1]["step"] < recipe.least:
        return False
    error, margin, last = math.inf, -math.inf, -1
    for k, row in enumerate(curve):
        better = row["held_out_reconstruction"] < (1 - recipe.gain) * error
        wider = recipe.beta > 0 and row["margin"] > margin + recipe.gain
        error = min(error, row["held_out_reconstruction"])
        margin = max(margin, row["margin"])
        if better or wider:
            last = k
    return len(curve) - 1 - last >= recipe.patience
