"""What a trained few-shot model sees on a micrograph with exemplars, for pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.models.cryomae.exemplar import SHY
from frostpick.models.cryomae.geometry import PX_PER_DIAMETER
from frostpick.picking.calibration import calibrated
from frostpick.picking.selectors.density_cut import DensityCut, density_cut
from frostpick.picking.selectors.disc_nms import find_peaks
from frostpick.picking.threshold import Cut
from frostpick.training.cryomae.exemplars import STILL, random_places, windows
from frostpick.training.cryomae.finish import FLOOR, Calibrated
from frostpick.training.cryomae.trainer import FewshotTrainer

Floats = NDArray[np.float64]

#: Most windows of a kind in the map of embeddings.
MOST = 100
#: Salt of the random stream.
SHOWN = 304


@dataclass(frozen=True)
class FewshotView:
    """A micrograph with exemplars as the model sees it.

    Attributes
    ----------
    micrograph_id
        The one with most exemplars.
    cosine
        ``(h, w)`` float32, similarity to the exemplars, one value every ``pitch`` working
        pixels.
    exemplars
        ``(n, 2)`` rows and columns of that map.
    density
        The density cut of the micrograph.
    exemplar_xy, unlabelled_xy, picked_xy
        ``(n, 2)`` descriptors along the two axes of largest variance.
    """

    micrograph_id: str
    cosine: NDArray[np.float32]
    exemplars: Floats
    density: DensityCut
    exemplar_xy: Floats
    unlabelled_xy: Floats
    picked_xy: Floats


def view_of(trainer: FewshotTrainer, told: Calibrated) -> FewshotView:
    """Look at the micrograph with most exemplars through the trained network."""
    counts = [len(image.particles_yx) for image in trainer.images]
    index = int(np.argmax(counts))
    image = trainer.images[index]
    scores = told.maps[image.micrograph_id]
    logits = scores.logits.cpu().numpy()
    peaks = find_peaks(scores, trainer.recipe.min_distance * PX_PER_DIAMETER, FLOOR, 10 * MOST)
    good = Cut(told.threshold).selects(calibrated(peaks.logit, told.calibration))
    picked = [
        (index, float(y), float(x)) for y, x in zip(peaks.y_px[good], peaks.x_px[good], strict=True)
    ]
    rng = np.random.default_rng((trainer.seed, SHOWN))
    picked = [picked[k] for k in rng.permutation(len(picked))[:MOST]]
    other = random_places([image], MOST, trainer.away, rng)
    places = [*trainer.exemplars, *((index, y, x) for _, y, x in other), *picked]
    shown = windows(trainer.images, places, [0] * len(places), [STILL] * len(places))
    flat = in_two_dimensions(trainer.embed(shown.to(trainer.device)).cpu().numpy())
    own, ends = len(trainer.exemplars), len(trainer.exemplars) + len(other)
    return FewshotView(
        image.micrograph_id,
        (np.tanh(logits) / SHY).astype(np.float32),
        scores.sampling.from_parent(image.particles_yx),
        density_cut(logits),
        flat[:own],
        flat[own:ends],
        flat[ends:],
    )


def in_two_dimensions(descriptors: NDArray[np.float32]) -> Floats:
    """Return ``(n, 2)`` coordinates along the two axes of largest variance of ``(n, size)``."""
    centred = descriptors.astype(np.float64) - descriptors.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    flat: Floats = centred @ axes[:2].T
    return flat
