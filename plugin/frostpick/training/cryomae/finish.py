"""From a trained encoder to a picking model: exemplars, calibration, card."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from torch.nn.functional import normalize

from frostpick.models.card import CalibrationSpec
from frostpick.models.cryomae.exemplar import ExemplarNetwork, cosine_logit, matched
from frostpick.models.cryomae.geometry import PITCH, PX_PER_DIAMETER
from frostpick.picking.calibration import calibrated
from frostpick.picking.calibration_fit import fit_calibration
from frostpick.picking.dense import ScoreMap, score_map
from frostpick.picking.inference import InferenceNetwork
from frostpick.picking.selectors.disc_nms import find_peaks
from frostpick.picking.threshold import choose_threshold
from frostpick.preprocess import WorkingImage
from frostpick.runtime.evenly_spread import evenly_spread
from frostpick.runtime.precision import native_precision
from frostpick.runtime.reporter import Reporter
from frostpick.sampling import Sampling
from frostpick.training.cryomae.exemplars import Place, cut, turned
from frostpick.training.cryomae.score_mixture import ScoreMixture, fit_mixture
from frostpick.training.cryomae.trainer import FewshotTrainer
from frostpick.training.examples import TrainingImage
from frostpick.training.measure import MATCH, match
from frostpick.training.prior import packing_limit
from frostpick.types import sigmoid

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]

#: Cells around an exemplar, to each side, in which its best score is looked for.
AROUND = 1
#: Lowest logit of a pick while calibrating: a cosine of -.96.
FLOOR = -2.0
#: Micrographs without exemplars that the calibration looks at.
OTHERS = 7
#: Slope before any data, in logits of cosines, and how far the offset may be from 0 (it is
#: about minus the slope). Particles spread by .25: slopes of 11 to 19 were seen.
SLOPE, OFFSET_SPREAD = 12.0, 100.0
#: Share of the fitted slope that is kept. A mixture of two knows of no junk that looks like a
#: particle, nor of micrographs unlike those at hand: by itself it is too sure. Chosen by F1 at
#: the threshold and by calibration error on training micrographs of four development sets;
#: with one of them left out it is .6 three times and .7 once.
KEPT = 0.6
#: Of a number of particles that the user gives, the share that at least is found: particles
#: may look like nothing, and a threshold that finds them all finds much else.
FINDABLE = 2 / 3


@dataclass(frozen=True)
class Calibrated:
    """What the micrographs tell about the scores.

    Attributes
    ----------
    expected
        Particles a micrograph, given or estimated.
    maps
        Scores of the micrographs that were looked at, in working pixels.
    """

    calibration: CalibrationSpec
    threshold: float
    expected: float
    maps: Mapping[str, ScoreMap]


def exemplar_network(trainer: FewshotTrainer) -> tuple[ExemplarNetwork, torch.Tensor]:
    """Return the scorer of a trained encoder in evaluation mode, and its exemplars.

    The exemplars' descriptors, ``(4 * exemplars, size)`` by quarter turns, are taken as a
    micrograph is scored: from the shared encoding, not from windows. The scorer holds them
    `pulled` together.
    """
    encoder, recipe = trainer.network.encoder, trainer.recipe
    count = 4 * len(trainer.exemplars)
    network = ExemplarNetwork(trainer.network.name, count, recipe.matching)
    network.encoder.load_state_dict(encoder.state_dict())
    head = network.head
    centre, spread = trainer.standard()
    head.get_buffer("centre").copy_(centre)
    head.get_buffer("spread").copy_(spread)
    network = network.to(trainer.device).eval().requires_grad_(False)
    found = [
        _described(network, trainer, place, turn, 0)
        for place in trainer.exemplars
        for turn in range(4)
    ]
    own = torch.cat(found).view(count, -1)
    head.get_buffer("exemplars").copy_(pulled(own, recipe.pull))
    return network, own


def pulled(descriptors: torch.Tensor, share: float) -> torch.Tensor:
    """Return unit descriptors ``(m, size)`` drawn towards their common direction.

    An exemplar is one noisy picture, and whatever resembles its noise resembles it; what
    exemplars have in common is no noise. The share is that of the common direction in the sum:
    0 leaves all as they are, 1 makes them one.
    """
    common = normalize(descriptors.mean(0), dim=0)
    return normalize((1 - share) * descriptors + share * common, dim=-1)


def exemplar_logits(
    network: ExemplarNetwork, trainer: FewshotTrainer, own: torch.Tensor
) -> NDArray[np.float64]:
    """Return the logit that each exemplar would have as a pick, were it no exemplar: ``(n,)``.

    Parameters
    ----------
    own
        From `exemplar_network`.
    """
    logits = []
    for k, place in enumerate(trainer.exemplars):
        seen = _described(network, trainer, place, 0, AROUND)
        others = torch.cat([own[: 4 * k], own[4 * k + 4 :]])
        if not len(others):  # a single exemplar has its own turns only
            others = own[1:]
        others = pulled(others, trainer.recipe.pull)
        cosine = matched(seen, others, trainer.recipe.matching)
        logits.append(float(cosine_logit(cosine.amax())))
    return np.array(logits)


def calibrate(
    network: ExemplarNetwork,
    trainer: FewshotTrainer,
    own: torch.Tensor,
    expected: float | None,
    reporter: Reporter,
) -> Calibrated:
    """Fit the score on the exemplars' micrographs and some others.

    Every exemplar counts with the logit it has by the other exemplars. What else is picked is
    told apart by `frostpick.training.cryomae.score_mixture.fit_mixture`.

    Parameters
    ----------
    own
        From `exemplar_network`.
    expected
        Particles a micrograph, where the user knows.
    reporter
        Asked to stop at each micrograph.
    """
    with_some = [image for image in trainer.images if len(image.particles_yx)]
    without = [image for image in trainer.images if not len(image.particles_yx)]
    images = with_some + evenly_spread(without, OTHERS, "starts")
    known = exemplar_logits(network, trainer, own)
    ready = InferenceNetwork(network, trainer.device, native_precision(trainer.device))
    reach = trainer.recipe.min_distance * PX_PER_DIAMETER
    maps, picks = {}, []
    for image in images:
        reporter.check()
        maps[image.micrograph_id] = _scores(ready, image, trainer.device)
        picks.append(_unmatched(maps[image.micrograph_id], image, reach))
    limits = (0.0, packing_limit(images, PX_PER_DIAMETER))
    if expected is not None:
        limits = (FINDABLE * expected, expected)
    mixture = mixture_within(picks, known, limits)
    calibration = calibration_of(mixture, picks, known)
    estimate = (mixture.particles + len(known)) / len(images)
    log.info("about %.0f particles a micrograph, by %d micrographs", estimate, len(images))
    threshold = choose_threshold(calibrated(np.concatenate([known, *picks]), calibration), "auto")
    return Calibrated(calibration, threshold, estimate if expected is None else expected, maps)


def mixture_within(
    picks: Sequence[Floats], known: Floats, limits: tuple[float, float]
) -> ScoreMixture:
    """Fit a mixture whose particles a micrograph, the known ones included, lie within limits."""
    mixture = fit_mixture(picks, known)
    found = mixture.particles + len(known)
    least, most = (len(picks) * limit for limit in limits)
    wanted = max(min(found, most), least)
    if wanted == found:
        return mixture
    return fit_mixture(picks, known, max(0.0, wanted - len(known)))


def calibration_of(
    mixture: ScoreMixture, picks: Sequence[Floats], known: Floats
) -> CalibrationSpec:
    """Return slope and offset by a mixture: `KEPT` of the slope, and as many particles."""
    logit = np.concatenate([known, *picks])
    particle = np.concatenate([np.ones(len(known)), *mixture.probability])
    fit = fit_calibration(logit, particle, 1.0, slope=SLOPE, offset_spread=OFFSET_SPREAD)
    slope = KEPT * fit.slope
    total = min(float(particle.sum()), 0.999 * len(particle))
    ends = -slope * float(logit.max()) - 20.0, 20.0 - slope * float(logit.min())
    offset = brentq(lambda x: float(sigmoid(slope * logit + x).sum()) - total, *ends)
    return CalibrationSpec(slope=slope, offset=float(offset), fitted_on="exemplars and picks")


def _scores(ready: InferenceNetwork, image: TrainingImage, device: torch.device) -> ScoreMap:
    pixels = torch.from_numpy(np.array(image.pixels)).to(device)
    grid = Sampling.identity(image.pixels.shape, 1.0)  # picks in working pixels
    return score_map(ready, WorkingImage(pixels, grid))


def _unmatched(scores: ScoreMap, image: TrainingImage, reach: float) -> NDArray[np.float64]:
    """Return the logits of the picks, ``reach`` apart, on an image that are no exemplars."""
    most = 16 + int(5 * packing_limit([image], PX_PER_DIAMETER))
    peaks = find_peaks(scores, reach, FLOOR, most)
    yx = np.stack([peaks.y_px, peaks.x_px], axis=1)
    found = match(yx, peaks.logit, image.particles_yx, MATCH * PX_PER_DIAMETER)
    return found.logit[~found.matched]


def _described(
    network: ExemplarNetwork, trainer: FewshotTrainer, place: Place, turn: int, cells: int
) -> torch.Tensor:
    """Return the unit descriptors of a place, and of ``cells`` cells around it."""
    index, y, x = place
    half = network.receptive_field // 2 + cells * PITCH
    square = np.ascontiguousarray(turned(cut(trainer.images[index].pixels, y, x, half), turn))
    pixels = torch.from_numpy(square)[None, None].to(trainer.device)
    with torch.inference_mode():
        with torch.autocast(trainer.device.type, torch.bfloat16, enabled=trainer.autocast):
            pooled = network.pooling.dense(network.encoder.dense(pixels))
        return network.head.standardised(pooled)
