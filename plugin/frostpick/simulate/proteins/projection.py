"""Projections of Gaussian blobs, exact: the projection of a Gaussian is a Gaussian."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostpick.simulate.proteins.protein import Protein

Float = NDArray[np.float64]


def add_projection(
    image: NDArray[np.float32],
    protein: Protein,
    matrix: Float,
    xy_px: tuple[float, float],
    pixel_size_A: float,
    weight: float = 1.0,
) -> None:
    """Add the projection of a particle to an image, in place.

    Parameters
    ----------
    image
        ``(ny, nx)`` float32.
    matrix
        ``(3, 3)`` orientation, see `frostpick.simulate.proteins.views`.
    xy_px
        Column and row of the particle's centre, 0-based pixel centres, any fraction;
        what lies outside the image is cut off.
    weight
        Factor on the mass. The sum over the pixels is ``weight * protein.weights.sum()``.
    """
    # half a pixel of blur keeps blobs narrower than a pixel from aliasing
    sigma = np.hypot(protein.sigma_A / pixel_size_A, 0.5)
    seen = protein.positions_A @ matrix[:2].T / pixel_size_A + np.asarray(xy_px)
    reach = protein.reach_A / pixel_size_A + 2.0
    first = [max(0, int(np.floor(c - reach))) for c in xy_px]
    last = [
        min(n, int(np.ceil(c + reach)) + 1) for c, n in zip(xy_px, image.shape[::-1], strict=True)
    ]
    if first[0] >= last[0] or first[1] >= last[1]:
        return
    across = _profiles(np.arange(first[0], last[0]), seen[:, 0], sigma)  # (n, w)
    down = _profiles(np.arange(first[1], last[1]), seen[:, 1], sigma)  # (n, h)
    down *= (weight * protein.weights)[:, None].astype(np.float32)
    image[first[1] : last[1], first[0] : last[0]] += down.T @ across


def _profiles(pixels: NDArray[np.int64], centres: Float, sigma: float) -> NDArray[np.float32]:
    z = ((pixels[None, :] - centres[:, None]) / sigma).astype(np.float32)
    profile: NDArray[np.float32] = np.exp(-0.5 * z * z) / np.float32(sigma * np.sqrt(2 * np.pi))
    return profile


def scatter_points(points: tuple[Float, Float], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return an image of weighted points, each shared by the four pixels around it.

    Sum and centre of mass are exact; a convolution with the Gaussian of a blob makes
    the same projection as `add_projection` but for the width of the pixel, at a cost that
    hardly depends on the number of particles.

    Parameters
    ----------
    points
        Columns and rows ``(n, 2)`` in pixels, and masses ``(n,)``.
    shape
        Rows and columns of the image; what lies outside is cut off.
    """
    xy, weights = points
    ny, nx = shape
    inside = ((xy >= 0) & (xy < (nx - 1, ny - 1))).all(axis=1)
    xy, weights = xy[inside], weights[inside]
    first = xy.astype(np.int64)
    right, down = (xy - first).T
    corner = first[:, 1] * nx + first[:, 0]
    image = np.zeros(ny * nx)
    for offset, share in (
        (0, (1 - right) * (1 - down)),
        (1, right * (1 - down)),
        (nx, (1 - right) * down),
        (nx + 1, right * down),
    ):
        image += np.bincount(corner + offset, share * weights, minlength=ny * nx)
    return image.reshape(shape).astype(np.float32)
