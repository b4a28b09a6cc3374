"""The one training loop: steps, measurements, and a state from which a stopped training goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from frostpick.errors import DeviceError, JobStopped, option
from frostpick.runtime.checkpoint import load_checkpoint, save_checkpoint
from frostpick.runtime.reporter import Reporter

log = logging.getLogger(__name__)

Tensors = Mapping[str, torch.Tensor]
#: Seconds between two saved states where a training names no other: a kill loses no more.
SAVE_EVERY_S = 30.0
#: Plain JSON values.
Progress = Mapping[str, Any]


class Training(Protocol):
    """What the loop drives; after step k its state depends on its inputs and k alone."""

    @property
    def device(self) -> torch.device:
        """Where the steps are computed."""
        ...

    @property
    def done(self) -> int:
        """Steps that are taken."""
        ...

    def step(self) -> Mapping[str, float]:
        """Take the next step; return what the reporter is told of it."""
        ...

    def state(self) -> tuple[Tensors, Progress]:
        """Return all that the next step, and the end, depend on."""
        ...

    def restore(self, tensors: Tensors, progress: Progress) -> None:
        """Go on from what `state` returned."""
        ...


@dataclass(frozen=True)
class Saving:
    """Where the state of a training is kept, and when; on a stop it always is.

    Parameters
    ----------
    folder, key
        Where, and the digest of all that the training depends on; nowhere when None.
    seconds
        After the first step that ends so long after the last saving: what a kill loses.
    steps
        After every so many steps; 0 for no such rule.
    last
        After the last step, so that nothing is trained again when the job stops after it.
    """

    folder: Path | None
    key: str
    seconds: float = SAVE_EVERY_S
    steps: int = 0
    last: bool = True


def run_training(
    training: Training,
    reporter: Reporter,
    saving: Saving,
    *,
    steps: int,
    stage: str | None,
    measure: Callable[[], None] | None = None,
    measure_every: int = 1,
    settled: Callable[[], bool] = lambda: False,
) -> None:
    """Take all steps that are left, from the state in the folder where there is one.

    Parameters
    ----------
    steps
        The last step.
    stage
        Name for the reporter; None where the caller has announced a stage that this is part of.
    measure, measure_every
        Called after every so many steps and after the last one. What it finds, and the step it
        chooses to keep, belong to the training's state.
    settled
        Asked before each step: whether to end before ``steps``.

    Raises
    ------
    ConfigError
        Another training is unfinished in the folder, or its state is damaged.
    DeviceError
        The GPU's memory is too small.
    JobStopped
        Asked to stop; the same call goes on.
    """
    _begin(training, reporter, saving, stage, steps)
    first, saved = training.done, time.monotonic()
    while training.done < steps and not settled():
        try:
            reporter.check()
        except JobStopped:
            _save(training, saving)
            raise
        reporter.advance(1, **_step(training))
        done = training.done
        if measure is not None and (done % measure_every == 0 or done == steps):
            measure()
        late = time.monotonic() - saved > saving.seconds
        if done < steps and (late or (saving.steps and done % saving.steps == 0)):
            _save(training, saving)
            saved = time.monotonic()
    if saving.last and training.done > first:
        _save(training, saving)


def _begin(
    training: Training, reporter: Reporter, saving: Saving, stage: str | None, steps: int
) -> None:
    """Go on from the state in the folder, and tell the reporter how far that is."""
    kept = load_checkpoint(saving.folder, saving.key) if saving.folder is not None else None
    if kept is not None:
        training.restore(*kept)
    if stage is not None:
        if kept is not None:
            log.info("going on after step %d of %d", training.done, steps)
        reporter.stage(stage, steps)
    if training.done or stage is None:
        reporter.advance(training.done)


def _step(training: Training) -> Mapping[str, float]:
    try:
        return training.step()
    except torch.cuda.OutOfMemoryError as error:
        raise DeviceError(
            f"{training.device} is out of memory at a training step; choose another GPU or "
            f"{option('device', 'cpu')} and continue the job"
        ) from error


def _save(training: Training, saving: Saving) -> None:
    if saving.folder is not None:
        save_checkpoint(saving.folder, saving.key, *training.state())
