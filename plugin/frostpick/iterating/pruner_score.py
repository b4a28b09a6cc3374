"""A second opinion on every pick: a pruner, which has learned what is no particle."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.models.portable import put_together, taken_apart
from frostpick.models.pruner.model import Pruner
from frostpick.pruning.box_scorer import BoxScorer
from frostpick.pruning.boxes import Boxes, BoxGeometry, boxes_of_micrograph
from frostpick.types import sigmoid

Floats = NDArray[np.float64]


class Verifier(Protocol):
    """Judges picks by something else than the network that made them."""

    @property
    def key(self) -> str:
        """Text that changes when the judgement does."""
        ...

    def __call__(
        self,
        image: NDArray[np.float32],
        x_px: Floats,
        y_px: Floats,
        pixel_size_A: float,
        *,
        light: bool,
    ) -> Floats:
        """Return the probability ``(n,)`` that each pick is a particle.

        Parameters
        ----------
        image
            ``(ny, nx)`` micrograph.
        x_px, y_px
            ``(n,)`` in its pixels.
        light
            The particles are lighter than the ice.
        """
        ...


class PrunerScore:
    """The verdict of a pruner, the mean over four rotations.

    Parameters
    ----------
    pruner
        Trained on this particle or on many.
    diameter_A
        Longest dimension of the particle in Angstrom.
    device
        Where to compute.
    """

    def __init__(self, pruner: Pruner, diameter_A: float, device: torch.device) -> None:
        self._given = (pruner, diameter_A, device)
        self._scorer = BoxScorer(pruner, device, rotations=4)
        self._geometry = BoxGeometry(diameter_A, pruner.side, pruner.card.px_per_diameter)
        self._key = f"{pruner.digest} {diameter_A:g} A"

    def __reduce__(self) -> tuple[Any, ...]:
        pruner, diameter_A, device = self._given
        # Without its number it is the GPU of the process that it comes to.
        return _opinion_again, (taken_apart(pruner), diameter_A, torch.device(device.type))

    @property
    def key(self) -> str:
        """The pruner's digest and the particle's size."""
        return self._key

    def __call__(
        self,
        image: NDArray[np.float32],
        x_px: Floats,
        y_px: Floats,
        pixel_size_A: float,
        *,
        light: bool,
    ) -> Floats:
        """Return the probability ``(n,)`` that each pick is a particle."""
        parts = boxes_of_micrograph(image, x_px, y_px, pixel_size_A, self._geometry, light=light)
        return sigmoid(self._scorer(Boxes.concat(list(parts), self._geometry.side)).score)


def _opinion_again(parts: tuple[Any, ...], diameter_A: float, device: torch.device) -> PrunerScore:
    return PrunerScore(put_together(*parts), diameter_A, device)
