"""How many particles a model of any size finds at each of several diameters.

Looked at too large, particles are confused with their neighbours; looked at too small, with
their parts and with noise, or they are not seen at all. So the most are sure at their own size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import MicrographError
from frostpick.models.picking_model import PickingModel
from frostpick.picking.inference import InferenceNetwork
from frostpick.picking.pick import pick_image
from frostpick.picking.plan import PickPlan
from frostpick.picking.threshold import EVEN_ODDS
from frostpick.preprocess import working_scale
from frostpick.preprocess.rescale import FACTORS
from frostpick.settings import Contrast
from frostpick.types import Picks, sigmoid

Float = NDArray[np.float64]

#: Of a further peak: its surplus in units of the largest, and of the lowest between the two.
PEAK, ABOVE = 0.5, 1.2
#: A micrograph must hold so many diameters along its shorter side.
LEAST_FIELD = 2.0


@dataclass(frozen=True)
class ScaleCurve:
    """What is found at each diameter.

    Parameters
    ----------
    diameters_A
        ``(n,)`` float64, rising, each a constant factor from the next.
    likely
        ``(n,)`` picks with a probability above one half.
    surplus
        ``(n,)`` sum of ``max(0, 2 P - 1)`` over the picks: particles less false picks that are
        expected among the likely ones.
    micrographs
        How many were looked at.
    """

    diameters_A: Float
    likely: Float
    surplus: Float
    micrographs: int = 1

    @property
    def best(self) -> int:
        """Index of the diameter with the largest surplus."""
        return int(np.argmax(self.surplus))

    @property
    def best_A(self) -> float:
        """Diameter with the largest surplus."""
        return float(self.diameters_A[self.best])

    @property
    def most(self) -> float:
        """The largest surplus."""
        return float(self.surplus.max(initial=0.0))

    @property
    def others_A(self) -> list[float]:
        """Diameters of further peaks: objects of another size, or parts of the particles.

        A peak has at least half the surplus of the best one, and a fifth more than the lowest
        point between the two.
        """
        found: list[float] = []
        best = self.best
        for k, value in enumerate(self.surplus):
            between = self.surplus[min(k, best) : max(k, best) + 1]
            top = value == self.surplus[max(0, k - 1) : k + 2].max()
            if (
                value > 0
                and k != best
                and top
                and value >= max(PEAK * between.max(), ABOVE * between.min())
            ):
                found.append(float(self.diameters_A[k]))
        return found

    def surplus_at(self, diameter_A: float) -> float:
        """Return the surplus at a diameter, linear in the logarithm between those looked at."""
        return float(np.interp(math.log(diameter_A), np.log(self.diameters_A), self.surplus))

    def __add__(self, other: ScaleCurve) -> ScaleCurve:
        """Return the curve of the micrographs of both; the diameters are the same."""
        return ScaleCurve(
            self.diameters_A,
            self.likely + other.likely,
            self.surplus + other.surplus,
            self.micrographs + other.micrographs,
        )

    def told(self) -> dict[str, Any]:
        """Return the curve as JSON values."""
        columns = ("diameters_A", "likely", "surplus")
        rows = {name: [round(float(v), 3) for v in getattr(self, name)] for name in columns}
        return {**rows, "micrographs": self.micrographs}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> ScaleCurve:
        """Return the curve that `told` made; `KeyError` or `ValueError` for anything else."""
        columns = ("diameters_A", "likely", "surplus")
        diameters, likely, surplus = (np.asarray(told[name], np.float64) for name in columns)
        if not len(diameters) == len(likely) == len(surplus) > 0:
            raise ValueError("a curve whose columns differ in length")
        return cls(diameters, likely, surplus, int(told["micrographs"]))


def scale_curve(
    model: PickingModel,
    image: NDArray[np.float32],
    pixel_size_A: float,
    diameters_A: Sequence[float],
    contrast: Contrast = "dark",
    micrograph_id: str = "image",
) -> ScaleCurve:
    """Pick one micrograph at several diameters.

    Parameters
    ----------
    model
        Without a diameter of its own, and `prepared_for_inference`.
    image
        ``(ny, nx)`` float32.
    pixel_size_A
        Its pixel size in Angstrom.
    diameters_A
        Rising. Of those with too few pixels, or too large for the image, nothing is found.
    contrast
        ``auto`` asks the image at each diameter.

    Raises
    ------
    MicrographError
        The image cannot be used: see `preprocess`.
    """
    card, network = model.card, model.network
    precision = network.precision if isinstance(network, InferenceNetwork) else "float32"
    least_A = FACTORS[0] * card.px_per_diameter * pixel_size_A
    most_A = min(image.shape) * pixel_size_A / LEAST_FIELD
    usable = [d for d in diameters_A if least_A <= d <= most_A]
    if not usable:
        raise MicrographError(
            micrograph_id,
            f"at {pixel_size_A:g} A a pixel diameters of {least_A:.0f} to {most_A:.0f} A can be "
            f"looked for, and none of {diameters_A[0]:.0f} to {diameters_A[-1]:.0f} A; check the "
            "pixel size",
        )
    if usable[0] > card.px_per_diameter * pixel_size_A:
        # Once to the finest scale, from which the coarser ones cost next to nothing.
        fine = working_scale(
            image,
            pixel_size_A,
            usable[0],
            px_per_diameter=card.px_per_diameter,
            micrograph_id=micrograph_id,
        )
        image = fine.data.numpy()
        pixel_size_A *= float(np.mean(fine.sampling.step_yx))
    found: dict[float, Picks] = {}
    for diameter in usable:
        plan = PickPlan(
            diameter,
            diameter,
            card.min_distance * diameter,
            contrast=contrast,
            precision=precision,
        )
        found[diameter] = pick_image(model, image, pixel_size_A, plan, micrograph_id).picks
    return counted_curve(diameters_A, [found.get(d) for d in diameters_A])


def counted_curve(diameters_A: Sequence[float], picks: Sequence[Picks | None]) -> ScaleCurve:
    """Return the curve of the picks at each diameter; None where none could be looked for."""
    scores = [np.zeros(0) if one is None else one.score for one in picks]
    return ScaleCurve(
        np.asarray(diameters_A, np.float64),
        np.array([np.count_nonzero(one > EVEN_ODDS) for one in scores], np.float64),
        np.array([np.maximum(0.0, 2.0 * sigmoid(one) - 1.0).sum() for one in scores]),
    )
