"""Training micrographs without end, each of its own protein, optics, noise and junk.

A picker learns from them what particles have in common. Half of the proteins are assemblies of
real chains (`frostpick.simulate.proteins.structures`), half are made up.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, gaussian_filter

from frostpick.simulate.camera.conditions import Conditions, random_conditions
from frostpick.simulate.camera.noise import thickness
from frostpick.simulate.crowd import CELL, Points, place_particles
from frostpick.simulate.debris import Debris, random_debris
from frostpick.simulate.ice.fields import smooth_field
from frostpick.simulate.ice.foils import draw_carbon, draw_vacuum
from frostpick.simulate.ice.layers import Decoy, Layers
from frostpick.simulate.ice.random_ice import draw_ice
from frostpick.simulate.micrograph import SimulatedMicrograph
from frostpick.simulate.proteins.outline import outline
from frostpick.simulate.proteins.projection import scatter_points
from frostpick.simulate.proteins.protein import SURFACE_SIGMAS, Protein
from frostpick.simulate.proteins.specimen import Specimen, random_specimen, with_second_species
from frostpick.simulate.proteins.views import random_angles
from frostpick.simulate.truth import MASK_LABELS, PARTICLE, SimulatedTruth

Float = NDArray[np.float64]
Image = NDArray[np.float32]
Generator = np.random.Generator

_STREAM = 4  # of the random numbers: none of those of `simulate`
_HALVES = 5  # of those that tell the even frames from the odd ones
_BASE_LEVEL = 10.0  # mean intensity, in standard deviations of the noise
_EMPTY = 0.04  # share of micrographs with no particle though there was room
_WORSE = 3.0  # times as often is the ice of these bad
_TWO_SPECIES = 0.08  # share with two kinds of particle of about one size
_BARE = 0.5  # share of those without junk of protein, too: plain ice


def corpus_micrograph(seed: int, index: int, without: tuple[str, ...] = ()) -> SimulatedMicrograph:
    """Make micrograph ``index`` (0-based) of a corpus; it depends on the arguments alone.

    Every one shows another protein at another scale, with all of its conditions drawn
    anew: 22 to 56 pixels a diameter, 400 to 750 pixels a side. About one in ten has no particle:
    4 % by choice, half of these with nothing of protein at all, the others on carbon, gold,
    crystalline or thick ice all over, or in a hole without ice.

    Parameters
    ----------
    without
        Shapes of `frostpick.simulate.proteins.specimen.SHAPES` that no particle has.

    Returns
    -------
    SimulatedMicrograph
        Each member of an aggregate has its own row in the truth, and so has each stretch
        of a strand; ``mask`` covers what is no particle.
    """
    return _micrographs(seed, index, without, halves=False)[0]


def corpus_pair(seed: int, index: int) -> tuple[SimulatedMicrograph, SimulatedMicrograph]:
    """Make micrograph ``index`` of a corpus as two, of the even and of the odd frames.

    They share all but the counting noise, which has twice the variance in each and is
    independent: noise-to-noise pairs (Lehtinen et al. 2018). Before the grey levels are
    rounded their mean is `corpus_micrograph` of the same numbers; the pairs are not rounded.
    """
    even, odd = _micrographs(seed, index, (), halves=True)
    return even, odd


def _micrographs(
    seed: int, index: int, without: tuple[str, ...], *, halves: bool
) -> list[SimulatedMicrograph]:
    """Return the micrograph alone, or its two halves."""
    rng = np.random.default_rng([seed, index, _STREAM])
    conditions = random_conditions(rng)
    specimen = random_specimen(rng, conditions.diameter_A, without=without)
    if rng.random() < _TWO_SPECIES:
        specimen = with_second_species(rng, specimen)
    grid = _Grid(conditions)
    layers = Layers.empty(conditions.canvas)
    debris = random_debris(rng, specimen, conditions)
    vacuum = draw_vacuum(rng, layers, conditions)
    if vacuum:  # noise that comes of the camera alone is white
        conditions = replace(conditions, red_power=0.05 * conditions.red_power, ripple=0.0)
    empty = vacuum or rng.random() < _EMPTY
    if vacuum or (empty and rng.random() < _BARE):
        debris = Debris(conditions, specimen)
    gain, typical = _gain(rng, specimen.protein, conditions)
    for kind, points in debris.points.items():
        _mark(layers, kind, points, specimen.protein, conditions, typical)
    if not vacuum:
        draw_ice(rng, layers, conditions, often=_WORSE if empty else 1.0)
    bare = draw_carbon(rng, layers, conditions) or empty
    rows, columns = (n // CELL * CELL for n in conditions.canvas)
    cells = layers.mask[:rows, :columns].reshape(rows // CELL, CELL, columns // CELL, CELL)
    blocked = np.pad(cells.any((1, 3)), ((0, 1), (0, 1)), constant_values=True)
    if bare:
        blocked[:] = True
    particles, centres, angles = place_particles(rng, specimen, conditions, blocked)
    protein = Points()
    for part in (particles, debris.dust, *debris.points.values()):
        protein.xy_px += part.xy_px
        protein.weights += part.weights
    apart = np.random.default_rng([seed, index, _HALVES]) if halves else None
    truth, outlines = _truth(
        conditions,
        centres,
        angles,
        debris.decoys + layers.decoys,
        _outlines(specimen, conditions, particles, centres),
    )
    images = _expose(rng, conditions, grid, layers, protein, specimen, gain, apart)
    return [
        SimulatedMicrograph(
            f"corpus_{seed}_{index:06d}",
            image,
            conditions.pixel_size_A,
            conditions.diameter_A,
            truth,
            layers.mask[conditions.window].copy(),
            conditions.ctf,
            conditions.snr,
            outlines,
            (specimen.extents_A[0] / conditions.diameter_A, 1.0),
        )
        for image in images
    ]


class _Grid:
    """Spatial frequencies of the canvas, and the transfer of the microscope on them."""

    def __init__(self, conditions: Conditions) -> None:
        ny, nx = conditions.canvas
        ky = scipy.fft.fftfreq(ny, conditions.pixel_size_A)[:, None]
        kx = scipy.fft.rfftfreq(nx, conditions.pixel_size_A)[None, :]
        self.k2 = kx * kx + ky * ky
        c, s = np.cos(2 * conditions.axis), np.sin(2 * conditions.axis)
        uneven = conditions.astigmatism * (c * (kx * kx - ky * ky) + 2 * s * kx * ky)
        self.ctf = conditions.ctf(np.sqrt(self.k2 + uneven)).astype(np.float32)


def _gain(rng: Generator, protein: Protein, conditions: Conditions) -> tuple[float, float]:
    """Return the factor that gives a lone particle the variance ``snr``, and its usual density.

    The variance is that inside the circle of one diameter after the CTF, as
    `frostpick.simulate.exposure.signal_gain` has it, over 8 orientations in tiles; the
    density is the mean over the projections, weighted by itself, before the gain.
    """
    d = conditions.diameter_px
    side = scipy.fft.next_fast_len(int(2.5 * d) + 8, real=True)
    middle = (side - 1) / 2
    tiles = np.zeros((8, side, side), np.float32)
    for tile, angles in zip(tiles, random_angles(rng, 8), strict=True):
        points = Points()
        points.add(protein, angles, np.array([middle, middle]), conditions.pixel_size_A)
        tile += scatter_points(points.joined(), (side, side))
    ky = scipy.fft.fftfreq(side, conditions.pixel_size_A)[:, None]
    kx = scipy.fft.rfftfreq(side, conditions.pixel_size_A)[None, :]
    k2 = kx * kx + ky * ky
    spectra = scipy.fft.rfft2(tiles) * _blob(protein, k2)
    dense = scipy.fft.irfft2(spectra, s=(side, side)).clip(0)
    seen = scipy.fft.irfft2(spectra * conditions.ctf(np.sqrt(k2)), s=(side, side))
    y, x = np.ogrid[:side, :side]
    inside = np.hypot(x - middle, y - middle) <= d / 2
    variance = float(seen[:, inside].var(axis=1).mean())
    typical = float((dense * dense).sum() / dense.sum())
    return float(np.sqrt(conditions.snr / variance)), typical


def _blob(protein: Protein, k2: Float) -> Image:
    """Return the Fourier transform of one blob of unit mass."""
    return np.exp(-2 * np.pi**2 * protein.sigma_A**2 * k2).astype(np.float32)


def _mark(
    layers: Layers,
    kind: str,
    points: Points,
    protein: Protein,
    conditions: Conditions,
    typical: float,
) -> None:
    """Mark where junk is at least a quarter as dense as a particle; pale micelles, where less."""
    if not points.xy_px:
        return
    xy, weights = points.joined()
    ny, nx = layers.mask.shape  # even
    share = 0.08 if kind == "free_micelle" else 0.25  # of protein; detergent is pale
    coarse = scatter_points((xy / 2 - 0.25, np.abs(weights) / 4), (ny // 2, nx // 2))
    coarse = gaussian_filter(coarse, max(0.5, protein.sigma_A / conditions.pixel_size_A / 2))
    found = np.repeat(np.repeat(coarse > share * typical, 2, axis=0), 2, axis=1)
    layers.mask[found] = MASK_LABELS[kind]


def _expose(
    rng: Generator,
    conditions: Conditions,
    grid: _Grid,
    layers: Layers,
    protein: Points,
    specimen: Specimen,
    gain: float,
    apart: Generator | None = None,
) -> list[Image]:
    """Return the micrograph: one transform each way for all that the CTF acts on.

    With ``apart``, a generator of its own, the even and the odd half of the dose instead.
    """
    shape = conditions.canvas
    ice = thickness(rng, shape)
    level = np.float32(conditions.thickness) * ice
    if conditions.ripple:
        scale = rng.uniform(1.5, 6) * conditions.diameter_px
        level += np.float32(conditions.ripple) * smooth_field(rng, shape, scale)
    # amorphous matter: noise before the CTF, scaled so that it has its share after it
    strength = np.sqrt(conditions.structural / _mean_power(grid.ctf, shape))
    rough = rng.standard_normal(shape, dtype=np.float32)
    rough *= np.float32(strength) * (1 + layers.texture) * (1 + np.float32(0.15) * ice)
    rough += layers.phase
    spectrum = scipy.fft.rfft2(rough)
    if protein.xy_px:
        drawn = scipy.fft.rfft2(scatter_points(protein.joined(), shape))
        spectrum += drawn * (np.float32(gain) * _blob(specimen.protein, grid.k2))
    spectrum *= grid.ctf
    if conditions.red_power:
        spectrum += _red_spectrum(rng, conditions, grid)
    image: Image = scipy.fft.irfft2(spectrum, s=shape)
    absorbed = layers.absorbed - level
    image += absorbed
    if conditions.motion is not None:
        image = conditions.motion.smear(image)
    image += _counting_noise(rng, absorbed, conditions)
    image = image[conditions.window]
    if apart is None:
        return [_record(rng, image, conditions)]
    # the sum and the difference of two independent noises of equal variance are independent
    shift = _counting_noise(apart, absorbed, conditions)[conditions.window]
    plain = replace(conditions, grey_levels=0)
    return [_record(copy.deepcopy(rng), image + d, plain) for d in (shift, -shift)]


def _counting_noise(rng: Generator, absorbed: Image, conditions: Conditions) -> Image:
    """Return the white noise of the whole dose."""
    white = rng.standard_normal(absorbed.shape, dtype=np.float32)
    white *= np.float32(np.sqrt(1 - conditions.structural))
    if conditions.shot:  # as if the mean of 10 were that many times the noise
        white *= np.sqrt(np.clip(1 + absorbed / np.float32(_BASE_LEVEL), 0.05, 3.0))
    return white


def _mean_power(transfer: Image, shape: tuple[int, int]) -> float:
    """Return the variance of white noise of variance 1 after a transfer, in rfft2 layout."""
    power = np.square(transfer, dtype=np.float64)
    twice = 2 * power.sum() - power[:, 0].sum()
    if shape[1] % 2 == 0:
        twice -= power[:, -1].sum()
    return float(twice / (shape[0] * shape[1]))


def _red_spectrum(rng: Generator, conditions: Conditions, grid: _Grid) -> NDArray[np.complex64]:
    """Return the transform of noise as `frostpick.simulate.camera.noise.red`, of any slope."""
    lowest = 1.0 / (16.0 * conditions.diameter_A)
    k = np.sqrt(np.maximum(grid.k2, lowest * lowest)) * conditions.diameter_A
    amplitude = (k**-conditions.red_slope).astype(np.float32)
    amplitude *= np.float32(np.sqrt(0.5 * conditions.red_power * np.prod(conditions.canvas)))
    amplitude[0, 0] = 0.0
    # the inverse transform keeps only the symmetric half of the first column
    amplitude[:, 0] *= np.float32(np.sqrt(2.0))
    parts = rng.standard_normal((*amplitude.shape, 2), dtype=np.float32)
    spectrum: NDArray[np.complex64] = parts.view(np.complex64)[..., 0] * amplitude
    return spectrum


def _record(rng: Generator, image: Image, conditions: Conditions) -> Image:
    """Return what is written to disk: smoothed, with hot pixels, in few grey levels."""
    out = np.ascontiguousarray(image + np.float32(_BASE_LEVEL))
    if conditions.blur:
        kernel = [conditions.blur, 1 - 2 * conditions.blur, conditions.blur]
        for axis in (0, 1):
            out = convolve1d(out, kernel, axis=axis, mode="nearest")
    if conditions.hot_pixels:
        rows = rng.integers(out.shape[0], size=conditions.hot_pixels)
        columns = rng.integers(out.shape[1], size=conditions.hot_pixels)
        out[rows, columns] += rng.uniform(8, 60, conditions.hot_pixels).astype(np.float32)
    if conditions.grey_levels:
        low, high = np.percentile(out[::3, ::3], [0.05, 99.95])
        step = np.float32((high - low) / (conditions.grey_levels - 1))
        out = np.round(np.clip(out, low, high) / step) * step
    return out.astype(np.float32, copy=False)


def _outlines(
    specimen: Specimen, conditions: Conditions, particles: Points, centres: Float
) -> Float:
    """Return extent, as a share of the diameter, and hollowness of each particle, ``(n, 2)``."""
    margin = SURFACE_SIGMAS * specimen.protein.sigma_A / conditions.pixel_size_A
    found = np.array(
        [
            outline(seen - at, weights, margin)
            for seen, weights, at in zip(particles.xy_px, particles.weights, centres, strict=True)
        ]
    ).reshape(-1, 2)
    return found / [conditions.diameter_px, 1.0]


def _truth(
    conditions: Conditions, centres: Float, angles: Float, decoys: list[Decoy], outlines: Float
) -> tuple[SimulatedTruth, Float]:
    """Return what has its centre on the micrograph, in its coordinates, and its outlines.

    ``outlines`` are those of the particles; of decoys only the extent is known, if anything.
    """
    n = len(centres) + len(decoys)
    xy = np.concatenate([centres, np.array([d[:2] for d in decoys]).reshape(-1, 2)])
    xy -= conditions.margin
    turns = np.concatenate([angles, np.zeros((len(decoys), 3))])
    kind = np.array([PARTICLE] * len(centres) + [d[2] for d in decoys], dtype="<U12")
    ny, nx = conditions.shape
    border = np.minimum.reduce([xy[:, 0], xy[:, 1], nx - 1 - xy[:, 0], ny - 1 - xy[:, 1]])
    whole = SimulatedTruth(
        xy[:, 0],
        xy[:, 1],
        turns[:, 0],
        turns[:, 1],
        turns[:, 2],
        edge=border < 0.5 * conditions.diameter_px,
        kind=kind.reshape(n),
    )
    extents = np.array([d.extent_px for d in decoys]) / conditions.diameter_px
    known = np.column_stack([extents, np.full(len(decoys), np.nan)])
    known = np.concatenate([outlines, known])
    return whole.keep(border >= 0), known[border >= 0]
