"""Turn a scene into the image a camera would give, and its junk mask."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from frostpick.simulate.camera import noise
from frostpick.simulate.camera.ctf import Ctf, filtered, frequencies_per_A
from frostpick.simulate.proteins.projection import add_projection
from frostpick.simulate.proteins.protein import Protein
from frostpick.simulate.proteins.views import euler_matrix, random_angles
from frostpick.simulate.scene import Scene
from frostpick.simulate.settings import SimulationSettings
from frostpick.simulate.truth import MASK_LABELS

Float = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.uint8]

_BASE_LEVEL = 10.0  # mean intensity, in standard deviations of the noise
_RED_POWER = {"realistic": 1.2, "low": 0.2}  # over the noise's, at one cycle a diameter


def signal_gain(
    rng: np.random.Generator, protein: Protein, ctf: Ctf, pixel_size_A: float, snr: float
) -> float:
    """Return the factor that gives lone particles the variance ``snr``, the noise having 1.

    The variance is taken inside the circle of one diameter, after the CTF, and over
    16 random orientations.
    """
    diameter = protein.diameter_A / pixel_size_A
    side = scipy.fft.next_fast_len(int(3 * diameter) + 8)
    middle = (side - 1) / 2
    y, x = np.ogrid[:side, :side]
    inside = np.hypot(x - middle, y - middle) <= diameter / 2
    transfer = ctf(frequencies_per_A((side, side), pixel_size_A))
    variances = []
    for angles in random_angles(rng, 16):
        image = np.zeros((side, side), np.float32)
        add_projection(image, protein, euler_matrix(*angles), (middle, middle), pixel_size_A)
        variances.append(filtered(image, transfer)[inside].var())
    return float(np.sqrt(snr / np.mean(variances)))


def expose(
    rng: np.random.Generator,
    scene: Scene,
    protein: Protein,
    settings: SimulationSettings,
    ctf: Ctf,
    snr: float,
) -> tuple[Image, Mask]:
    """Return the micrograph, ``(ny, nx)`` float32, and its junk mask, uint8.

    Everything is drawn on a canvas with a margin, so that the fringes of the CTF do
    not come in again at the opposite border. White and structural noise together
    have variance 1; the mean is 10.
    """
    pixel = settings.pixel_size_A
    margin = int(np.ceil(settings.diameter_px))
    side = scipy.fft.next_fast_len(settings.size + 2 * margin)
    gain = signal_gain(rng, protein, ctf, pixel, snr)
    transfer = ctf(frequencies_per_A((side, side), pixel))

    proteins, mask = _draw_proteins(side, margin, scene, protein, pixel)
    phase = np.float32(gain) * proteins
    absorbed = np.zeros((side, side), np.float32)
    ys, xs = (a.astype(np.float64) - margin for a in np.ogrid[:side, :side])
    _draw_specks(phase, mask, scene, xs, ys, rng, transfer)
    textured = _draw_crystals(phase, absorbed, mask, scene, xs, ys)
    _draw_carbon(phase, absorbed, textured, mask, scene, xs, ys, rng)

    window = (slice(margin, margin + settings.size),) * 2
    image = filtered(phase, transfer)[window] + absorbed[window]
    image += _background(rng, settings, ctf, textured[window])
    return np.ascontiguousarray(image + np.float32(_BASE_LEVEL)), mask[window].copy()


def _background(
    rng: np.random.Generator, settings: SimulationSettings, ctf: Ctf, textured: Image
) -> Image:
    """Return all noise and the gradient, with more structure where ``textured``."""
    shape, pixel = (settings.size, settings.size), settings.pixel_size_A
    ice = noise.thickness(rng, shape) * np.float32(rng.uniform(0.2, 0.8))
    share = rng.uniform(0.35, 0.6)
    structure = noise.structural(rng, shape, pixel, ctf) * np.float32(np.sqrt(share))
    power = _RED_POWER[settings.noise] * rng.uniform(0.6, 1.4)
    background = noise.white(rng, shape) * np.float32(np.sqrt(1 - share))
    background += noise.red(rng, shape, pixel, settings.diameter_A) * np.float32(np.sqrt(power))
    if settings.gradient:
        structure *= 1 + np.float32(0.3) * ice
        background -= ice
    return background + structure * (1 + textured)


def _draw_proteins(
    side: int, margin: int, scene: Scene, protein: Protein, pixel_size_A: float
) -> tuple[Image, Mask]:
    canvas = np.zeros((side, side), np.float32)
    mask = np.zeros((side, side), np.uint8)

    def junk(kind: str, parts: list[tuple[Protein, Float, Float]]) -> None:
        image = np.zeros_like(canvas)
        for what, xy, angles in parts:
            place = (xy[0] + margin, xy[1] + margin)
            add_projection(image, what, euler_matrix(*angles), place, pixel_size_A)
        if parts:
            mask[image > 0.1 * image.max()] = MASK_LABELS[kind]
        np.add(canvas, image, out=canvas)

    junk("fragment", [(f.piece, np.array([f.x_px, f.y_px]), f.angles) for f in scene.fragments])
    junk(
        "aggregate",
        [(protein, xy, a) for c in scene.clumps for xy, a in zip(c.xy_px, c.angles, strict=True)],
    )
    if scene.micelles:
        junk(
            "free_micelle",
            [(m.piece, np.array([m.x_px, m.y_px]), m.angles) for m in scene.micelles],
        )
    for (x, y), angles, amount in zip(scene.xy_px, scene.angles, scene.amounts, strict=True):
        place = (x + margin, y + margin)
        add_projection(canvas, protein, euler_matrix(*angles), place, pixel_size_A, amount)
    return canvas, mask


def _draw_specks(
    phase: Image,
    mask: Mask,
    scene: Scene,
    xs: Float,
    ys: Float,
    rng: np.random.Generator,
    transfer: Float,
) -> None:
    """Draw discs that come out 4 to 9 standard deviations dark, with the fringes of the CTF."""
    depth = rng.uniform(4.0, 9.0)
    if not scene.specks:
        return
    discs = np.zeros_like(phase)
    for speck in scene.specks:
        distance = np.hypot(xs - speck.x_px, ys - speck.y_px)
        np.maximum(discs, np.clip(speck.radius_px - distance + 0.5, 0, 1), out=discs)
    mask[discs > 0.5] = MASK_LABELS["speck"]
    phase += discs * np.float32(depth / -filtered(discs, transfer).min())


def _draw_crystals(
    phase: Image, absorbed: Image, mask: Mask, scene: Scene, xs: Float, ys: Float
) -> Image:
    """Draw polygons with sharp edges, dark or bright; return the extra texture inside."""
    textured = np.zeros_like(phase)
    for crystal in scene.crystals:
        depth = crystal.depth_px(xs, ys)
        cover = np.clip(depth + 0.5, 0, 1).astype(np.float32)
        # thicker inwards, as a lens is
        relief = 0.7 + 0.3 * np.clip(depth / crystal.distances.max(), 0, 1).astype(np.float32)
        absorbed += np.float32(crystal.contrast) * cover * relief
        phase += np.float32(abs(crystal.contrast)) * cover
        textured += 0.8 * cover
        mask[depth > 0] = MASK_LABELS["ice_crystal"]
    return textured


def _draw_carbon(
    phase: Image,
    absorbed: Image,
    textured: Image,
    mask: Mask,
    scene: Scene,
    xs: Float,
    ys: Float,
    rng: np.random.Generator,
) -> None:
    """Draw a darker film with a fringe at its edge and about twice the texture of ice."""
    darkness, structure = rng.uniform(1.2, 2.8), rng.uniform(0.6, 1.2)
    if scene.carbon is None:
        return
    depth = scene.carbon.depth_px(xs, ys)
    cover = np.clip(depth / 2 + 0.5, 0, 1).astype(np.float32)
    absorbed -= np.float32(darkness) * cover
    phase += np.float32(0.8) * cover
    textured += np.float32(structure) * cover
    mask[depth > 0] = MASK_LABELS["carbon"]
