"""How rough an image is around each pixel: DeepEM's local deviation, and its gate.

In DeepEM (Zhu et al., BMC Bioinformatics 18:348, 2017) the gate is in grey levels and re-tuned
for each data set; here it is relative to the micrograph's median.
"""

from __future__ import annotations

import torch
from torch.nn.functional import avg_pool2d

from frostpick.picking.surroundings import mirror_pad
from frostpick.preprocess import WorkingImage

#: Side in diameters of the box whose deviation is looked at: DeepEM's window.
BOX = 1.5
#: Deviation over the micrograph's median deviation, from and to, where no labels say better.
#: KLH's 22 to 34 grey levels and 19S's 3.4 to 3.7 are narrower, for one microscope each.
GATE = (0.6, 1.7)


def local_deviation(image: torch.Tensor, side: int) -> torch.Tensor:
    """Return the deviation in the box of ``side`` (odd) around each pixel of ``(h, w)``.

    The image is mirrored at its borders; float32.
    """
    padded = mirror_pad(image.float(), side // 2)[None, None]

    def mean(x: torch.Tensor) -> torch.Tensor:
        return avg_pool2d(avg_pool2d(x, (side, 1), stride=1), (1, side), stride=1)

    variance = mean(padded * padded) - mean(padded) ** 2
    return variance.clamp_min(0.0).sqrt()[0, 0]


def relative_deviation(working: WorkingImage, px_per_diameter: float) -> torch.Tensor:
    """Return `local_deviation` over its median in the image, in boxes of ``BOX`` diameters."""
    deviation = local_deviation(working.data, 2 * (round(BOX * px_per_diameter) // 2) + 1)
    return deviation / deviation.median().clamp_min(1e-6)
