"""The classical baseline: a difference of two Gaussians at the size of the particle."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import conv2d

from frostpick.models.networks.dense import DenseNetwork

#: Width of the wide Gaussian over that of the narrow one.
RATIO = 1.6
#: Half width of the kernels in deviations of the widest Gaussian.
REACH = 3.0
#: Deviations of the ice by which the surroundings may differ from it without a penalty.
TOLERANCE = 0.5
#: Penalty for each further deviation, in units of the band-passed image.
PENALTY = 0.4


class DifferenceOfGaussians(DenseNetwork):
    """Band-pass filter that answers to dark discs of one diameter; nothing in it is learned.

    The two Gaussians are those whose difference is nearest to a Laplacian of
    deviation ``radius / sqrt(2)``, the one with the largest answer at the centre of a
    disc (Lindeberg, Int. J. Comput. Vision 30, 1998). Where the surroundings, a
    Gaussian of deviation ``radius``, are no ice but carbon or a crystal, the answer
    is lowered. Of white noise of deviation 1 the output has deviation 1.

    Parameters
    ----------
    diameter_px
        Diameter of the particle in working pixels.
    stride
        Working pixels between outputs.
    """

    def __init__(self, diameter_px: float = 32.0, stride: int = 4) -> None:
        super().__init__()
        if diameter_px < 4 or stride < 1:
            raise ValueError(f"diameter_px {diameter_px} >= 4 and stride {stride} >= 1 are needed")
        laplacian = diameter_px / 2 / math.sqrt(2)
        # The variance of the Laplacian is the geometric mean of those of the two Gaussians.
        widths = (laplacian / math.sqrt(RATIO), laplacian * math.sqrt(RATIO), diameter_px / 2)
        half = math.ceil(REACH * max(widths))
        self.stride = stride
        self.receptive_field = 2 * half + 1
        profiles = torch.stack([_gaussian(width, half) for width in widths])
        narrow, wide, _ = (profile[:, None] * profile[None, :] for profile in profiles)
        self.noise = float((wide - narrow).norm())
        self.register_buffer("columns", profiles[:, None, :, None].float(), persistent=False)
        self.register_buffer("rows", profiles[:, None, None, :].float(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Filter ``(b, 1, h, w)``; return ``(b, 1, oh, ow)``, positive on dark discs."""
        columns, rows = self.get_buffer("columns"), self.get_buffer("rows")
        smooth = conv2d(x, columns, stride=(self.stride, 1))
        smooth = conv2d(smooth, rows, stride=(1, self.stride), groups=3)
        narrow, wide, around = (smooth[:, k : k + 1] for k in range(3))
        off_ice = (around.abs() - TOLERANCE).clamp_min(0)
        answer: torch.Tensor = (wide - narrow - PENALTY * off_ice) / self.noise
        return answer


def _gaussian(sigma: float, half: int) -> torch.Tensor:
    x = torch.arange(-half, half + 1, dtype=torch.float64)
    profile = torch.exp(-0.5 * (x / sigma) ** 2)
    return profile / profile.sum()
