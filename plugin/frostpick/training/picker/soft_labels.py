"""Picks as soft labels: where particles may be, and what each pick is worth, 0 to 1."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from frostpick.models.picking_model import PickingModel
from frostpick.picking.against_noise import AgainstNoise, weigh_against_noise
from frostpick.picking.calibration import calibrated, floor_logit
from frostpick.picking.emptiness import emptiness
from frostpick.picking.inference import choose_precision, prepared_for_inference
from frostpick.picking.null import NoiseSample, looked_at_for_noise
from frostpick.picking.peaks import Peaks
from frostpick.picking.selector import Selector
from frostpick.training.examples import Points, TrainingImage
from frostpick.training.measure import MATCH, peaks_in
from frostpick.types import Picks, sigmoid

Worths = NDArray[np.float64]

#: Fewer labels than this were marked by hand.
BY_HAND = 50
#: A model whose picks are so sure (`sureness`) knows the particle. Of particles that a model
#: knows it is .76 to .93, of those of which it misses a third .40 to .66.
SURE = 0.75


def sureness(probability: NDArray[np.float64]) -> float:
    """Return the mean probability of picks ``(n,)``, each counting as probable as it is."""
    mass = float(probability.sum())
    return float((probability**2).sum()) / mass if mass > 0.0 else 0.0


class SoftLabels(ABC):
    """Soft labels of training images."""

    @abstractmethod
    def on(self, image: TrainingImage) -> tuple[Points, Worths]:
        """Return the picks on an image, ``(n, 2)`` working pixels, and what each is worth."""

    def worth_of(self, peaks: Peaks, image: TrainingImage, px_per_diameter: float) -> Worths:
        """Return what another network's picks on an image are worth, ``(n,)``, 0 to 1.

        That is 1 on a label, else the worth of the pick there, and 0 without one.
        """
        yx, worth = self.on(image)
        at = np.stack([peaks.y_px, peaks.x_px], axis=1)
        reach = MATCH * px_per_diameter
        # no pick in reach: the distance is infinite, and the index one too many
        nearest = cKDTree(yx).query(at, distance_upper_bound=reach)[1]
        labels = image.particles_yx
        known = cKDTree(labels).query(at, distance_upper_bound=reach)[1] < len(labels)
        worths: Worths = np.where(known, 1.0, np.append(worth, 0.0)[nearest])
        return worths


class GivenSoftLabels(SoftLabels):
    """Picks that somebody has judged.

    Parameters
    ----------
    picks
        By micrograph id, in pixels of the micrographs; each is worth its ``probability``.
    """

    def __init__(self, picks: Mapping[str, Picks]) -> None:
        self._picks = picks

    def on(self, image: TrainingImage) -> tuple[Points, Worths]:
        """Return the picks on an image, ``(n, 2)`` working pixels, and what each is worth."""
        one = self._picks.get(image.micrograph_id)
        if one is None:
            return np.zeros((0, 2)), np.zeros(0)
        return image.sampling.from_parent(np.stack([one.y_px, one.x_px], axis=1)), one.probability


class ModelSoftLabels(SoftLabels):
    """The picks of a model on training images, each image picked once.

    Parameters
    ----------
    model
        Copied: what becomes of its network later does not matter.
    sharpness
        Factor of the model's scores: above 1 its opinions become decisions.
    device
        That looks.
    alone
        Whether nothing but the model tells where particles are. Then a micrograph whose
        candidates together seem to be none (`frostpick.picking.emptiness`) teaches nothing;
        where there are labels, a model that finds little on a micrograph may be wrong there.
    """

    def __init__(
        self, model: PickingModel, sharpness: float, device: torch.device, *, alone: bool = True
    ) -> None:
        self.model = prepared_for_inference(
            model, device, choose_precision(model.network, [device])
        )
        self.sharpness, self.device, self.alone = sharpness, device, alone
        self._known: dict[str, tuple[Points, Worths]] = {}
        # of images that were looked at for noise before anybody asked for their picks
        self._scores: dict[str, tuple[Points, Worths]] = {}
        self._against: AgainstNoise | None = None

    def weigh(self, images: Sequence[TrainingImage]) -> None:
        """Let a pick be worth what its score is against the noise of these images.

        For a model that alone tells where particles are, and has not learned from these images: a
        score of a particle that it does not know well says too little. Call it before `on`.
        """
        chosen = looked_at_for_noise(self.model, [image.micrograph_id for image in images])
        looked = [image for image in images if image.micrograph_id in chosen]
        self._against = weigh_against_noise(list(map(self._sample, looked)))

    def _sample(self, image: TrainingImage) -> NoiseSample:
        """Return what an image tells of noise."""
        yx, score, shift = self._shifted(image)
        self._scores[image.micrograph_id] = yx, score
        other_yx, other = self._scored(replace(image, pixels=-np.asarray(image.pixels)))
        picks, decoys = (
            Picks.from_xy(image.micrograph_id, at[:, 1], at[:, 0], score=one)
            for at, one in ((yx, score), (other_yx, other + shift))
        )
        card = self.model.card
        distance = card.min_distance * card.px_per_diameter
        return NoiseSample.of(picks, decoys, image.pixels.shape, card.px_per_diameter, distance)

    def _shifted(self, image: TrainingImage) -> tuple[Points, Worths, float]:
        """Return the picks, their scores as they count, and by how much these are shifted."""
        yx, score = self._scored(image)
        shift = emptiness(score) if self.alone else 0.0
        return yx, score + shift, shift

    def _scored(self, image: TrainingImage) -> tuple[Points, Worths]:
        """Return the picks on an image, ``(n, 2)`` working pixels, and their scores."""
        card = self.model.card
        peaks = peaks_in(
            self.model.network,
            image,
            px_per_diameter=card.px_per_diameter,
            min_distance=card.min_distance,
            floor=floor_logit(card.calibration),
            device=self.device,
            selector=Selector.of(card),
        )
        yx = np.stack([peaks.y_px, peaks.x_px], axis=1)
        return yx, calibrated(peaks.logit, card.calibration)

    def on(self, image: TrainingImage) -> tuple[Points, Worths]:
        """Return the picks on an image, ``(n, 2)`` working pixels, and what each is worth."""
        if image.micrograph_id not in self._known:
            looked = image.micrograph_id in self._scores
            yx, score = (
                self._scores.pop(image.micrograph_id) if looked else self._shifted(image)[:2]
            )
            if self._against is not None:
                score = self._against.log_odds(score)
            self._known[image.micrograph_id] = yx, sigmoid(self.sharpness * score)
        return self._known[image.micrograph_id]
