"""Score an image, or single places of it, at four rotations: DeepEM's verification.

A particle has no upright position, so a place that is scored alike at 0, 90, 180 and 270
degrees is more likely one (Zhu et al., BMC Bioinformatics 18:348, 2017). The mean of the
four probabilities is DeepEM's score of a window; their spread, which its code stores and
does not use, tells how far to trust it.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.nn.functional import logsigmoid

from frostpick.models.networks.dense import DenseNetwork
from frostpick.picking.surroundings import continued

#: Windows scored at once.
BATCH = 64


class FourRotations(DenseNetwork):
    """A network whose answer is the mean of another's at four rotations.

    Stride and receptive field are those of the other; the outputs lie on the same
    pixels, since the field is symmetric about them.

    Parameters
    ----------
    network
        In evaluation mode.
    """

    def __init__(self, network: DenseNetwork) -> None:
        super().__init__()
        self.network = network
        self.stride, self.receptive_field = network.stride, network.receptive_field

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the log-odds ``(b, 1, oh, ow)`` of the mean probability."""
        return mean_log_odds(self.each(x))

    def each(self, x: torch.Tensor) -> torch.Tensor:
        """Return the four logits ``(4, b, 1, oh, ow)`` of ``(b, 1, h, w)``, float32."""
        rows, columns = (self.input_side(self.output_side(x.shape[k])) for k in (-2, -1))
        x = x[..., :rows, :columns]  # else the outputs of a turned image lie elsewhere
        turned = (self.network(torch.rot90(x, k, (-2, -1)).contiguous()) for k in range(4))
        return torch.stack([torch.rot90(t, -k, (-2, -1)).float() for k, t in enumerate(turned)])


def mean_log_odds(logits: torch.Tensor) -> torch.Tensor:
    """Return the log-odds of the mean probability over the first axis of ``(4, ...)`` logits.

    ``log sum sigmoid(l) - log sum sigmoid(-l)``, which is finite however sure the four are.
    """
    return torch.logsumexp(logsigmoid(logits), 0) - torch.logsumexp(logsigmoid(-logits), 0)


def logits_at(network: DenseNetwork, image: torch.Tensor, yx: ArrayLike) -> NDArray[np.float64]:
    """Score single places of an image at four rotations about them.

    Parameters
    ----------
    network
        In evaluation mode, on the device of ``image``.
    image
        ``(h, w)`` float32 working image; beyond its border see `surroundings`.
    yx
        ``(n, 2)`` places in working pixels, rounded to pixels inside.

    Returns
    -------
    ndarray
        ``(n, 4)`` float64 logits.
    """
    field = network.receptive_field
    padded = continued(image, field // 2)
    most = np.array(image.shape) - 1
    places = np.clip(np.round(np.reshape(np.asarray(yx, np.float64), (-1, 2))), 0, most).astype(int)
    rotations = FourRotations(network)
    parts: list[NDArray[np.float64]] = [np.zeros((0, 4))]
    with torch.inference_mode():
        for first in range(0, len(places), BATCH):
            part = places[first : first + BATCH].tolist()
            windows = torch.stack([padded[y : y + field, x : x + field] for y, x in part])
            found = rotations.each(windows[:, None])[:, :, 0, 0, 0]
            parts.append(found.cpu().numpy().T.astype(np.float64))
    return np.concatenate(parts)
