"""What keeps a fine-tuned network near its start: few labels must not undo what it knows."""

from __future__ import annotations

import copy

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from frostpick.models.dense import DenseNetwork


class Anchor:
    """The start model's opinion of unlabelled places, as soft targets.

    A loss on n labels has the weight ``n / (n + labels)``, and the cross-entropy with the
    start's probabilities, taken over unlabelled outputs, has the rest (the distillation of
    Hinton et al. 2015 with a temperature below 1). With 15 labels the start decides, with a
    thousand the labels do.

    Parameters
    ----------
    start
        Network before the training; copied.
    labels
        Number of labels that weigh as much as the start.
    sharpness
        Factor of the start's logits: above 1 its opinions become decisions.
    given
        Number of labels of this training.
    device
        Of the training.
    """

    def __init__(
        self,
        start: DenseNetwork,
        *,
        labels: float,
        sharpness: float,
        given: int,
        device: torch.device,
    ) -> None:
        self.label_weight = given / (given + labels)
        self.sharpness = sharpness
        frozen = copy.deepcopy(start).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.start: DenseNetwork = frozen.eval().requires_grad_(False)

    def loss(
        self, label_loss: torch.Tensor, tiles: torch.Tensor, logits: torch.Tensor, at: torch.Tensor
    ) -> torch.Tensor:
        """Return the weighted sum of the labels' loss and the start's.

        Parameters
        ----------
        label_loss
            Scalar.
        tiles
            ``(b, 1, side, side)`` float32, what the network saw.
        logits, at
            ``(b, n, n)`` float32 logits, and bool: the outputs without a label.
        """
        if not bool(at.any()):
            return label_loss
        with torch.no_grad():
            target = torch.sigmoid(self.sharpness * self.start(tiles)[:, 0].float())
        distance = binary_cross_entropy_with_logits(logits[at], target[at])
        return self.label_weight * label_loss + (1.0 - self.label_weight) * distance
