"""Pick micrographs and verify every pick: the first half of a round of iterative training."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.errors import InputError, MicrographError, marked, option
from frostpick.images import PixelSizes, RawImage
from frostpick.iterating.pruner_score import Verifier
from frostpick.models.picking_model import PickingModel
from frostpick.models.portable import put_together, taken_apart
from frostpick.picking.calibration import calibrated
from frostpick.picking.deviation import relative_deviation
from frostpick.picking.inference import prepared_for_inference
from frostpick.picking.pick import MicrographFailure, pick_image
from frostpick.picking.plan import PickPlan
from frostpick.picking.read import fetch_and_decode
from frostpick.picking.rotations import logits_at
from frostpick.preprocess import preprocess
from frostpick.runtime.atomic import atomic_write
from frostpick.runtime.executors.base import MOST_READERS, Executor, Resources
from frostpick.runtime.executors.local import LocalExecutor
from frostpick.runtime.reporter import Reporter
from frostpick.training.view_features import view_features
from frostpick.types import Micrograph, sigmoid

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class VerifiedPicks:
    """The picks of a round, of all micrographs, with what speaks for and against each.

    Parameters
    ----------
    micrographs
        ``(m,)`` text, ids.
    shapes, pixel_size_A
        ``(m, 2)`` rows and columns, and ``(m,)``, by micrograph.
    micrograph
        ``(n,)`` int64, index into ``micrographs``.
    x_px, y_px
        ``(n,)`` in micrograph pixels.
    score
        ``(n,)`` calibrated log-odds.
    agreement, spread
        ``(n,)`` mean and standard deviation of the probabilities at four rotations.
    deviation
        ``(n,)`` local deviation over the micrograph's median (`relative_deviation`).
    verdict
        ``(n,)`` probability of a second opinion; NaN without one.
    features
        ``(n, f)`` float32, the same at every rotation (`view_features`).
    """

    micrographs: NDArray[np.str_]
    shapes: NDArray[np.int64]
    pixel_size_A: Floats
    micrograph: NDArray[np.int64]
    x_px: Floats
    y_px: Floats
    score: Floats
    agreement: Floats
    spread: Floats
    deviation: Floats
    verdict: Floats
    features: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.score)

    def save(self, path: Path) -> None:
        """Write one npz file, atomically."""
        with atomic_write(path) as handle:
            np.savez_compressed(handle, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(cls, path: Path) -> VerifiedPicks:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as found:
            return cls(**{f.name: found[f.name] for f in fields(cls)})


@dataclass(frozen=True)
class PickAndVerifyWork:
    """Picks micrographs and scores their picks at four rotations.

    Parameters
    ----------
    verifier
        A second opinion; picklable where there are several processes.
    """

    model: PickingModel
    plan: PickPlan
    verifier: Verifier | None = None

    doing: ClassVar[str] = "picking and verifying"
    died: ClassVar[str] = (
        "the process that picks and verifies on {device} died ({how}); finished rounds are kept: "
        "continue the job, or name fewer GPUs with " + option("device")
    )
    most_readers: ClassVar[int] = MOST_READERS

    def __reduce__(self) -> tuple[Any, ...]:
        return _work_again, (taken_apart(self.model), self.plan, self.verifier)

    def begin(self, resources: Resources) -> PickAndVerifyHands:
        """Make the model ready for a device."""
        ready = prepared_for_inference(self.model, resources.device, self.plan.precision)
        return PickAndVerifyHands(ready, self.plan, resources.device, self.verifier)


def _work_again(
    parts: tuple[Any, ...], plan: PickPlan, verifier: Verifier | None
) -> PickAndVerifyWork:
    return PickAndVerifyWork(put_together(*parts), plan, verifier)


def pick_and_verify(
    model: PickingModel,
    micrographs: Sequence[Micrograph],
    plan: PickPlan,
    reporter: Reporter,
    verifier: Verifier | None = None,
    executor: Executor | None = None,
) -> VerifiedPicks:
    """Pick each micrograph and score its picks at four rotations; the unusable are left out.

    Parameters
    ----------
    executor
        Who does it, and where. None: this process, on the first device that the plan names.

    Raises
    ------
    InputError
        Not one micrograph can be used.
    """
    executor = executor or LocalExecutor(plan.device, plan.threads, most=1)
    parts: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    reporter.stage("picking and verifying", len(micrographs))
    work = PickAndVerifyWork(model, plan, verifier)
    with closing(executor.run(work, micrographs, reporter)) as pairs:
        for micrograph, found in pairs:
            if isinstance(found, MicrographFailure):
                failed[micrograph.id] = found.reason
                log.warning("skipped: %s: %s", micrograph.id, found.reason)
            else:
                parts.append(found)
            reporter.advance(1)
    if not parts:
        name, reason = next(iter(failed.items()), ("none", "no micrograph was given"))
        raise InputError(
            f"none of {len(failed)} micrographs can be used; the first, {name}: {marked(reason)}"
        )
    return _joined(parts)


class PickAndVerifyHands:
    """Examines micrographs in one process."""

    def __init__(
        self,
        ready: PickingModel,
        plan: PickPlan,
        device: torch.device,
        verifier: Verifier | None,
    ) -> None:
        self._ready, self._plan, self._device, self._verifier = ready, plan, device, verifier
        self._sizes = PixelSizes(plan.pixel_size_A, plan.diameter_A)

    def read(self, micrograph: Micrograph) -> RawImage:
        """Return the pixels."""
        return fetch_and_decode(micrograph)

    def do(
        self, micrograph: Micrograph, reading: Future[RawImage]
    ) -> dict[str, Any] | MicrographFailure:
        """Return the columns of one micrograph."""
        try:
            return self._columns(micrograph, reading.result())
        except MicrographError as error:
            return MicrographFailure(micrograph.id, error.reason)

    def _columns(self, micrograph: Micrograph, raw: RawImage) -> dict[str, Any]:
        plan, card = self._plan, self._ready.card
        pixel_size = self._sizes.of(micrograph, raw.pixel_size_A, raw.data.shape)
        picks = pick_image(self._ready, raw.data, pixel_size, plan, micrograph.id).picks
        working = preprocess(
            raw.data,
            pixel_size,
            plan.scale_diameter_A,
            card.preprocess,
            px_per_diameter=card.px_per_diameter,
            contrast=plan.contrast,
            device=self._device,
            micrograph_id=micrograph.id,
        )
        yx = working.sampling.from_parent(np.stack([picks.y_px, picks.x_px], axis=1))
        network = self._ready.network
        turned = sigmoid(calibrated(logits_at(network, working.data, yx), card.calibration))
        verdict = np.full(len(picks), np.nan)
        if self._verifier is not None:
            light = plan.contrast == "light"
            verdict = self._verifier(raw.data, picks.x_px, picks.y_px, pixel_size, light=light)
        ratio = relative_deviation(working, card.px_per_diameter).cpu().numpy()
        at = np.clip(np.round(yx), 0, np.array(ratio.shape) - 1).astype(int)
        return {
            "micrographs": micrograph.id,
            "shapes": raw.data.shape,
            "pixel_size_A": pixel_size,
            "x_px": picks.x_px,
            "y_px": picks.y_px,
            "score": picks.score,
            "agreement": turned.mean(1),
            "spread": turned.std(1),
            "deviation": ratio[at[:, 0], at[:, 1]].astype(np.float64),
            "verdict": verdict,
            "features": view_features(torch.as_tensor(working.data), yx, card.px_per_diameter),
        }


def _joined(parts: Sequence[dict[str, Any]]) -> VerifiedPicks:
    columns = ("x_px", "y_px", "score", "agreement", "spread", "deviation", "verdict", "features")
    return VerifiedPicks(
        micrographs=np.array([part["micrographs"] for part in parts], np.str_),
        shapes=np.array([part["shapes"] for part in parts], np.int64).reshape(-1, 2),
        pixel_size_A=np.array([part["pixel_size_A"] for part in parts], np.float64),
        micrograph=np.repeat(np.arange(len(parts)), [len(part["x_px"]) for part in parts]),
        **{name: np.concatenate([part[name] for part in parts]) for name in columns},
    )
