"""Grey levels of a box in deviations of the ice around its particle.

Every program that extracts particles shifts, scales and levels their grey values in its
own way. What is left alone by all of them is the picture up to a plane and a factor, so
that is what the network sees: a plane is fitted to a ring around the particle and taken
off, and the ring's deviation is the unit. Both are of the box alone; the result is the
same for ``a * box + plane`` with any ``a > 0``.
"""

from __future__ import annotations

import functools

import torch

NAME = "box-ring"
VERSION = 1
#: Inner and outer radius of the ring, in diameters.
RING = (0.55, 0.75)
#: Deviations at which grey levels are cut.
CLIP = 6.0
#: Normal deviations in a median absolute deviation.
MAD = 1.4826
#: Ring pixels farther than this many deviations from the plane (a neighbour, a crystal)
#: are left out of its second fit.
OUTLIER = 2.5
#: Fewest ring pixels that a plane is fitted to; with fewer, the whole box is its ring.
FEWEST = 64


def normalise_boxes(
    boxes: torch.Tensor, inside: torch.Tensor, px_per_diameter: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Standardise boxes with dark particles to the ring around them.

    Parameters
    ----------
    boxes
        ``(n, side, side)`` float32 in working pixels.
    inside
        ``(side, side)`` or ``(n, side, side)`` bool, where there is data.
    px_per_diameter
        Working pixels a particle diameter.

    Returns
    -------
    Tensor
        ``(n, side, side)`` float32, ring at 0 with deviation 1, cut at ``CLIP``; 0 where
        there is no data.
    Tensor
        ``(n,)`` bool: whether the box can be used. One that is constant or holds a value
        that is not finite is all 0.
    """
    finite = torch.isfinite(boxes).flatten(1).all(1)
    boxes = torch.where(finite[:, None, None], boxes, 0.0)
    y, x, ring = _geometry(int(boxes.shape[1]), px_per_diameter)
    y, x, ring = (t.to(boxes.device) for t in (y, x, ring))
    inside = inside.expand(boxes.shape)
    at = inside & ring
    few = at.flatten(1).sum(1) < FEWEST
    at = torch.where(few[:, None, None], inside, at)
    # float32 keeps 7 digits: raw counts far above their noise would lose them in the sums.
    boxes = boxes - _median(boxes, at)[:, None, None]
    level = boxes - _plane(boxes, at, y, x)
    spread = MAD * _median(level.abs(), at)
    near = at & (level.abs() <= OUTLIER * spread[:, None, None])
    level = level - _plane(level, near, y, x)
    deviation = MAD * _median(level.abs(), at)
    usable = finite & (deviation > 1e-6 * boxes.abs().amax((1, 2)).clamp_min(1e-30))
    scaled = level / torch.where(usable, deviation, 1.0)[:, None, None]
    kept = inside & usable[:, None, None]
    return torch.where(kept, scaled.clamp(-CLIP, CLIP), 0.0), usable


def _median(values: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """Return the median of each ``(side, side)`` where ``at``; 0 where nothing is."""
    empty = torch.full((), torch.nan, dtype=values.dtype, device=values.device)
    found = torch.where(at, values, empty).flatten(1).nanmedian(1).values
    return found.nan_to_num(0.0)


def _plane(boxes: torch.Tensor, at: torch.Tensor, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return the least-squares plane of each box over its pixels ``at``."""
    basis = torch.stack([torch.ones_like(x), y, x]).flatten(1)  # (3, pixels)
    weight = at.flatten(1).to(boxes.dtype)
    normal = torch.einsum("ip,np,jp->nij", basis, weight, basis)
    right = torch.einsum("ip,np->ni", basis, weight * boxes.flatten(1))
    # A box with data in a corner only has no plane: the small ridge keeps its mean.
    ridge = torch.diag(torch.tensor([1e-6, 1e-3, 1e-3], device=boxes.device))
    found = torch.linalg.solve(normal + ridge, right)
    plane: torch.Tensor = (found @ basis).view(boxes.shape)
    return plane


@functools.lru_cache(maxsize=8)
def _geometry(side: int, px_per_diameter: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    at = torch.arange(side, dtype=torch.float32) - (side - 1) / 2
    y, x = torch.meshgrid(at, at, indexing="ij")
    radius = torch.hypot(y, x) / px_per_diameter
    ring = (radius >= RING[0]) & (radius <= RING[1])
    return y / px_per_diameter, x / px_per_diameter, ring
