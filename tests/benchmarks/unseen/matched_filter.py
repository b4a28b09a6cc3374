"""The matched filter with the true structure: about the limit of what can be found.

Every view of the structure (and of both species), about 15 degrees apart, under the true
contrast transfer and at the true strength, is laid over the whitened micrograph. The score is the
log-likelihood ratio of the best view, ``<x, t> - |t|^2 / 2`` with products weighted by one over
the power of the noise (Kay, Fundamentals of Statistical Signal Processing II, 4.3), which is known
too. Picks on junk are removed by the true mask.

The thousands of views are written in the few hundred patterns that span them (a singular
value decomposition), so that each of those alone is correlated by Fourier transform.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from accuracy.matching import match_picks
from numpy.typing import NDArray
from scipy import fft, ndimage

from frostpick.runtime.atomic import write_text
from frostpick.types import Picks
from unseen.noise import power
from unseen.optics import Optics, frequency, projected
from unseen.proteins import Protein, protein
from unseen.sets import UnseenSet, version
from unseen.symmetry import directions, view_rotation

Float = NDArray[np.float64]

STEP_DEGREES = 15.0
#: Pixels a diameter that micrographs are brought to, and side of a view in diameters.
WORKING, BOX = 20.0, 1.6
#: Share of the views' energy that the patterns hold, and most of them.
ENERGY, PATTERNS = 0.98, 200
#: Pixels that are scored at once.
CHUNK = 2048
#: Every second pixel is scored, the others where a neighbour is among this share of the best.
PROMISING = 0.08
#: Waves across the image below which the ice gradient rules.
GRADIENT = 3.0
#: Least distance of two picks in diameters, and most picks a micrograph.
APART, MOST = 0.58, 300
#: Turns with the version of the sets when the filter's own numbers change.
FORMAT = 1


def binned(image: Float, shape: tuple[int, int]) -> Float:
    """Return an image on a coarser grid by Fourier crop; values are means, not sums."""
    terms = fft.rfft2(image)
    rows = fft.fftfreq(shape[0], 1 / shape[0]).astype(int)
    kept = terms[rows][:, : shape[1] // 2 + 1]
    return fft.irfft2(kept, shape) * (shape[0] * shape[1] / image.size)


@cache
def views(name: str, pixel_A: float, side: int) -> NDArray[np.complex64]:
    """Return the Fourier transform of every view of a protein, ``(k, side, side // 2 + 1)``.

    The centre of mass is on pixel ``side // 2``.
    """
    return _views(protein(name), pixel_A, side)


def _views(one: Protein, pixel_A: float, side: int) -> NDArray[np.complex64]:
    spin = np.arange(0.0, 360.0, STEP_DEGREES)
    found = []
    for body, symmetry in [
        (body, one.symmetry if kind == "whole" else one.part_symmetry)
        for kind, body in one.species.items()
    ]:
        rot, tilt = directions(STEP_DEGREES, symmetry)
        angles = np.column_stack(
            [np.repeat(rot, len(spin)), np.repeat(tilt, len(spin)), np.tile(spin, len(rot))]
        )
        for turn in view_rotation(*angles.T):
            flat = turn.apply(body.centred.xyz)[:, :2] / pixel_A + side // 2
            found.append(projected(flat, body.weight, (side, side), pixel_A).astype(np.complex64))
    return np.stack(found)


def noise_power(full: tuple[int, int], shape: tuple[int, int], meta: Mapping[str, Any]) -> Float:
    """Return the power of a micrograph's noise on a coarser grid, on the half plane.

    The law it was drawn from; the lowest terms, where the ice gradient lies, are given none
    of the weight.
    """
    optics = Optics(meta["pixel_A"], meta["defocus_A"], meta["B"])
    whole = power(optics, full, meta["law"], meta["noise_struct_frac"]) * meta["noise_scale"] ** 2
    rows = fft.fftfreq(shape[0], 1 / shape[0]).astype(int)
    kept = whole[rows][:, : shape[1] // 2 + 1] * (shape[0] * shape[1] / (full[0] * full[1]))
    return np.where(frequency(shape) * min(shape) < GRADIENT, kept.max() * 1e3, kept)


def likelihood(
    image: Float, noise: Float, terms: NDArray[np.complex64], transfer: Float, scale: float
) -> NDArray[np.float32]:
    """Return the log-likelihood ratio of the best view at every pixel of an image.

    Parameters
    ----------
    noise
        Its power on the half plane of the image.
    terms, transfer
        Views and contrast transfer on the half plane of a box.
    scale
        What the views are multiplied by.
    """
    side = terms.shape[1]
    patches = fft.irfft2(terms * (transfer * scale).astype(np.float32), (side, side))
    flat = patches.reshape(len(patches), -1).astype(np.float32)
    # |t|^2 / P on the box, the power interpolated to its frequencies.
    k, kb = frequency(image.shape).ravel(), frequency((side, side))
    order = np.argsort(k)
    on_box = np.interp(kb, k[order], noise.ravel()[order])
    twice = np.full(kb.shape[1], 2.0)
    twice[0] = 1.0
    twice[-1] = 1.0 if side % 2 == 0 else 2.0
    energy = np.abs(fft.rfft2(patches)) ** 2 / on_box * twice
    norm = (energy.sum(axis=(1, 2)) / side**2).astype(np.float32)
    amount, patterns = _spanned(flat)
    whitened = fft.rfft2(image) / noise
    padded = np.zeros(image.shape)
    maps = np.empty((len(patterns), image.size), np.float32)
    for number, pattern in enumerate(patterns):
        padded[:side, :side] = pattern.reshape(side, side)
        found = fft.irfft2(whitened * np.conj(fft.rfft2(padded)), image.shape)
        maps[number] = np.roll(found, (side // 2, side // 2), (0, 1)).ravel()
    return _best(amount, maps, norm, image.shape)


def _best(
    amount: NDArray[np.float32],
    maps: NDArray[np.float32],
    norm: NDArray[np.float32],
    shape: tuple[int, int],
) -> NDArray[np.float32]:
    """Return the best view's score at every pixel that may hold a peak, -inf at the others."""
    best = np.full(shape[0] * shape[1], -np.inf, np.float32)

    def score(pixels: NDArray[np.int64]) -> None:
        for start in range(0, len(pixels), CHUNK):
            some = pixels[start : start + CHUNK]
            scores = amount @ np.ascontiguousarray(maps[:, some])
            scores -= norm[:, None] / 2
            best[some] = scores.max(axis=0)

    y, x = np.indices(shape)
    first = ((y + x) % 2 == 0).ravel()
    score(np.flatnonzero(first))
    high = (best >= np.quantile(best[first], 1 - PROMISING)).reshape(shape)
    near = ndimage.binary_dilation(high, np.ones((3, 3))).ravel()
    score(np.flatnonzero(near & ~first))
    return best.reshape(shape)


def _spanned(flat: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return coordinates ``(k, r)`` and orthonormal patterns ``(r, n)`` of views ``(k, n)``."""
    values, vectors = np.linalg.eigh(flat.T @ flat)
    share = np.cumsum(values[::-1]) / values.sum()
    count = min(PATTERNS, int(np.searchsorted(share, ENERGY)) + 1)
    patterns = np.ascontiguousarray(vectors[:, ::-1][:, :count].T)
    return flat @ patterns.T, patterns


def filter_micrograph(
    image: Float,
    mask: NDArray[np.uint8] | None,
    meta: Mapping[str, Any],
    name: str,
) -> tuple[Float, Float, Float]:
    """Return column, row and score of the picks on one micrograph, best first.

    Parameters
    ----------
    image
        The micrograph at its own sampling.
    meta
        What `micrograph.simulate` says of it.
    name
        Of the protein.
    """
    factor = WORKING / meta["diameter_px"]
    shape = (2 * round(image.shape[0] * factor / 2), 2 * round(image.shape[1] * factor / 2))
    step = image.shape[0] / shape[0]
    pixel_A = meta["pixel_A"] * step
    side = 2 * round(BOX * WORKING / 2)
    junk = np.zeros(shape, np.bool_)
    if mask is not None:
        rows = np.minimum((np.arange(shape[0]) * step).round().astype(int), image.shape[0] - 1)
        ratio = image.shape[1] / shape[1]
        cols = np.minimum((np.arange(shape[1]) * ratio).round().astype(int), image.shape[1] - 1)
        junk = (mask > 0)[np.ix_(rows, cols)]
    coarse = binned(image, shape)
    coarse -= np.median(coarse[~junk])
    terms = views(name, pixel_A, side)
    transfer = Optics(pixel_A, meta["defocus_A"], meta["B"]).transfer((side, side))
    # Means of pixels, where the beads of the views are summed in larger ones.
    score = likelihood(
        np.where(junk, 0.0, coarse),
        noise_power(image.shape, shape, meta),
        terms,
        transfer,
        meta["scale"] / step**2,
    )
    y, x = _peaks(score, APART * WORKING)
    found = score[y, x].astype(float)
    dy, dx = _vertex(score, y, x)
    px, py = (x + dx) * image.shape[1] / shape[1], (y + dy) * step
    if mask is not None:
        at = (np.clip(py.round(), 0, image.shape[0] - 1).astype(int),)
        on = mask[at[0], np.clip(px.round(), 0, image.shape[1] - 1).astype(int)]
        px, py, found = px[on == 0], py[on == 0], found[on == 0]
    return px, py, found


def _peaks(
    score: NDArray[np.float32], distance: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the local maxima, best first, none nearer than a distance to a better one."""
    top = (score == ndimage.maximum_filter(score, size=3)) & np.isfinite(score)
    y, x = np.nonzero(top)
    order = np.argsort(-score[y, x], kind="stable")[: 20 * MOST]
    y, x = y[order], x[order]
    kept: list[int] = []
    for k in range(len(y)):
        apart = np.hypot(y[kept] - y[k], x[kept] - x[k]) if kept else np.array([np.inf])
        if np.all(apart >= distance):
            kept.append(k)
        if len(kept) == MOST:
            break
    return y[kept], x[kept]


def _vertex(
    score: NDArray[np.float32], y: NDArray[np.int64], x: NDArray[np.int64]
) -> tuple[Float, Float]:
    """Return the shift in rows and columns of the vertex of a parabola through each peak."""
    shifts = []
    for dy, dx in ((1, 0), (0, 1)):
        low = score[(y - dy) % score.shape[0], (x - dx) % score.shape[1]].astype(float)
        high = score[(y + dy) % score.shape[0], (x + dx) % score.shape[1]].astype(float)
        bend = np.nan_to_num(low - 2 * score[y, x] + high, nan=0.0, posinf=0.0, neginf=0.0)
        safe = np.where(bend < 0, bend, -1.0)
        slope = np.where(bend < 0, low, 0.0) - np.where(bend < 0, high, 0.0)
        shifts.append(np.clip(slope / (2 * safe), -0.5, 0.5))
    return shifts[0], shifts[1]


def kept_at(name: str, folder: Path) -> Path:
    """Return where the filter's result on a set is kept."""
    return folder / f"{name}-{version(name)}-{FORMAT}.json"


def filter_set(one: UnseenSet, folder: Path) -> dict[str, Any]:
    """Return the filter's picks on the test micrographs of a set and their AP; cached in a file.

    Returns
    -------
    dict
        ``ap``, ``cpu_s`` and ``picks``: by micrograph, lists of x, y and score.
    """
    import time

    import mrcfile

    name = one.data.name
    path = kept_at(name, folder)
    if path.exists():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    began = time.process_time()
    rows: dict[str, list[list[float]]] = {}
    test = one.data.test
    for key in test.names:
        image = np.asarray(mrcfile.read(test.micrographs / f"{key}.mrc"), np.float64)
        found = filter_micrograph(image, test.mask(key), one.meta[key], one.protein)
        rows[key] = [[round(float(v), 4) for v in column] for column in found]
    views.cache_clear()
    content: dict[str, Any] = {
        "set": name,
        "ap": average_precision(one, rows),
        "cpu_s": time.process_time() - began,
        "picks": rows,
    }
    write_text(path, json.dumps(content) + "\n")
    return content


def as_picks(rows: Mapping[str, list[list[float]]]) -> dict[str, Picks]:
    """Return picks as the scorer takes them."""
    return {key: Picks.from_xy(key, x, y, score=s) for key, (x, y, s) in rows.items()}


def average_precision(one: UnseenSet, rows: Mapping[str, list[list[float]]]) -> float:
    """Return the AP of the filter's picks, pooled over the test micrographs."""
    test, data = one.data.test, one.data
    found = match_picks(as_picks(rows), test.truth, test.names, test.shape, data.diameter_px)
    return found.average_precision()
