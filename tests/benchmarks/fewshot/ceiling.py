"""How much of a masked window there is to rebuild, and how much of it an encoder rebuilds.

Windows of simulated micrographs that nothing was trained on. What hidden patches hold is
known here: the drawn signal is the difference to the same micrograph, noise and all, drawn
without it. Shares of the variance of the hidden window pixels about the mean of all windows:

protein     whoever knew everything of protein exactly would explain that much
all signal  the same with carbon, crystals and specks; what is left is noise and the slow
            change of the ice
neighbours  explained by the best linear guess from the visible pixels, the micrograph's own
            autocovariance being known: a floor of what can be learned
encoder     explained by the masked autoencoder
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.models.card import PreprocessSpec
from frostpick.models.cryomae.autoencoder import MASKED, MaskedAutoencoder, random_masks
from frostpick.models.cryomae.geometry import (
    CROP,
    KERNEL,
    PITCH,
    PX_PER_DIAMETER,
    WINDOW,
    enlarged_patches,
)
from frostpick.preprocess import preprocess
from frostpick.preprocess.pipeline import working_scale
from frostpick.simulate import corpus
from frostpick.simulate.crowd import Points

#: Seed of a corpus that no shipped model has seen.
SEED = 77_001
#: Windows of each micrograph.
WINDOWS = 3

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Parts:
    """A working image, and what is drawn on it, ``(h, w)`` float32 each, in its grey levels."""

    whole: Image
    protein: Image
    signal: Image


def parts_of(seed: int, index: int) -> Parts:
    """Make a micrograph of the corpus with and without what is drawn on it.

    It is recorded without hot pixels and without rounding to grey levels.
    """
    images: list[Image] = []
    expose = corpus._expose  # noqa: SLF001

    def thrice(rng: Any, conditions: Any, grid: Any, layers: Any, protein: Any, *more: Any) -> Any:
        conditions = replace(conditions, hot_pixels=0, grey_levels=0)
        nothing = np.zeros_like(layers.phase)
        bare = replace(layers, phase=nothing, absorbed=nothing)
        drawn = ((layers, protein), (layers, Points()), (bare, Points()))
        for on, who in drawn:
            images.extend(expose(copy.deepcopy(rng), conditions, grid, on, who, *more))
        return images[:1]

    with mock.patch.object(corpus, "_expose", thrice):
        made = corpus.corpus_micrograph(seed, index)
    size = (made.pixel_size_A, made.diameter_A)
    scaled = [
        working_scale(one, *size, px_per_diameter=PX_PER_DIAMETER).data.numpy() for one in images
    ]
    spec = PreprocessSpec()
    whole = preprocess(images[0], *size, spec, px_per_diameter=PX_PER_DIAMETER).data.numpy()
    # normalising is linear but for the cut at 6 deviations, which the middle half does not meet
    middle = np.abs(whole) < np.median(np.abs(whole))
    gain = np.polyfit(scaled[0][middle].astype(float), whole[middle].astype(float), 1)[0]
    protein, signal = ((gain * (scaled[0] - without)).astype(np.float32) for without in scaled[1:])
    return Parts(whole, protein, signal)


def autocovariance(image: Image, reach: int) -> NDArray[np.float64]:
    """Return the covariance at shifts of -reach to reach along both axes, and 0 in the middle."""
    moved = image.astype(np.float64) - image.mean()
    shape = [n + reach for n in image.shape]
    power = np.abs(np.fft.rfft2(moved, shape)) ** 2
    # over all pixels, not over the pairs: so it stays a covariance, with no negative power
    both = np.fft.irfft2(power, shape) / image.size
    line = np.arange(-reach, reach + 1)
    return np.asarray(both[line[:, None], line[None, :]])


def linear_guess(
    crop: Image, seen: NDArray[np.bool_], covariance: NDArray[np.float64], mean: float
) -> Image:
    """Return the best linear guess of all pixels of a window from those seen (Wiener, kriging).

    Parameters
    ----------
    crop, seen
        ``(CROP, CROP)``.
    covariance
        From `autocovariance` with a reach of ``CROP - 1``.
    """
    at = np.argwhere(seen)
    everywhere = np.argwhere(np.ones_like(seen))
    known = _between(at, at, covariance)
    known[np.diag_indices_from(known)] += 1e-3 * covariance.max()
    weights = np.linalg.solve(known, crop[seen].astype(np.float64) - mean)
    guess = mean + _between(everywhere, at, covariance) @ weights
    return np.asarray(guess.reshape(crop.shape), np.float32)


def _between(
    a: NDArray[np.int64], b: NDArray[np.int64], covariance: NDArray[np.float64]
) -> NDArray[np.float64]:
    middle = covariance.shape[0] // 2
    dy, dx = (a[:, None, k] - b[None, :, k] + middle for k in (0, 1))
    return np.asarray(covariance[dy, dx])


def seen_pixels(kept: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the working pixels that the visible tokens are made of, ``(CROP, CROP)``."""
    seen = np.zeros((CROP, CROP), np.bool_)
    for token in kept:
        y, x = (PITCH * int(n) for n in divmod(int(token), WINDOW))
        seen[y : y + KERNEL, x : x + KERNEL] = True
    return seen


