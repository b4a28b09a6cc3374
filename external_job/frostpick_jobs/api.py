"""What scripts and commands call: train, pick and select, on paths or on a host."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostpick.config import FewshotSettings, IterateSettings, PickSettings, TrainSettings, resolve
from frostpick.errors import ConfigError, InputError
from frostpick.models.model_file import WEIGHTS
from frostpick.models.picking_model import PickingModel
from frostpick.runtime.executors.base import Executor
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.lifecycle import execute
from frostpick_jobs.tasks import (
    PickSummary,
    TrainSummary,
    run_fewshot,
    run_iterate,
    run_pick,
    run_train,
)
from frostpick_jobs.tasks.select import run_select

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True)
class PickResult:
    """What was picked, and where the files are (None on a host other than a folder)."""

    out: Path | None
    summary: PickSummary


@dataclass(frozen=True)
class TrainResult:
    """The trained model, and where its file is (None on a host other than a folder)."""

    out: Path | None
    model_path: Path | None
    summary: TrainSummary


def pick(
    micrographs: Paths | Host,
    out: str | os.PathLike[str] | None = None,
    *,
    model: str | os.PathLike[str] | PickingModel = "general",
    executor: Executor | None = None,
    **settings: Any,
) -> PickResult:
    """Pick particles.

    Parameters
    ----------
    micrographs
        Folders, patterns, files or lists; or a host, which brings its own.
    out
        Output folder; not with a host.
    model
        A model, its file or folder, or a shipped name.
    executor
        Who picks, and where (`frostpick.runtime.executors`). None: the devices of the
        settings, one process each.
    settings
        Fields of `PickSettings`, e.g. ``diameter=120, threshold="p=0.6"``.

    Raises
    ------
    FrostpickError
        Any error meant for the user.
    """
    in_memory = model if isinstance(model, PickingModel) else None
    named = {} if in_memory else {"model": os.fspath(model)}  # type: ignore[arg-type]
    resolved = resolve(PickSettings, ("arguments", {**named, **settings}))
    host = _host(micrographs, out, model=in_memory)
    summary = execute(host, lambda: run_pick(host, resolved, executor))
    return PickResult(_out(host), summary)


def train(
    micrographs: Paths | Host,
    picks: Paths = (),
    out: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> TrainResult:
    """Train a picking model.

    Parameters
    ----------
    micrographs
        Folders, patterns, files or lists; or a host, which brings its own picks too.
    picks
        Files, folders or patterns of picks; not with a host.
    out
        Output folder; not with a host.
    settings
        Fields of `TrainSettings`, e.g. ``diameter=120, start_from="none"``.

    Raises
    ------
    FrostpickError
        Any error meant for the user.
    """
    resolved = resolve(TrainSettings, ("arguments", settings))
    host = _labelled_host(micrographs, out, picks, resolved)
    return _trained(host, execute(host, lambda: run_train(host, resolved)))


def iterate(
    micrographs: Paths | Host,
    picks: Paths = (),
    out: str | os.PathLike[str] | None = None,
    *,
    executor: Executor | None = None,
    **settings: Any,
) -> TrainResult:
    """Train a picking model in rounds: pick, verify, learn from the verified picks.

    Parameters
    ----------
    micrographs, out
        As for `train`.
    picks
        Files, folders or patterns of picks; none where ``start_from`` names a model.
    executor
        Who picks in a round, and where. None: this process, on the first device of the settings.
    settings
        Fields of `IterateSettings`, e.g. ``diameter=120, rounds=2``.

    Raises
    ------
    FrostpickError
        Any error meant for the user.
    """
    resolved = resolve(IterateSettings, ("arguments", settings))
    host = _labelled_host(micrographs, out, picks, resolved)
    return _trained(host, execute(host, lambda: run_iterate(host, resolved, executor=executor)))


def fewshot(
    micrographs: Paths | Host,
    exemplars: Paths = (),
    out: str | os.PathLike[str] | None = None,
    *,
    executor: Executor | None = None,
    **settings: Any,
) -> PickResult:
    """Pick from about fifteen exemplars marked on one micrograph.

    Parameters
    ----------
    micrographs
        Files, folders or patterns, the exemplars' among them; or a host, which brings its
        own exemplars too.
    exemplars
        Files of marked particles; not with a host.
    out
        Output folder; not with a host. Holds the model that was made as ``model`` too.
    executor
        As for `pick`.
    settings
        Fields of `FewshotSettings`, e.g. ``diameter=120, method="cryomae"``.

    Raises
    ------
    FrostpickError
        Any error meant for the user.
    """
    resolved = resolve(FewshotSettings, ("arguments", settings))
    host = _labelled_host(micrographs, out, exemplars, resolved)
    summary = execute(host, lambda: run_fewshot(host, resolved, executor))
    return PickResult(_out(host), summary)


def select(out: str | os.PathLike[str], threshold: str | float) -> PickResult:
    """Select anew among the picks of a finished folder job, without inference.

    Parameters
    ----------
    out
        The output folder of `pick` or `fewshot`.
    threshold
        ``auto``, a score, ``p=PROBABILITY`` or ``precision=EXPECTED``.

    Raises
    ------
    InputError
        The folder holds no picking job that came to its end.
    """
    host = picking_job(Path(out))
    summary = execute(host, lambda: run_select(host, str(threshold)))
    return PickResult(host.out, summary)


def picking_job(out: Path) -> FolderHost:
    """Return the host of a folder that holds a job; `InputError` where it holds none."""
    host = FolderHost(out)
    if not host.spool.is_dir():
        raise InputError(f"{out}: no picking job here; give the output folder of pick")
    return host


def _host(micrographs: Paths | Host, out: str | os.PathLike[str] | None, **others: Any) -> Host:
    if isinstance(micrographs, Host):
        if out is not None:
            raise ConfigError("a host has its own output folder; leave out away")
        return micrographs
    if out is None:
        raise ConfigError("no output folder; give one with out")
    return FolderHost(Path(out), as_paths(micrographs), **others)


def _labelled_host(
    micrographs: Paths | Host,
    out: str | os.PathLike[str] | None,
    picks: Paths,
    settings: TrainSettings | FewshotSettings,
) -> Host:
    return _host(
        micrographs,
        out,
        picks=as_paths(picks),
        pixel_size=settings.pixel_size,
        picks_pixel_size=settings.picks_pixel_size,
    )


def _trained(host: Host, summary: TrainSummary) -> TrainResult:
    folder = _out(host)
    return TrainResult(folder, folder / "model" / WEIGHTS if folder else None, summary)


def as_paths(paths: Paths) -> tuple[str, ...]:
    """Return one path or several as texts."""
    if isinstance(paths, (str, os.PathLike)):
        return (os.fspath(paths),)
    return tuple(os.fspath(path) for path in paths)


def _out(host: Host) -> Path | None:
    return host.out if isinstance(host, FolderHost) else None
