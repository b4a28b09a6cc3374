"""The diameter of the particles, found in a few micrographs; and whether a given one fits.

`find_diameter` picks some micrographs at ten diameters and takes the one with the largest
surplus of particles over false picks (`frostpick.picking.scale_curve`); `check_diameter` looks
at a small part of them, and at all ten diameters only where that part speaks against the one
that was given.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from frostpick.errors import ConfigError, MicrographError, counted, option
from frostpick.images import PixelSizes, RawImage
from frostpick.models.picking_model import PickingModel
from frostpick.models.portable import put_together, taken_apart
from frostpick.picking.inference import choose_precision, prepared_for_inference
from frostpick.picking.pick import MicrographFailure
from frostpick.picking.read import fetch_and_decode
from frostpick.picking.scale_curve import ScaleCurve, scale_curve
from frostpick.runtime.evenly_spread import evenly_spread
from frostpick.runtime.executors.base import Executor, Resources
from frostpick.runtime.precision import Precision
from frostpick.runtime.reporter import Reporter
from frostpick.settings import Contrast
from frostpick.types import Micrograph

log = logging.getLogger(__name__)

#: Diameters looked at in Angstrom: 60 to 447, each this factor above the one before.
STEP = 1.25
DIAMETERS_A = tuple(60.0 * STEP**k for k in range(10))
#: Micrographs with particles that decide, and how many are looked at for them at most.
DECIDING, LOOKED_AT = 3, 6
#: A micrograph with a lower surplus at its best diameter is taken for one without particles.
FEWEST_ON_ONE = 3.0
#: So large a surplus is needed to decide at all, and so large a one where more micrographs come.
FEWEST, ENOUGH = 10.0, 30.0

#: Diameters of the first look in units of the given one.
AROUND = (0.7, 1.0, 1.4, 2.0)
#: Side of the part of a micrograph that is looked at first, in given diameters.
FIELD = 13.0
#: Surplus at another diameter, in units of that at the given one, from which all are looked at.
DOUBT = 1.15
#: A given diameter is told to be wrong from this factor between it and the one found, where
#: that has this many times the surplus.
FAR, CLEARLY = 1.57, 1.3


@dataclass(frozen=True)
class ScalePlan:
    """How a scale is looked for.

    Parameters
    ----------
    pixel_size_A
        For micrographs of which neither host nor header knows it.
    contrast
        Sign of the particles; ``auto`` asks each image.
    diameters_A
        Those to look at, rising.
    field_A
        Side in Angstrom of the middle part that is looked at; None: the whole micrograph.
    """

    pixel_size_A: float | None = None
    contrast: Contrast = "dark"
    diameters_A: tuple[float, ...] = DIAMETERS_A
    field_A: float | None = None


@dataclass(frozen=True)
class Checked:
    """What came of looking at a given diameter.

    Parameters
    ----------
    curve
        Of all diameters where the first look gave a doubt, else of those around the given one.
    better_A
        The diameter that fits far better; None where the given one holds.
    """

    curve: ScaleCurve
    better_A: float | None = None

    @property
    def says_anything(self) -> bool:
        """Whether particles were seen at all."""
        return self.curve.most >= FEWEST


def find_diameter(
    model: PickingModel,
    micrographs: Sequence[Micrograph],
    plan: ScalePlan,
    executor: Executor,
    reporter: Reporter,
) -> ScaleCurve:
    """Look at up to six micrographs, spread over the set, until three with particles are found.

    Parameters
    ----------
    model
        `general`, or another without a diameter of its own whose scores are log-odds.
    executor
        Who picks, and where.

    Returns
    -------
    ScaleCurve
        Of the micrographs with particles; ``best_A`` is the diameter. No micrograph, and zeros,
        where none shows particles at any diameter.
    """
    sample = _sample(micrographs)
    return _gathered(model, sample, plan, executor, reporter, FEWEST_ON_ONE, told=True)


def _sample(micrographs: Sequence[Micrograph]) -> list[Micrograph]:
    """Return six, every second one first: those that decide are spread over the set as well."""
    spread = evenly_spread(micrographs, LOOKED_AT)
    return [*spread[1::2], *spread[0::2]] if len(spread) > DECIDING else spread


def _gathered(
    model: PickingModel,
    sample: Sequence[Micrograph],
    plan: ScalePlan,
    executor: Executor,
    reporter: Reporter,
    least: float,
    *,
    told: bool = False,
) -> ScaleCurve:
    """Return the curve of the first three micrographs with at least some surplus.

    Where it is ``told`` it is a stage of the job.
    """
    if told:
        reporter.stage("finding the diameter", min(len(sample), DECIDING))
    nothing = np.zeros(len(plan.diameters_A))
    total = ScaleCurve(np.array(plan.diameters_A), nothing, nothing, 0)
    work = ScaleWork(model, plan, choose_precision(model.network, executor.devices))
    with closing(executor.run(work, sample, reporter)) as pairs:
        for micrograph, found in pairs:
            if isinstance(found, MicrographFailure):
                # it is told where it is picked or learned from
                log.debug("diameter: %s is left out (%s)", micrograph.id, found.reason)
                continue
            if found.most < least:
                log.info("diameter: %s shows no particles and does not decide", micrograph.id)
                continue
            total = total + found
            if told:
                reporter.advance(1)
            if total.micrographs >= DECIDING:
                break
    return total


def decided(curve: ScaleCurve) -> float:
    """Return the diameter of a curve in Angstrom.

    Raises
    ------
    ConfigError
        Too few particles were seen at any diameter.
    """
    if curve.most < FEWEST:
        span = f"{curve.diameters_A[0]:.0f} to {curve.diameters_A[-1]:.0f} A"
        raise ConfigError(
            f"{option('diameter', 'auto')} found {counted(round(curve.most), 'particle')} at "
            f"diameters from {span}, expected at least {FEWEST:g}: give {option('diameter')}, the "
            f"particle's longest dimension in Angstrom, and check {option('pixel_size')} and "
            f"{option('contrast')}"
        )
    return curve.best_A


def check_diameter(
    model: PickingModel,
    micrographs: Sequence[Micrograph],
    given_A: float,
    plan: ScalePlan,
    executor: Executor,
    reporter: Reporter,
) -> Checked:
    """Look whether another diameter than the given one would find far more particles.

    First at four diameters around it, on the middle of three micrographs, or on all of these
    where little is found there: no more work than picking about five. Where another diameter
    finds more, at all as `find_diameter` does.

    Parameters
    ----------
    given_A
        Diameter in Angstrom.
    plan
        Its diameters and its field are those of the second look.
    """
    around = ScalePlan(
        plan.pixel_size_A,
        plan.contrast,
        tuple(given_A * factor for factor in AROUND),
        FIELD * given_A,
    )
    few = evenly_spread(micrographs, DECIDING)
    curve = _gathered(model, few, around, executor, reporter, 0.0)
    if curve.most < FEWEST:
        # few particles, or far too small a diameter: all of these micrographs, at the larger ones
        larger = tuple(d for d in around.diameters_A if d >= given_A)
        around = replace(around, diameters_A=larger, field_A=None)
        curve = _gathered(model, few, around, executor, reporter, 0.0)
    if curve.most < max(FEWEST, DOUBT * curve.surplus_at(given_A)):
        return Checked(curve)
    log.info("diameter: another one may fit better than %g A; looking at more", given_A)
    sample = _sample(micrographs)
    curve = _gathered(model, sample, plan, executor, reporter, FEWEST_ON_ONE)
    best = curve.best_A
    away = max(best / given_A, given_A / best)
    clearly = curve.most > max(FEWEST, CLEARLY * curve.surplus_at(given_A))
    return Checked(curve, best if clearly and away >= FAR else None)


@dataclass(frozen=True)
class ScaleWork:
    """Looks at micrographs at several diameters; the curves come back."""

    model: PickingModel
    plan: ScalePlan
    precision: Precision = "float32"

    doing: ClassVar[str] = "finding the diameter"
    died: ClassVar[str] = (
        "the process that looks for the diameter on {device} died ({how}): give "
        + option("diameter")
        + " in Angstrom, or name fewer GPUs with "
        + option("device")
    )
    most_readers: ClassVar[int] = 1

    def __reduce__(self) -> tuple[Any, ...]:
        return _work_again, (taken_apart(self.model), self.plan, self.precision)

    def begin(self, resources: Resources) -> ScaleHands:
        """Make the model ready for a device."""
        ready = prepared_for_inference(self.model, resources.device, self.precision)
        return ScaleHands(ready, self.plan)


def _work_again(parts: tuple[Any, ...], plan: ScalePlan, precision: Precision) -> ScaleWork:
    return ScaleWork(put_together(*parts), plan, precision)


class ScaleHands:
    """Looks at micrographs in one process."""

    def __init__(self, ready: PickingModel, plan: ScalePlan) -> None:
        self._ready, self._plan = ready, plan
        self._sizes = PixelSizes(plan.pixel_size_A, quiet=True)

    def read(self, micrograph: Micrograph) -> RawImage:
        """Return the pixels."""
        return fetch_and_decode(micrograph)

    def do(
        self, micrograph: Micrograph, reading: Future[RawImage]
    ) -> ScaleCurve | MicrographFailure:
        """Return the curve of one micrograph, or why there is none."""
        try:
            image = reading.result()
            pixel = self._sizes.of(micrograph, image.pixel_size_A, image.data.shape)
            data = _middle(image.data, self._plan.field_A, pixel)
            return scale_curve(
                self._ready,
                data,
                pixel,
                self._plan.diameters_A,
                self._plan.contrast,
                micrograph.id,
            )
        except MicrographError as error:
            return MicrographFailure(micrograph.id, error.reason)


def _middle(data: np.ndarray, field_A: float | None, pixel_A: float) -> np.ndarray:
    """Return the middle square of an image, or all of it where it is no larger."""
    if field_A is None:
        return data
    side = round(field_A / pixel_A)
    row, column = (max(0, (length - side) // 2) for length in data.shape)
    return data[row : row + side, column : column + side]
