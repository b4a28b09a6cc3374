"""A small network that takes the counting noise out of a micrograph, as users' denoisers do.

One of the looks of the corpus: many users pick on denoised micrographs. It is trained on
simulated pairs (`frostpick.pretraining.picker.train_denoiser`) as Topaz-Denoise is on frames
(Bepler et al. 2020), by noise-to-noise (Lehtinen et al. 2018). Its weights are made by the
recipe and are not shipped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn
from torch.nn import functional as F

from frostpick.errors import ConfigError
from frostpick.preprocess.order import lower_median
from frostpick.runtime.atomic import atomic_write
from frostpick.runtime.precision import native_precision

Image = NDArray[np.float32]

#: Normal deviations in a median absolute deviation.
MAD = 1.4826
#: Side of the blocks whose smooth mean is set aside: ice and carbon, which are not noise.
BLOCK = 32
#: Deviations at which the rest is cut: crystals, gold, hot pixels.
CLIP = 12.0
#: Pixels added around the image, so that the padding of the layers stays outside.
BORDER = 16
#: The image is filled up to a multiple of it.
MULTIPLE = 16


class UNet(nn.Module):
    """Three levels on 2 x 2 pixels as channels: 31,000 weights, a field of about 100 pixels.

    Parameters
    ----------
    channels
        At the finest of the levels; twice as many below.
    """

    def __init__(self, channels: int = 12) -> None:
        super().__init__()
        c = channels
        self.fine = _twice(4, c)
        self.middle = _twice(c, 2 * c)
        self.coarse = _twice(2 * c, 2 * c)
        self.join_middle = _twice(4 * c, c)
        self.join_fine = _twice(2 * c, c)
        self.head = nn.Conv2d(c, 4, 3, padding=1)
        nn.init.zeros_(self.head.weight)  # at first it says that all is noise
        if self.head.bias is not None:
            nn.init.zeros_(self.head.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(b, 1, h, w)`` to the same shape; the sides are multiples of 8."""
        fine = self.fine(F.pixel_unshuffle(x, 2))
        middle = self.middle(F.avg_pool2d(fine, 2))
        coarse = self.coarse(F.avg_pool2d(middle, 2))
        middle = self.join_middle(torch.cat([middle, _doubled(coarse)], 1))
        fine = self.join_fine(torch.cat([fine, _doubled(middle)], 1))
        return F.pixel_shuffle(self.head(fine), 2)


def _twice(channels_in: int, channels_out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for first in (channels_in, channels_out):
        layers += [nn.Conv2d(first, channels_out, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _doubled(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


@dataclass(frozen=True)
class Standard:
    """An image as a network sees it, and the way back.

    Parameters
    ----------
    rest
        ``(h, w)`` float32: what is left without the smooth level, in deviations.
    level
        ``(h, w)`` float32: the smooth level, grey levels of the image.
    deviation
        Grey levels of one deviation.
    """

    rest: torch.Tensor
    level: torch.Tensor
    deviation: float


def standardise(image: torch.Tensor) -> Standard:
    """Set the smooth level of an image ``(h, w)`` aside and scale the rest by its spread.

    The spread is 1.4826 times the median absolute value, which particles, crystals and
    carbon edges hardly move. Both sides are at least `BLOCK`.
    """
    h, w = image.shape
    # blocks of the whole width of the image: the last ones reach back instead of over the edge
    means = F.adaptive_avg_pool2d(image[None, None], (h // BLOCK, w // BLOCK))
    level = F.interpolate(means, size=(h, w), mode="bilinear", align_corners=False)[0, 0]
    rest = image - level
    deviation = MAD * float(lower_median(rest.abs()))
    if not deviation > 0:
        deviation = float(rest.std()) or 1.0
    return Standard((rest / deviation).clamp_(-CLIP, CLIP), level, deviation)


class Denoiser:
    """A trained network and the pixels it looks at.

    Parameters
    ----------
    network
        Trained at ``step`` times the pixel size.
    step
        1: the image itself; 2: its 2 x 2 means, and between them straight lines, which
        leaves a smoother image.
    """

    def __init__(self, network: UNet, step: int) -> None:
        if step not in (1, 2):
            raise ValueError(f"step {step}, expected 1 or 2")
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network: UNet = network.eval().requires_grad_(False)
        self.step = step
        self._half = native_precision(torch.device("cpu")) == "bfloat16"

    def __call__(self, image: Image) -> Image:
        """Return the image ``(ny, nx)`` float32 without noise, in its own grey levels."""
        if min(image.shape) < BLOCK * self.step:
            raise ValueError(
                f"an image of {image.shape[0]} x {image.shape[1]} pixels, expected at least "
                f"{BLOCK * self.step} a side"
            )
        ny, nx = image.shape
        pixels = torch.from_numpy(np.ascontiguousarray(image, np.float32))
        if self.step == 2:
            even = F.pad(pixels[None, None], (0, nx % 2, 0, ny % 2), mode="replicate")
            pixels = F.avg_pool2d(even, 2)[0, 0]
        clean = self._clean(pixels)
        if self.step == 2:
            clean = F.interpolate(
                clean[None, None], scale_factor=2.0, mode="bilinear", align_corners=False
            )[0, 0, :ny, :nx]
        return np.ascontiguousarray(clean.numpy())

    def _clean(self, pixels: torch.Tensor) -> torch.Tensor:
        standard = standardise(pixels)
        h, w = pixels.shape
        below, right = (BORDER + -(side + 2 * BORDER) % MULTIPLE for side in (h, w))
        padded = F.pad(
            standard.rest[None, None], (BORDER, right, BORDER, below), mode="reflect"
        ).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self._half):
            found: torch.Tensor = self.network(padded)[
                0, 0, BORDER : BORDER + h, BORDER : BORDER + w
            ]
        clean: torch.Tensor = found.float() * standard.deviation + standard.level
        return clean

    def save(self, path: Path, key: str, told: dict[str, Any]) -> None:
        """Write the weights atomically, with the digest of the recipe and what it found."""
        tensors = {k: v.contiguous() for k, v in self.network.state_dict().items()}
        metadata = {"key": key, "step": str(self.step), "told": json.dumps(told)}
        with atomic_write(path) as handle:
            handle.write(save(tensors, metadata=metadata))


def load_denoiser(path: Path, key: str | None = None) -> Denoiser:
    """Read a denoiser.

    Parameters
    ----------
    key
        Digest of the recipe it has to be of; None for any.

    Raises
    ------
    ConfigError
        The file is missing, damaged, or of another recipe.
    """
    try:
        with safe_open(path, framework="pt") as found:
            metadata = found.metadata() or {}
            tensors = {name: found.get_tensor(name) for name in found.keys()}
        network = UNet(len(tensors["head.weight"][0]))
        network.load_state_dict(tensors)
        step = int(metadata["step"])
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise ConfigError(f"{path}: this is no denoiser ({error}); make it again") from error
    if key is not None and metadata.get("key") != key:
        raise ConfigError(f"{path}: a denoiser of another recipe; throw it away to make this one")
    return Denoiser(network, step)
