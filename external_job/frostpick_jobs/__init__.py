"""Every host and every command of frostpick: paths or a host in, native results out.

>>> import frostpick_jobs
>>> trained = frostpick_jobs.train("train", micrographs="Mics", labels="picks.star", diameter=160)
>>> frostpick_jobs.pick("pick", micrographs="Mics", model=trained.model_path)
>>> frostpick_jobs.select("pick", "precision=0.95")
>>> frostpick_jobs.prune("clean", micrographs="Mics", picks="picks.star", diameter=160)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from frostpick_jobs.api import (
        PickResult,
        TrainResult,
        audit,
        fewshot,
        iterate,
        pick,
        pretrain,
        prune,
        select,
        train,
        verify,
    )
    from frostpick_jobs.commands.evaluate import score_files
    from frostpick_jobs.commands.simulate import write_dataset
    from frostpick_jobs.formats.frames import to_dataframe
    from frostpick_jobs.job.host import Host
    from frostpick_jobs.job.results import (
        FewshotResult,
        IteratingResult,
        PickingResult,
        PretrainingResult,
        PruningResult,
        TrainingResult,
        VerifyingResult,
    )

_WHERE = {
    "FewshotResult": "job.results",
    "Host": "job.host",
    "IteratingResult": "job.results",
    "PickResult": "api",
    "PickingResult": "job.results",
    "PretrainingResult": "job.results",
    "PruningResult": "job.results",
    "TrainResult": "api",
    "TrainingResult": "job.results",
    "VerifyingResult": "job.results",
    "audit": "api",
    "fewshot": "api",
    "iterate": "api",
    "pick": "api",
    "pretrain": "api",
    "prune": "api",
    "score_files": "commands.evaluate",
    "select": "api",
    "to_dataframe": "formats.frames",
    "train": "api",
    "verify": "api",
    "write_dataset": "commands.simulate",
}

__all__ = [
    "FewshotResult",
    "Host",
    "IteratingResult",
    "PickResult",
    "PickingResult",
    "PretrainingResult",
    "PruningResult",
    "TrainResult",
    "TrainingResult",
    "VerifyingResult",
    "audit",
    "fewshot",
    "iterate",
    "pick",
    "pretrain",
    "prune",
    "score_files",
    "select",
    "to_dataframe",
    "train",
    "verify",
    "write_dataset",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'frostpick_jobs' has no attribute {name!r}")
    return getattr(import_module(f"frostpick_jobs.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
