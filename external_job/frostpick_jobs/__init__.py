"""Every host and every command of frostpick: paths or a host in, native results out.

>>> import frostpick_jobs
>>> asked = {"diameter": 120, "device": "cpu", "threads": 1}
>>> picked = frostpick_jobs.pick("picked", micrographs="micrographs", model="blob", **asked)
>>> frostpick_jobs.select("picked", "per-micrograph=5").selected
10
>>> found = frostpick_jobs.picks_of(picked)
>>> {name: int(picks.selected.sum()) for name, picks in found.items()}
{'m0.mrc': 5, 'm1.mrc': 5}

`train`, `fewshot`, `iterate`, `prune` and the others are called alike.
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
        picks_of,
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
    "picks_of": "api",
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
    "picks_of",
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
