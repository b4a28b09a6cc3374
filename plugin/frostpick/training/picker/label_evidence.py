"""What is seen at labels, and at other places that draw the eye of a blob finder alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from frostpick.models.networks.blob import DifferenceOfGaussians
from frostpick.picking.calibration import FLOOR_PROBABILITY
from frostpick.picking.selector import Selector
from frostpick.points import nearest_distance
from frostpick.preprocess import WorkingImage
from frostpick.runtime.reporter import Reporter
from frostpick.sampling import Sampling
from frostpick.training.examples import Points, TrainingImage
from frostpick.training.measure import MATCH
from frostpick.training.picker.soft_labels import SoftLabels
from frostpick.training.view_features import view_features

#: A place this many diameters from any label, with no pick as likely as not, is another place.
APART = 0.5
#: Smallest distance between two such places in diameters.
SPACED = 0.5


@dataclass(frozen=True)
class Places:
    """Places on training images.

    Parameters
    ----------
    image
        ``(n,)`` int64, index of the training image.
    yx
        ``(n, 2)`` in working pixels.
    probability
        ``(n,)`` that a judging model gives its pick there, `FLOOR_PROBABILITY` without one.
    answer
        ``(n,)`` the highest of a blob filter in reach.
    features
        ``(n, 30)`` `view_features` there.
    """

    image: NDArray[np.int64]
    yx: Points
    probability: NDArray[np.float64]
    answer: NDArray[np.float64]
    features: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.image)

    def keep(self, at: NDArray[np.bool_] | NDArray[np.int64]) -> Places:
        """Return the places of a mask or of an index array."""
        return Places(**{f.name: getattr(self, f.name)[at] for f in fields(self)})

    @classmethod
    def concat(cls, parts: Sequence[Places]) -> Places:
        """Lay places of several images end to end."""
        return cls(
            **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)}
        )


def look_at_labels(
    images: Sequence[TrainingImage],
    judge: SoftLabels,
    px_per_diameter: float,
    device: torch.device,
    reporter: Reporter,
    seed: int,
) -> tuple[Places, Places]:
    """Return the labels of images, and other places on the labelled ones.

    Noise that was picked for being dark and round is dark and round. So the places that labels
    are compared with are peaks of a blob filter, each looked at as far from the peak as some
    label of the same image is from its own: a mark beside a speck is no other thing than the
    speck.

    Parameters
    ----------
    images
        At least one has a label; the labels are in the order of the images and of theirs.
    judge
        Picks with what each is worth.
    """
    network = DifferenceOfGaussians(px_per_diameter).to(device).eval()
    labels: list[Places] = []
    others: list[Places] = []
    reporter.stage("judging the labels", len(images))
    for index, image in enumerate(images):
        reporter.check()
        if len(image.particles_yx):
            one = _Looked(index, image, judge, network, px_per_diameter, device)
            labels.append(one.at(image.particles_yx))
            peaks = one.other_places()
            away = image.particles_yx - one.highest(image.particles_yx)[1]
            drawn = np.random.default_rng((seed, 43, index)).integers(len(away), size=len(peaks))
            others.append(one.at(peaks + away[drawn]))
        reporter.advance(1)
    return Places.concat(labels), Places.concat(others)


class _Looked:
    """One image, its answers to a blob filter, and a model's picks on it."""

    def __init__(
        self,
        index: int,
        image: TrainingImage,
        judge: SoftLabels,
        network: DifferenceOfGaussians,
        px: float,
        device: torch.device,
    ) -> None:
        self.index, self.image, self.px = index, image, px
        self.pixels = torch.from_numpy(np.array(image.pixels)).to(device)
        self.selector = Selector(px_per_diameter=px)
        grid = Sampling.identity(image.pixels.shape, 1.0)
        self.map = self.selector.map(network, WorkingImage(self.pixels, grid))
        self.answers = self.map.logits.cpu().numpy().astype(np.float64)
        self.stride = network.stride
        self.picked, self.worth = judge.on(image)

    def other_places(self) -> Points:
        """Return peaks of the filter away from labels and from likely particles."""
        h, w = self.image.pixels.shape
        peaks = self.selector.peaks(
            self.map,
            diameter_px=self.px,
            min_distance_px=SPACED * self.px,
            floor_logit=0.0,  # a dark place
            max_peaks=16 + int(5 * h * w / self.px**2),
        )
        yx = np.stack([peaks.y_px, peaks.x_px], axis=1)
        known = np.concatenate([self.image.particles_yx, self.picked[self.worth >= 0.5]])
        return yx[nearest_distance(yx, known) > APART * self.px]

    def at(self, yx: Points) -> Places:
        """Return what is seen at places ``(n, 2)``."""
        reach = MATCH * self.px
        # without a pick in reach the index is one too many
        nearest = cKDTree(self.picked).query(yx, distance_upper_bound=reach)[1]
        return Places(
            np.full(len(yx), self.index, np.int64),
            yx,
            np.append(self.worth, FLOOR_PROBABILITY)[nearest],
            self.highest(yx)[0],
            view_features(self.pixels, yx, self.px),
        )

    def highest(self, yx: Points) -> tuple[NDArray[np.float64], Points]:
        """Return the filter's highest answer within reach of each place, and where it is."""
        reach = MATCH * self.px
        steps = np.arange(-int(reach // self.stride), int(reach // self.stride) + 1)
        dy, dx = (one.ravel() for one in np.meshgrid(steps, steps, indexing="ij"))
        near = np.hypot(dy, dx) * self.stride <= reach
        at = np.round(yx / self.stride).astype(np.int64)
        rows, columns = (
            np.clip(at[:, k : k + 1] + d[near], 0, self.answers.shape[k] - 1)
            for k, d in enumerate((dy, dx))
        )
        values = self.answers[rows, columns]
        best = np.arange(len(yx)), values.argmax(1) if len(yx) else np.zeros(0, np.int64)
        top = np.stack([rows[best], columns[best]], axis=1).astype(np.float64) * self.stride
        return values[best], top
