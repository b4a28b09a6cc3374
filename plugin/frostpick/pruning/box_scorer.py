"""Score working boxes: one look, or the mean and spread over four rotations.

A score is the calibrated log-odds of the pruner's own network, to which a pruner that has
a picker adds what that says (`frostpick.models.pruner.picker_score`).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.models.pruner.box_network import BoxNetwork
from frostpick.models.pruner.model import Pruner
from frostpick.models.pruner.picker_score import picker_logits
from frostpick.picking.inference import InferenceNetwork, choose_precision
from frostpick.pruning.boxes import BATCH, Boxes
from frostpick.pruning.reasons import likely_reasons
from frostpick.runtime.precision import native_precision
from frostpick.types import REASONS

#: Score of a box that holds no information.
UNUSABLE = -20.0


@dataclass(frozen=True)
class BoxScores:
    """What a pruner says of boxes.

    Parameters
    ----------
    score
        ``(n,)`` float64 calibrated log-odds of a particle, the mean over the rotations.
    spread
        ``(n,)`` float64, standard deviation over the rotations; NaN for one look.
    likely
        ``(n,)`` int8, why it is no particle if it is none (`frostpick.pruning.reasons`).
    """

    score: NDArray[np.float64]
    spread: NDArray[np.float64]
    likely: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.score)

    @classmethod
    def concat(cls, parts: list[BoxScores]) -> BoxScores:
        """Join them; none give an empty one."""
        if not parts:
            return cls(np.zeros(0), np.zeros(0), np.zeros(0, np.int8))
        return cls(
            np.concatenate([p.score for p in parts]),
            np.concatenate([p.spread for p in parts]),
            np.concatenate([p.likely for p in parts]),
        )


class BoxScorer:
    """Scores boxes with a pruner on a device.

    Parameters
    ----------
    rotations
        1, or 4: the box and its three quarter turns (DeepEM's rule, Zhu et al. 2017).
    """

    def __init__(
        self, pruner: Pruner, device: torch.device | None = None, rotations: int = 1
    ) -> None:
        if rotations not in (1, 4):
            raise ValueError(f"rotations {rotations}, expected 1 or 4")
        self._device = device or torch.device("cpu")
        self._precision = native_precision(self._device)
        network: BoxNetwork = copy.deepcopy(pruner.network).eval().to(self._device)
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._calibration = pruner.card.calibration
        self._picker: InferenceNetwork | None = None
        self._weight = 0.0
        if pruner.picker is not None and pruner.card.picker is not None:
            precision = choose_precision(pruner.picker, [self._device])
            self._picker = InferenceNetwork(pruner.picker, self._device, precision)
            self._weight = pruner.card.picker.weight
        self._rotations = rotations

    def __call__(self, boxes: Boxes) -> BoxScores:
        """Score boxes in their order, `BATCH` at a time; the same whatever comes with them."""
        parts = [
            self._batch(boxes.data[at : at + BATCH], boxes.usable[at : at + BATCH])
            for at in range(0, len(boxes), BATCH)
        ]
        return BoxScores.concat(parts)

    @torch.no_grad()
    def _batch(self, data: torch.Tensor, usable: torch.Tensor) -> BoxScores:
        data = data.to(self._device)[:, None]
        looks, classes = [], torch.zeros(())
        for turn in range(self._rotations):
            turned = torch.rot90(data, turn, (2, 3)).contiguous(memory_format=torch.channels_last)
            # The heads stay float32: of a logit bfloat16 keeps two digits only.
            bf16 = self._precision == "bfloat16"
            with torch.autocast(self._device.type, torch.bfloat16, enabled=bf16):
                maps = self._network.features(turned)
            logits = self._network.classify(maps.float())
            odds = (logits[..., 0] - torch.logsumexp(logits[..., 1:], -1)).mean(1)
            look = self._calibration.slope * odds.double() + self._calibration.offset
            if self._picker is not None:
                look = look + self._weight * picker_logits(self._picker, turned[:, 0])
            looks.append(look)
            classes = classes + logits.softmax(-1).mean(1).cpu()
        score = torch.stack(looks).cpu().numpy()
        known = usable.cpu().numpy()
        likely = likely_reasons(classes.numpy() / self._rotations)
        spread = score.std(0) if self._rotations > 1 else np.full(len(data), np.nan)
        return BoxScores(
            np.where(known, score.mean(0), UNUSABLE),
            spread,
            np.where(known, likely, REASONS.index("not particle")).astype(np.int8),
        )
