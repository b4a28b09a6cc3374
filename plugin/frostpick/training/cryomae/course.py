"""The course of a few-shot training: steps, measurements, and the rule that ends it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from frostpick.errors import DeviceError, JobStopped
from frostpick.runtime.checkpoint import load_checkpoint, save_checkpoint
from frostpick.runtime.reporter import Reporter
from frostpick.training.cryomae.recipe import FewshotRecipe
from frostpick.training.cryomae.trainer import FewshotTrainer

log = logging.getLogger(__name__)

#: Seconds between two saved states.
SAVE_EVERY_S = 20.0


class FewshotCourse:
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
        recipe, trainer = self.trainer.recipe, self.trainer
        self._resume()
        reporter.stage("training", recipe.steps)
        if trainer.done:
            reporter.advance(trainer.done)
        saved = time.monotonic()
        while trainer.done < recipe.steps and not self._settled():
            try:
                reporter.check()
            except JobStopped:
                self._save()
                raise
            losses = self._step()
            self._losses.append(losses)
            reporter.advance(1, reconstruction=losses[0], similarity=losses[1])
            if trainer.done % recipe.measure_every == 0 or trainer.done == recipe.steps:
                self._measure()
            if time.monotonic() - saved > SAVE_EVERY_S:
                self._save()
                saved = time.monotonic()
        self._save()
        log.info("trained %d steps (%s)", trainer.done, self.reason)

    def _step(self) -> tuple[float, float]:
        try:
            return self.trainer.step()
        except torch.cuda.OutOfMemoryError as error:
            raise DeviceError(
                f"{self.trainer.device} is out of memory at a training step; choose another GPU or "
                "--device cpu and continue the job"
            ) from error

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

    def _save(self) -> None:
        progress = {"done": self.trainer.done, "curve": self.curve, "losses": self._losses}
        save_checkpoint(self.spool, self.key, self.trainer.state(), progress)

    def _resume(self) -> None:
        kept = load_checkpoint(self.spool, self.key)
        if kept is None:
            return
        tensors, progress = kept
        self.curve = list(progress["curve"])
        self._losses = [(a, b) for a, b in progress["losses"]]
        self.trainer.restore(tensors, int(progress["done"]))
        log.info("going on after step %d of %d", self.trainer.done, self.trainer.recipe.steps)


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
