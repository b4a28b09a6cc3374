"""How a box network is fitted: steps, and a pull towards the start."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from frostpick.models.pruner.box_network import BoxNetwork
from frostpick.runtime.checkpoint import (
    as_saved,
    optimiser_state,
    part_of,
    restore_optimiser,
)
from frostpick.runtime.loop import Saving, run_training
from frostpick.runtime.reporter import Reporter

#: Returns boxes ``(b, side, side)`` and whatever the loss needs with them.
Draw = Callable[[torch.Generator], tuple[torch.Tensor, ...]]
#: Takes logits ``(b, heads, classes)`` and what `Draw` gave besides the boxes.
Loss = Callable[..., torch.Tensor]


@dataclass(frozen=True)
class FitSchedule:
    """Length and step size of a fit.

    Parameters
    ----------
    steps
        Number of batches.
    rate
        Largest learning rate of AdamW; it rises over the first ``warm_up`` share of the
        steps and falls along half a cosine.
    decay
        Weight decay.
    anchor
        Pull towards the weights at the start, ``anchor * |w - w_0|^2`` (L2-SP, Li et al.
        2018): what a few labels do not speak about stays as it was.
    frozen_norms
        Keep the statistics of the normalisations, which a few boxes cannot tell.
    bf16
        Compute in bfloat16 where it is safe; the weights stay float32.
    save_every
        Steps between two states on disk, besides those on a stop and after some time; 0 for
        no such rule.
    """

    steps: int
    rate: float = 2e-3
    warm_up: float = 0.05
    decay: float = 1e-3
    anchor: float = 0.0
    frozen_norms: bool = False
    bf16: bool = False
    save_every: int = 0


@dataclass
class Fit:
    """A running fit of a network.

    Parameters
    ----------
    network
        Trained in place.
    draw, loss
        Where batches come from and what they cost.
    folder, key
        Where the state is kept, and the digest of all that the fit depends on; nowhere when
        None.
    keep_last
        Keep the state of the last step too, where other fits come before the result is saved.
    """

    network: BoxNetwork
    draw: Draw
    loss: Loss
    schedule: FitSchedule
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    folder: Path | None = None
    key: str = ""
    keep_last: bool = False
    losses: list[float] = field(default_factory=list)
    done: int = 0

    def __post_init__(self) -> None:
        # A sixth less time on a CPU than with the channels outermost.
        self.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._begin = {k: v.detach().clone() for k, v in self.network.named_parameters()}
        plan = self.schedule
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=plan.rate, weight_decay=plan.decay
        )

    def run(self, reporter: Reporter) -> None:
        """Run to the last step, from the state in ``folder`` where there is one.

        The caller has announced a stage. No state of a finished fit is kept unless asked for.
        """
        plan = self.schedule
        self.network.train()
        if plan.frozen_norms:
            for layer in self.network.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.eval()
        saving = Saving(self.folder, self.key, steps=plan.save_every, last=self.keep_last)
        run_training(self, reporter, saving, steps=plan.steps, stage=None)
        self.network.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]

    def step(self) -> dict[str, float]:
        """Take the next step; return its loss."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.schedule.rate * _share(self.done, self.schedule)
        # Every step has its own generator: a resumed fit draws what it would have drawn.
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.done)
        boxes, *rest = (t.to(self.device) for t in self.draw(generator))
        inputs = boxes[:, None].contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.schedule.bf16):
            logits = self.network(inputs)
        loss = self.loss(logits.float(), *rest)
        if self.schedule.anchor:
            far = sum(((p - self._begin[k]) ** 2).sum() for k, p in self.network.named_parameters())
            loss = loss + self.schedule.anchor * far
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self._optimiser.step()
        self.done += 1
        self.losses.append(float(loss.detach()))
        return {"loss": self.losses[-1]}

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Return network and moments, and the progress."""
        tensors = as_saved(self.network.state_dict(), "network.")
        tensors |= optimiser_state(self._optimiser)
        return tensors, {"step": self.done, "losses": self.losses}

    def restore(self, tensors: Mapping[str, torch.Tensor], progress: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.network.load_state_dict(part_of(tensors, "network."))
        restore_optimiser(self._optimiser, tensors)
        self.losses = [float(v) for v in progress["losses"]]
        self.done = int(progress["step"])


def _share(step: int, plan: FitSchedule) -> float:
    """Return the learning rate of a step as a share of the largest."""
    rise = max(1.0, plan.warm_up * plan.steps)
    if step < rise:
        return (step + 1) / rise
    return 0.5 + 0.5 * math.cos(math.pi * (step - rise) / max(1.0, plan.steps - rise))
