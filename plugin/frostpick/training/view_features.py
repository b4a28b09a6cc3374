"""How a picked particle looks, in numbers that no rotation in the plane changes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.nn.functional import grid_sample

#: Radii in diameters at which a pick is looked at, angles on each, and angular orders kept.
RADII = (0.1, 0.2, 0.3, 0.4, 0.5, 0.65)
ANGLES = 32
ORDERS = 5
#: Picks looked at together.
BATCH = 512
#: Share of the mean eigenvalue that is added to the covariance of noise.
RIDGE = 0.02


def view_features(
    image: torch.Tensor, yx: ArrayLike, px_per_diameter: float
) -> NDArray[np.float32]:
    """Describe picks by the power of the first angular orders on circles about their centres.

    A rotation of the particle shifts the grey levels along each circle, which changes the
    phases of their Fourier coefficients and not the magnitudes; a mirror does not either.

    Parameters
    ----------
    image
        ``(h, w)`` float32 working image; border pixels continue outside.
    yx
        ``(n, 2)`` centres in working pixels.
    px_per_diameter
        Working pixels a diameter.

    Returns
    -------
    ndarray
        ``(n, 30)`` float32: for each of 6 radii the mean, and the magnitudes of orders 1 to 4.
    """
    places = torch.as_tensor(np.reshape(np.asarray(yx, np.float64), (-1, 2)))
    angle = torch.arange(ANGLES, dtype=torch.float64) * (2 * torch.pi / ANGLES)
    radius = torch.tensor(RADII, dtype=torch.float64) * px_per_diameter
    dy, dx = radius[:, None] * torch.sin(angle), radius[:, None] * torch.cos(angle)
    sides = torch.tensor(image.shape, dtype=torch.float64)
    parts = [torch.zeros(0, len(RADII) * ORDERS)]
    for some in torch.split(places, BATCH) if len(places) else ():
        y = some[:, 0, None, None] + dy
        x = some[:, 1, None, None] + dx
        grid = torch.stack([2 * (x + 0.5) / sides[1] - 1, 2 * (y + 0.5) / sides[0] - 1], dim=-1)
        flat = grid.reshape(1, len(some), -1, 2).to(image.device, torch.float32)
        values = grid_sample(
            image[None, None].float(), flat, padding_mode="border", align_corners=False
        ).reshape(len(some), len(RADII), ANGLES)
        order = torch.fft.rfft(values, dim=-1)[..., :ORDERS] / ANGLES
        power = torch.cat([order[..., :1].real, order[..., 1:].abs()], dim=-1)
        parts.append(power.reshape(len(some), -1).cpu())
    found: NDArray[np.float32] = torch.cat(parts).numpy().astype(np.float32)
    return found


def noise_axes(
    noise: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the principal axes of what noise makes of the features, and its deviation on each.

    Parameters
    ----------
    noise
        ``(m, d)`` features of places without a particle.

    Returns
    -------
    vectors, deviation
        ``(d, d)``, a column an axis, and ``(d,)``, none of them 0.
    """
    values, vectors = np.linalg.eigh(np.cov(noise.T.astype(np.float64)))
    values = np.maximum(values, 0.0)
    return vectors, np.sqrt(values + RIDGE * values.mean() + 1e-30)
