"""One micrograph of a protein, and the truth of what is where.

Everything of matter (particles, fragments, clumps, micelles) is one cloud of beads over the
whole field, projected at once; contrast transfer, ice, carbon and noise come after.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from unseen import junk
from unseen.beads import Body, hull
from unseen.extents import extent, hollowness
from unseen.noise import Law, ice_gradient, micrograph_noise
from unseen.optics import Optics, projected
from unseen.places import place
from unseen.proteins import Protein, Views
from unseen.proteins import protein as by_name
from unseen.symmetry import view_rotation

Float = NDArray[np.float64]

SHAPE = (720, 752)
#: Pixels around the image that are simulated and cut off.
MARGIN = 64
SEED = 71_300_417
#: Particles a micrograph.
COUNT = (60, 90)
#: Defocus in Angstrom, B factor in square Angstrom.
DEFOCUS_A, B_A2 = (8_000.0, 26_000.0), (80.0, 220.0)
#: Share of the floor's variance that the contrast transfer has shaped.
STRUCTURAL = (0.35, 0.65)
#: Fragments a micrograph, their share of the beads; clumps, their members; micelles.
FRAGMENTS, FRAGMENT_SHARE, CLUMPS, MEMBERS, MICELLES = (5, 12), (0.15, 0.3), 1.3, (4, 10), (8, 15)
#: Optics and views that the strength of the signal is defined with.
REFERENCE, REFERENCE_VIEWS = (17_000.0, 150.0), 48


@dataclass(frozen=True)
class Item:
    """One object on a micrograph, turned to its view, its centre of mass at the origin."""

    body: Body
    angles: tuple[float, float, float]
    kind: str
    species: str
    extent: float
    hollow: float


@dataclass(frozen=True)
class Made:
    """A micrograph with its truth.

    Parameters
    ----------
    image
        ``SHAPE`` float32, mean 0 and standard deviation about 1.
    rows
        The truth, a mapping an object, as ``coords.csv`` has it.
    meta
        Optics and strength; ``scale`` is what a projection of the beads in their own weights
        was multiplied by, ``noise_scale`` the same of the noise.
    """

    image: NDArray[np.float32]
    rows: list[dict[str, Any]]
    mask: NDArray[np.uint8]
    meta: dict[str, Any]


def draw_views(rng: np.random.Generator, law: Views, count: int) -> Float:
    """Draw rot, tilt, psi in degrees, ``(count, 3)``."""
    rot, psi = rng.uniform(-180, 180, (2, count))
    tilt = np.rad2deg(np.arccos(rng.uniform(-1, 1, count)))
    if law != "random":
        end, side = (0.35, 0.4) if law == "axis" else (0.15, 0.6)
        which = rng.random(count)
        near = np.abs(rng.normal(0, 9, count))
        axial = np.where(rng.random(count) < 0.5, near, 180 - near)
        tilt = np.where(which < end, axial, tilt)
        across = 90 + rng.normal(0, 8, count)
        tilt = np.where((which >= end) & (which < end + side), across, tilt)
    return np.column_stack([rot, tilt, psi])


def particle(body: Body, angles: Float, species: str, diameter_A: float) -> Item:
    """Return one particle in a view, measured."""
    turned = body.turned(view_rotation(*angles[:, None])[0]).centred
    flat = turned.xyz[:, :2]
    return Item(
        turned,
        (float(angles[0]), float(angles[1]), float(angles[2])),
        "particle",
        species,
        extent(hull(flat), diameter_A),
        hollowness(flat, turned.weight),
    )


def decoy(body: Body, rng: np.random.Generator, kind: str, diameter_A: float) -> Item:
    """Return something that is no particle, in a random view."""
    angles = draw_views(rng, "random", 1)[0]
    item = particle(body, angles, "", diameter_A)
    return Item(item.body, item.angles, kind, "", item.extent, item.hollow)


def fragment(body: Body, rng: np.random.Generator) -> Body:
    """Return what one cut leaves of a body, a small share of its beads."""
    way = rng.standard_normal(3)
    height = body.xyz @ (way / np.linalg.norm(way))
    return body.keep(height >= np.quantile(height, 1 - rng.uniform(*FRAGMENT_SHARE))).centred


@cache
def reference_square(name: str, pixel_A: float) -> float:
    """Return `signal_square` of a protein by name, found once a process."""
    return signal_square(by_name(name), pixel_A)


def signal_square(protein: Protein, pixel_A: float) -> float:
    """Return the mean square of a projection over a disc of the diameter, in weights squared.

    The mean over fixed views by the protein's own law, in the optics of `REFERENCE`.
    """
    angles = draw_views(np.random.default_rng(SEED), protein.views, REFERENCE_VIEWS)
    radius = protein.diameter_A / pixel_A / 2
    side = int(2 * fft.next_fast_len(int(2 * radius)))
    transfer = Optics(pixel_A, *REFERENCE).transfer((side, side))
    total = 0.0
    for view in view_rotation(*angles.T):
        flat = protein.whole.turned(view).xyz[:, :2] / pixel_A + side / 2
        image = fft.irfft2(
            projected(flat, protein.whole.weight, (side, side), pixel_A) * transfer, (side, side)
        )
        total += float(np.sum(image**2))
    return total / REFERENCE_VIEWS / (np.pi * radius**2)


def simulate(
    protein: Protein, pixel_A: float, law: Law, snr: float, split: str, index: int
) -> Made:
    """Simulate one micrograph; the same arguments give the same one.

    Parameters
    ----------
    snr
        Mean square of the signal over a disc of the diameter, over the variance of the floor.
    """
    rng = np.random.default_rng([SEED, crc32(f"{protein.name}_{law}_{split}".encode()), index])
    optics = Optics(pixel_A, rng.uniform(*DEFOCUS_A), rng.uniform(*B_A2))
    diameter_px = protein.diameter_A / pixel_A
    structural = rng.uniform(*STRUCTURAL)
    here = snr * float(np.exp(rng.normal(0, 0.2)))
    strength = np.sqrt(here / reference_square(protein.name, pixel_A))
    dark, gain, mask = junk.contaminants(rng, SHAPE, diameter_px)
    items, at = _matter(protein, pixel_A, rng, mask)
    matter = strength * field(items, at, optics)
    noise = micrograph_noise(rng, optics, SHAPE, law, structural)
    thick, grain = ice_gradient(rng, SHAPE)
    image = matter - dark - thick + noise * gain * grain
    middle, spread = float(np.mean(image)), float(np.std(image[mask == 0]))
    return Made(
        ((image - middle) / spread).astype(np.float32),
        [_row(item, xy, diameter_px) for item, xy in zip(items, at, strict=True)],
        mask,
        {
            "pixel_A": pixel_A,
            "diameter_A": protein.diameter_A,
            "diameter_px": diameter_px,
            "defocus_A": optics.defocus_A,
            "B": optics.b_factor_A2,
            "snr": here,
            "scale": strength / spread,
            "noise_scale": 1 / spread,
            "law": law,
            "noise_struct_frac": structural,
            "n_particles": sum(item.kind == "particle" for item in items),
        },
    )


def field(items: list[Item], at: Float, optics: Optics) -> Float:
    """Return the image of objects at ``(n, 2)`` columns and rows, dark, in weights a pixel."""
    size = (SHAPE[0] + 2 * MARGIN, SHAPE[1] + 2 * MARGIN)
    if not items:
        return np.zeros(SHAPE)
    flat = [i.body.xyz[:, :2] / optics.pixel_A + xy for i, xy in zip(items, at, strict=True)]
    weight = np.concatenate([item.body.weight for item in items])
    cloud = projected(np.vstack(flat) + MARGIN, weight, size, optics.pixel_A)
    whole = fft.irfft2(cloud * optics.transfer(size), size)
    return whole[MARGIN:-MARGIN, MARGIN:-MARGIN]


def _matter(
    protein: Protein, pixel_A: float, rng: np.random.Generator, mask: NDArray[np.uint8]
) -> tuple[list[Item], Float]:
    """Draw and place everything of matter; clumps and decoys are added to the mask."""
    diameter = protein.diameter_A
    diameter_px = diameter / pixel_A
    kinds = list(protein.species.items())
    # Clumps first, then particles, then what is left of others between them.
    clumps: list[Item] = []
    spots: list[Float] = []
    for _ in range(rng.poisson(CLUMPS)):
        centre = np.array([rng.uniform(0, SHAPE[1]), rng.uniform(0, SHAPE[0])])
        for _ in range(rng.integers(*MEMBERS)):
            clumps.append(decoy(kinds[0][1], rng, "aggregate", diameter))
            spots.append(centre + rng.normal(0, 0.4 * diameter_px, 2))
            _mark(mask, spots[-1], 0.45 * diameter_px, junk.AGGREGATE)
    blocked = ndimage.binary_dilation(mask > 0, iterations=round(0.35 * diameter_px))
    particles = []
    for angles in draw_views(rng, protein.views, int(rng.integers(COUNT[0], COUNT[1] + 1))):
        species, body = kinds[rng.integers(len(kinds))]
        particles.append(particle(body, angles, species, diameter))
    radii = np.array([item.extent * diameter_px / 2 for item in particles])
    at, which = place(rng, radii, SHAPE, blocked, diameter_px)
    particles = [particles[k] for k in which]
    others = [
        decoy(fragment(kinds[0][1], rng), rng, "fragment", diameter)
        for _ in range(rng.integers(*FRAGMENTS))
    ]
    if protein.micelle is not None:
        count = rng.integers(*MICELLES)
        others += [decoy(protein.micelle, rng, "free_micelle", diameter) for _ in range(count)]
    sizes = np.array([item.extent * diameter_px / 2 for item in others])
    taken = np.column_stack([at, radii[which]])
    beside, chosen = place(rng, sizes, SHAPE, blocked, diameter_px, taken)
    others = [others[k] for k in chosen]
    for item, xy in zip(others, beside, strict=True):
        value = junk.MICELLE if item.kind == "free_micelle" else junk.FRAGMENT
        _mark(mask, xy, item.extent * diameter_px / 2, value)
    places = np.vstack([np.array(spots).reshape(-1, 2), at, beside])
    return clumps + particles + others, places


def _mark(mask: NDArray[np.uint8], xy: Float, radius: float, value: int) -> None:
    x, y = junk.grid(SHAPE)
    mask[(x - xy[0]) ** 2 + (y - xy[1]) ** 2 <= radius**2] = value


def _row(item: Item, xy: Float, diameter_px: float) -> dict[str, Any]:
    border = min(xy[0], xy[1], SHAPE[1] - 1 - xy[0], SHAPE[0] - 1 - xy[1])
    return {
        "x_coord": xy[0],
        "y_coord": xy[1],
        "rot": item.angles[0],
        "tilt": item.angles[1],
        "psi": item.angles[2],
        "edge": int(border < diameter_px / 2),
        "kind": item.kind,
        "species": item.species,
        "extent": item.extent,
        "hollow": item.hollow,
    }
