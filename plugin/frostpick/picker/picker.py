"""A model that is loaded once and picks one micrograph after the other.

For a service that picks each micrograph as it comes. What a job decides over all of its
micrographs, this decides by the one: see `Picker`. The picks are those of a job.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.errors import ConfigError, listed
from frostpick.images import PixelSizes
from frostpick.images.memory import InMemory, as_image
from frostpick.models.card import ModelCard
from frostpick.models.picking_model import PickingModel
from frostpick.models.shipped import load_model
from frostpick.picker.picked import Picked
from frostpick.picking.counted import counted_cuts
from frostpick.picking.inference import prepared_for_inference
from frostpick.picking.own_scale import ScalePlan, decided, find_diameter
from frostpick.picking.pick import pick_image
from frostpick.picking.plan import CONTRAST_SAMPLE, PickPlan, plan_picking
from frostpick.picking.read import fetch_and_decode
from frostpick.picking.threshold import Cut, choose_threshold, typed_score
from frostpick.preprocess import contrast_vote, decide_contrast, working_scale
from frostpick.runtime.executors.local import LocalExecutor
from frostpick.runtime.memory import keep_freed_memory
from frostpick.runtime.reporter import SilentReporter
from frostpick.settings import AUTO, PickSettings, resolve
from frostpick.types import LocalFile, Micrograph

Image = NDArray[Any]
#: Settings that this takes; the others are of a job of many micrographs.
SETTINGS = (
    *("diameter", "threshold", "min_distance", "border", "contrast", "pixel_size"),
    *("device", "threads"),
)
#: Finds the diameter, as in jobs.
FINDER = "general"


class Picker:
    """Picks one micrograph at a time, a file or an array, with a model that is loaded once.

    Calls from several threads wait for each other.

    Parameters
    ----------
    model
        A model in memory, its file or folder, or a shipped name.
    settings
        Those fields of `PickSettings` that are for one micrograph: ``diameter``, ``threshold``,
        ``min_distance``, ``border``, ``contrast``, ``pixel_size``, ``device``, ``threads``.

        - ``diameter="auto"`` is the model's own, or is found on the first micrograph that shows
          particles, and kept.
        - ``threshold="auto"`` is the model's own: the best expected F1 of a job cannot be known
          one micrograph at a time. ``precision=P``, ``fraction=F`` and ``per-micrograph=N`` are
          of each micrograph.
        - ``contrast="auto"`` is decided by the first eight micrographs, each by those so far.

    Raises
    ------
    ConfigError
        A setting is wrong or of no use here, or the model needs a diameter.
    ModelError
        There is no such model, or its file cannot be used.
    DeviceError
        The device asked for is not there.

    Examples
    --------
    >>> picker = frostpick.Picker("general", diameter=120, threads=1)
    >>> picks = picker.pick("micrographs/m0.mrc")
    >>> picks.x_px.shape == picks.y_px.shape == picks.probability.shape == picks.selected.shape
    True
    >>> again = picker.pick(image, pixel_size_A=5.0)  # the same pixels as an array
    >>> again.x_px.tolist() == picks.x_px.tolist()
    True
    >>> picks.plot().save("picks.png")
    """

    def __init__(
        self, model: str | os.PathLike[str] | PickingModel = "general", **settings: Any
    ) -> None:
        useless = sorted(set(settings) - set(SETTINGS))
        if useless:
            raise ConfigError(
                f"a Picker has no setting {listed(useless)}; it takes {listed(SETTINGS)}"
            )
        self._settings = resolve(PickSettings, ("arguments", settings))
        self._model = model if isinstance(model, PickingModel) else load_model(os.fspath(model))
        self._executor = LocalExecutor(self._settings.device, self._settings.threads, most=1)
        self._lock = threading.Lock()
        self._votes: list[float] = []
        self._plan: PickPlan | None = None
        if self._settings.diameter == AUTO and self._model.card.diameter_A is not None:
            self._settings = self._settings.model_copy(update={"diameter": None})
        if self._settings.diameter != AUTO:
            self._plan = plan_picking(self._model, self._settings, executor=self._executor)
            self._make_ready(self._plan)

    @property
    def card(self) -> ModelCard:
        """The card of the model."""
        return self._model.card

    @property
    def diameter_A(self) -> float | None:
        """Longest dimension of the particle in Angstrom; None until ``auto`` has found it."""
        return None if self._plan is None else self._plan.diameter_A

    def pick(
        self,
        micrograph: str | os.PathLike[str] | Image,
        *,
        pixel_size_A: float | None = None,
        name: str | None = None,
    ) -> Picked:
        """Pick one micrograph.

        Parameters
        ----------
        micrograph
            A file, as `frostpick.read_image` reads it (rows of a TIFF from the last to the
            first, as in RELION); or ``(ny, nx)`` real numbers, rows as they are.
        pixel_size_A
            In Angstrom; None: the setting's, else the header's.
        name
            What the micrograph is called; None: the file's name, or ``array``.

        Raises
        ------
        MicrographError
            The micrograph cannot be read or used, or nothing tells its pixel size. The picker
            goes on with the next one.
        ConfigError
            The diameter is ``auto``, has not been found yet, and this micrograph shows too few
            particles to find it.
        """
        given = _given(micrograph, pixel_size_A, name)
        with self._lock:
            torch.set_num_threads(self._executor.threads)
            image, header_A = _pixels(given)
            plan = self._plan or self._with_diameter(given)
            sizes = PixelSizes(plan.pixel_size_A, plan.diameter_A)
            pixel_A = sizes.of(given, header_A, image.shape)
            plan = replace(plan, contrast=self._contrast(plan, image, pixel_A, given.id))
            found = pick_image(self._model, image, pixel_A, plan, given.id)
        cut = self._cut(found.picks.score)
        return Picked(
            cut.select(found.picks),
            cut.score,
            found.shape,
            found.pixel_size_A,
            found.seconds,
            _again(given),
        )

    def _make_ready(self, plan: PickPlan) -> None:
        keep_freed_memory()
        device = self._executor.devices[0]
        self._model = prepared_for_inference(self._model, device, plan.precision)

    def _with_diameter(self, micrograph: Micrograph) -> PickPlan:
        """Find the diameter on a micrograph, and keep it."""
        finder = load_model(FINDER)
        scale = ScalePlan(
            self._settings.pixel_size, self._settings.contrast or finder.card.contrast
        )
        executor, reporter = self._executor, SilentReporter()
        curve = find_diameter(finder, [micrograph], scale, executor, reporter)
        found = self._settings.model_copy(update={"diameter": float(round(decided(curve)))})
        self._settings = found
        self._plan = plan_picking(self._model, found, executor=executor)
        self._make_ready(self._plan)
        return self._plan

    def _contrast(self, plan: PickPlan, image: Image, pixel_A: float, name: str) -> Any:
        if plan.contrast != "auto":
            return plan.contrast
        if len(self._votes) < CONTRAST_SAMPLE:
            working = working_scale(
                image,
                pixel_A,
                plan.scale_diameter_A,
                px_per_diameter=self.card.px_per_diameter,
                micrograph_id=name,
            )
            self._votes.append(contrast_vote(working.data, self.card.px_per_diameter))
        return decide_contrast(self._votes)

    def _cut(self, scores: NDArray[np.float64]) -> Cut:
        rule = self._settings.threshold
        if rule.kind == "auto":
            return Cut(typed_score(self.card.threshold))
        if rule.counts_picks:
            return counted_cuts([scores], rule)[0]
        return Cut(choose_threshold([scores], rule))


def _given(given: Any, pixel_size_A: float | None, name: str | None) -> Micrograph:
    if pixel_size_A is not None and not (math.isfinite(pixel_size_A) and pixel_size_A > 0):
        raise ConfigError(f"a pixel size of {pixel_size_A} A; expected a number above 0")
    if isinstance(given, (str, os.PathLike)):
        path = Path(given)
        return Micrograph(name or path.name, LocalFile(path), pixel_size_A)
    called = name or "array"
    return Micrograph(called, InMemory(as_image(given, called), called), pixel_size_A)


def _pixels(micrograph: Micrograph) -> tuple[NDArray[np.float32], float | None]:
    """Return the pixels, and the pixel size that the header tells."""
    if isinstance(micrograph.source, InMemory):
        return micrograph.source.array, None
    image = fetch_and_decode(micrograph)
    return image.data, image.pixel_size_A


def _again(micrograph: Micrograph) -> Callable[[], NDArray[np.float32]]:
    return lambda: _pixels(micrograph)[0]
