"""Picking as work for any number of processes, here or elsewhere."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from frostpick.errors import ConfigError, MicrographError, option
from frostpick.images import PixelSizes, RawImage
from frostpick.models.picking_model import PickingModel
from frostpick.models.portable import put_together, taken_apart
from frostpick.picking.inference import prepared_for_inference
from frostpick.picking.pick import MicrographFailure, MicrographPicks, pick_image
from frostpick.picking.plan import PickPlan
from frostpick.picking.read import fetch_and_decode
from frostpick.runtime.executors.base import MOST_READERS, Executor, Resources
from frostpick.runtime.executors.local import LocalExecutor
from frostpick.runtime.memory import keep_freed_memory
from frostpick.runtime.reporter import Reporter
from frostpick.types import Micrograph

Found = MicrographPicks | MicrographFailure


@dataclass(frozen=True)
class PickWork:
    """Picks micrographs with a model as a plan says; the picks come back, none is stored."""

    model: PickingModel
    plan: PickPlan

    doing: ClassVar[str] = "picking"
    died: ClassVar[str] = (
        "the process that picks on {device} died ({how}); what was picked is kept: "
        "continue the job, or name fewer GPUs with " + option("device")
    )
    most_readers: ClassVar[int] = MOST_READERS

    def __post_init__(self) -> None:
        if self.plan.contrast == "auto":
            raise ConfigError("contrast 'auto' is not settled; call settle_contrast before picking")

    def __reduce__(self) -> tuple[Any, ...]:
        return _work_again, (taken_apart(self.model), self.plan)

    def begin(self, resources: Resources) -> PickHands:
        """Make the model ready for a device."""
        keep_freed_memory()
        return PickHands(
            prepared_for_inference(self.model, resources.device, self.plan.precision), self.plan
        )


def _work_again(parts: tuple[Any, ...], plan: PickPlan) -> PickWork:
    return PickWork(put_together(*parts), plan)


class PickHands:
    """Picks micrographs in one process; a difference between pixel sizes is told once in each."""

    def __init__(self, ready: PickingModel, plan: PickPlan) -> None:
        self._ready, self._plan = ready, plan
        self._sizes = PixelSizes(plan.pixel_size_A, plan.diameter_A)

    def read(self, micrograph: Micrograph) -> tuple[RawImage, float]:
        """Return the pixels, and the seconds that it took."""
        start = time.perf_counter()
        image = fetch_and_decode(micrograph)
        return image, time.perf_counter() - start

    def do(self, micrograph: Micrograph, reading: Future[tuple[RawImage, float]]) -> Found:
        """Pick one micrograph; one that cannot be fetched, decoded or preprocessed is a failure."""
        try:
            image, read_seconds = reading.result()
            pixel_size = self._sizes.of(micrograph, image.pixel_size_A, image.data.shape)
            found = pick_image(self._ready, image.data, pixel_size, self._plan, micrograph.id)
        except MicrographError as error:
            return MicrographFailure(micrograph.id, error.reason)
        return replace(found, seconds={"read": read_seconds, **found.seconds})


def pick_micrographs(
    model: PickingModel,
    micrographs: Iterable[Micrograph],
    plan: PickPlan,
    reporter: Reporter,
    executor: Executor | None = None,
    *,
    ordered: bool = True,
) -> Generator[Found, None, None]:
    """Pick micrographs while readers fetch and decode the next ones.

    Results are the same for any executor, number of processes and number of readers. The
    reporter is asked to `check` before every micrograph and while waiting; progress is the
    caller's to report.

    Parameters
    ----------
    micrographs
        Their sources must be picklable where the executor has several processes.
    executor
        Who picks, and where. None: this process, on the first device that the plan names.
    ordered
        Whether results come in the order of the input, or as they are finished.

    Yields
    ------
    MicrographPicks or MicrographFailure
        A micrograph that cannot be fetched, decoded or preprocessed is a failure and
        the rest goes on; whatever else is raised ends the job.
    """
    work = PickWork(model, plan)
    executor = executor or LocalExecutor(plan.device, plan.threads, most=1)
    with closing(executor.run(work, micrographs, reporter, ordered=ordered)) as pairs:
        for _, found in pairs:
            yield found
