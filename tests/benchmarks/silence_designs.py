"""Ways to take the places where a start model finds nothing, beside the one that is built in.

``background``: they are none, as its soft labels say. ``unlabelled``: as `train` does
(`frostpick.training.picker.silence`). ``abstain``: where the model finds something as soon as the
diameter is stated .85 or .72 times as large, such a place teaches nothing, and elsewhere it is
background.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import zoom

from frostpick.training.examples import TrainingImage
from frostpick.training.picker import setup
from frostpick.training.picker.distillation import Distillation
from frostpick.training.picker.silence import SILENT
from frostpick.training.picker.soft_labels import ModelSoftLabels
from frostpick.training.tiles import TilePlan

SCALES = (0.85, 0.72)

Found = tuple[NDArray[np.float64], NDArray[np.float64]]


class Abstaining(Distillation):
    """Soft labels that teach nothing where the same model speaks at another diameter."""

    def __init__(self, soft: ModelSoftLabels, *args: Any, **more: Any) -> None:
        super().__init__(soft, *args, **more)
        # one for each scale: it keeps what it has found on an image
        self._witnesses = {
            scale: ModelSoftLabels(soft.model, 1.0, soft.device, alone=False) for scale in SCALES
        }
        self._found: dict[int, Found] = {}

    def loss(
        self,
        label_loss: torch.Tensor,
        logits: torch.Tensor,
        at: torch.Tensor,
        plans: Sequence[TilePlan],
    ) -> torch.Tensor:
        """Return the weighted sum of the labels' loss and that of the places that teach."""
        silent = self.targets(plans) < SILENT
        speaks = self._on_outputs(plans, self.witness) >= SILENT
        teaches = torch.from_numpy(~(silent & speaks)).to(at.device)
        return super().loss(label_loss, logits, at & teaches, plans)

    def witness(self, number: int) -> Found:
        """Return what the model finds on an image at the other diameters, in working pixels."""
        if number not in self._found:
            image = self.images[number]
            found = [enlarged(one, image, scale) for scale, one in self._witnesses.items()]
            places, worths = zip(*found, strict=True)
            self._found[number] = np.concatenate(places), np.concatenate(worths)
        return self._found[number]


def enlarged(witness: ModelSoftLabels, image: TrainingImage, scale: float) -> Found:
    """Return the picks of a model on an image at another diameter, and their probabilities."""
    pixels = np.asarray(image.pixels, np.float32)
    large = zoom(pixels, 1.0 / scale, order=3, grid_mode=True, mode="reflect")
    by = np.divide(pixels.shape, large.shape)
    yx, probability = witness.on(replace(image, pixels=large))
    return (yx + 0.5) * by - 0.5, probability


@contextmanager
def _background() -> Iterator[None]:
    with mock.patch.object(setup, "find_silence", lambda *_: None):
        yield


@contextmanager
def _abstaining() -> Iterator[None]:
    with _background(), mock.patch.object(setup, "Distillation", Abstaining):
        yield


DESIGNS: Mapping[str, Callable[[], AbstractContextManager[None]]] = {
    "background": _background,
    "unlabelled": nullcontext,
    "abstain": _abstaining,
}
