"""What a network finds in the training images, and which of it is labelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.models.networks.dense import DenseNetwork
from frostpick.picking.peaks import Peaks
from frostpick.picking.selector import Selector
from frostpick.points import greedy_match, pairs_within
from frostpick.preprocess import WorkingImage
from frostpick.sampling import Sampling
from frostpick.training.examples import Points, Region, TrainingImage

Floats = NDArray[np.float64]
#: Picks a training image.
Look = Callable[[TrainingImage], Peaks]
#: Lowest logit of a pick while measuring.
FLOOR = -8.0
#: Most images that are picked to count particles and to fit scores.
COUNTED = 32
#: A pick within this fraction of a diameter of a label is that particle.
MATCH = 0.25


@dataclass(frozen=True)
class Found:
    """Picks of one region by descending logit, with the labels they match.

    Attributes
    ----------
    logit
        ``(n,)`` float64.
    matched
        ``(n,)`` bool, the pick lies on a labelled particle.
    label_logit
        ``(m,)`` float64, the logit of the pick on each label, ``-inf`` for none.
    """

    logit: Floats
    matched: NDArray[np.bool_]
    label_logit: Floats


def found_in(peaks: Peaks, image: TrainingImage, region: Region, px_per_diameter: float) -> Found:
    """Keep what lies in ``region`` of the picks of a training image, and match it with labels."""
    yx = np.stack([peaks.y_px, peaks.x_px], axis=1)
    inside = region.contains(yx)
    labels = image.particles_yx[region.contains(image.particles_yx)]
    return match(yx[inside], peaks.logit[inside], labels, MATCH * px_per_diameter)


def peaks_in(
    network: DenseNetwork,
    image: TrainingImage,
    *,
    px_per_diameter: float,
    min_distance: float,
    floor: float,
    device: torch.device,
    selector: Selector | None = None,
) -> Peaks:
    """Pick a whole training image, in working pixels.

    Parameters
    ----------
    min_distance
        Smallest distance between picks, in diameters.
    floor
        Lowest logit of a pick.
    selector
        How picks are found; greedy discs when None.
    """
    selector = selector or Selector(px_per_diameter=px_per_diameter)
    pixels = torch.from_numpy(np.array(image.pixels)).to(device)
    grid = Sampling.identity(image.pixels.shape, 1.0)
    scores = selector.map(network, WorkingImage(pixels, grid))
    most = 16 + int(5 * 1.15 * image.pixels.size / px_per_diameter**2)
    return selector.peaks(
        scores,
        diameter_px=px_per_diameter,
        min_distance_px=min_distance * px_per_diameter,
        floor_logit=floor,
        max_peaks=most,
    )


def looking(
    network: DenseNetwork,
    *,
    px_per_diameter: float,
    min_distance: float,
    device: torch.device,
    selector: Selector | None = None,
) -> Look:
    """Return what picks training images with a network, each image once; as `peaks_in`."""
    seen: dict[str, Peaks] = {}

    def look(image: TrainingImage) -> Peaks:
        if image.micrograph_id not in seen:
            seen[image.micrograph_id] = peaks_in(
                network,
                image,
                px_per_diameter=px_per_diameter,
                min_distance=min_distance,
                floor=FLOOR,
                device=device,
                selector=selector,
            )
        return seen[image.micrograph_id]

    return look


def match(yx: Points, logit: Floats, labels: Points, reach: float) -> Found:
    """Match picks, best first, one to one with the nearest free label within ``reach``."""
    pick, label, apart = pairs_within(yx, labels, reach)
    found = greedy_match(pick, label, -np.hypot(*apart.T), np.arange(len(yx)), len(labels))
    matched = found >= 0
    label_logit = np.full(len(labels), -np.inf)
    label_logit[found[matched]] = logit[matched]
    return Found(logit, matched, label_logit)


def joined(parts: Sequence[Found]) -> Found:
    """Pool what was found in several regions, by descending logit."""
    logit = np.concatenate([p.logit for p in parts]) if parts else np.zeros(0)
    order = np.argsort(-logit, kind="stable")
    matched = np.concatenate([p.matched for p in parts]) if parts else np.zeros(0, bool)
    labels = np.concatenate([p.label_logit for p in parts]) if parts else np.zeros(0)
    return Found(logit[order], matched[order], labels)


def recall_among(found: Found, count: int) -> float:
    """Return the share of the labels that are among the ``count`` best picks.

    Labels that are missing cost it nothing, as long as ``count`` is the number of particles.
    """
    if not len(found.label_logit):
        return 0.0
    lowest = found.logit[min(count, len(found.logit)) - 1] if count and len(found.logit) else np.inf
    return float((found.label_logit >= lowest).mean())


def average_precision(found: Found) -> float:
    """Return AP against incomplete labels: a lower bound, good for comparing epochs."""
    if not len(found.label_logit):
        return 0.0
    hits = np.cumsum(found.matched)
    precision = hits / np.arange(1, len(hits) + 1)
    return float(precision[found.matched].sum() / len(found.label_logit))
