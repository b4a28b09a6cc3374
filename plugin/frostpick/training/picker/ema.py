"""What every training of a picking network does alike: steps of AdamW, and their average."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from frostpick.errors import ModelError, option
from frostpick.models.networks.dense import DenseNetwork
from frostpick.runtime.checkpoint import (
    as_saved,
    optimiser_state,
    part_of,
    restore_optimiser,
)
from frostpick.runtime.precision import native_precision


@dataclass(frozen=True)
class Schedule:
    """Length and speed of a training.

    Parameters
    ----------
    steps
        Optimiser steps.
    rate
        Highest learning rate, reached after ``warm_up`` of the steps (one cycle).
    warm_up
        Fraction of the steps with a rising rate.
    weight_decay
        AdamW's decoupled weight decay.
    average
        Decay of the running average of the weights that is evaluated and kept.
    """

    steps: int = 300
    rate: float = 3e-3
    warm_up: float = 0.25
    weight_decay: float = 0.01
    average: float = 0.98

    def rate_at(self, step: int) -> float:
        """Return the one-cycle rate of a step: cosine up from 1/25, cosine down to 1/1000."""
        peak = max(1.0, self.warm_up * self.steps)
        if step < peak:
            return self.rate * (1 / 25 + (1 - 1 / 25) * 0.5 * (1 - math.cos(math.pi * step / peak)))
        done = (step - peak) / max(1.0, self.steps - peak)
        return self.rate * (1e-3 + (1 - 1e-3) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


class EmaTraining:
    """A network that is trained step by step, with a running average of its weights.

    Where the device has it natively the layers compute in bfloat16; weights, logits and
    losses are float32.

    Parameters
    ----------
    network
        Trained in place, moved to ``device``.
    """

    def __init__(self, network: DenseNetwork, schedule: Schedule, device: torch.device) -> None:
        # a fifth faster on the CPU than channels first
        network = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network: DenseNetwork = network.train().requires_grad_(True)
        self.schedule = schedule
        self.device = device
        self.half = native_precision(device) == "bfloat16"
        self.done = 0
        self.optimiser = torch.optim.AdamW(
            network.parameters(),
            lr=schedule.rate,
            weight_decay=schedule.weight_decay,
            foreach=False,
        )
        self.average = {k: v.detach().clone() for k, v in network.state_dict().items()}

    def logits(self, tiles: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(b, n, n)`` float32 of ``(b, 1, side, side)`` channels-last tiles."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            logits: torch.Tensor = self.network(tiles)[:, 0]
        return logits.float()

    def generator(self, seed: int, salt: int) -> torch.Generator:
        """Return a generator on the CPU that depends on ``seed``, ``salt`` and the step alone."""
        drawn = np.random.default_rng((seed, salt, self.done)).integers(2**63)
        return torch.Generator().manual_seed(int(drawn))

    def descend(self, loss: torch.Tensor) -> float:
        """Take the step that ``loss`` asks for; return the loss.

        Raises
        ------
        ModelError
            A gradient is not finite; the weights are those before the step.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.rate_at(self.done)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0))
        if not math.isfinite(norm):
            raise ModelError(
                f"step {self.done}: the length of the gradient is {norm}, expected a number; "
                "this network cannot be trained so: try another "
                f"{option('device')}, {option('network')} or {option('start_model')}"
            )
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