def explained(
    network: MaskedAutoencoder, micrographs: int, seed: int = SEED
) -> dict[str, tuple[float, float]]:
    """Return the shares of the variance of hidden window pixels that are explained.

    Returns
    -------
    dict
        ``variance``, and the four shares: of all windows together, where those with carbon and
        crystals weigh most, and the median over micrographs, about the mean of each one's.
    """
    generator = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)
    found = []
    for index in range(micrographs):
        parts = parts_of(seed, index)
        if min(parts.whole.shape) >= CROP:
            found.append(_hidden(network, parts, rng, generator))
    together = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
    each = [_shares(one) for one in found]
    return {
        name: (share, float(np.median([one[name] for one in each])))
        for name, share in _shares(together).items()
    }


def _hidden(
    network: MaskedAutoencoder, parts: Parts, rng: np.random.Generator, generator: torch.Generator
) -> dict[str, Image]:
    """Return the hidden pixels of windows of a micrograph: as they are, and by every guess."""
    covariance = autocovariance(parts.whole, CROP - 1)
    level = float(parts.whole.mean())
    out: dict[str, list[Image]] = {}
    for tokens in random_masks(WINDOWS, MASKED, generator):
        y, x = (int(rng.integers(n - CROP + 1)) for n in parts.whole.shape)
        cut = (slice(y, y + CROP), slice(x, x + CROP))
        crop = np.ascontiguousarray(parts.whole[cut])
        with torch.inference_mode():
            _, patches = network(torch.from_numpy(crop)[None, None], tokens[None])
        images = {
            "truth": crop,
            "protein": parts.protein[cut],
            "all signal": parts.signal[cut],
            "neighbours": linear_guess(crop, seen_pixels(tokens.numpy()), covariance, level),
        }
        guesses = {k: enlarged_patches(torch.tensor(v)[None, None]) for k, v in images.items()}
        hidden = np.setdiff1d(np.arange(WINDOW**2), tokens.numpy())
        for name, guess in {**guesses, "encoder": patches}.items():
            out.setdefault(name, []).append(guess[0, hidden].numpy())
    return {name: np.stack(some) for name, some in out.items()}


def _shares(hidden: dict[str, Image]) -> dict[str, float]:
    truth = hidden["truth"]
    variance = float(truth.var())
    shares = {"variance": variance}
    for name, guess in hidden.items():
        if name != "truth":
            rest = truth - guess
            # what is drawn leaves the level of the ice open; a guess does not
            drawn = name in ("protein", "all signal")
            error = rest.var() if drawn else np.square(rest).mean()
            shares[name] = float(1 - error / variance)
    return shares
