"""What scripts and commands call: every task in one shape, on a folder or on a host.

On a folder an input is files, or arrays in their place: micrographs ``{"m1": (ny, nx)}``; picks
and labels ``{"m1": (n, 2)}``, x and y in pixels, or `Picks`; particles ``(n, b, b)``.

``task(out, *, inputs..., **settings) -> result``: ``out`` is a folder or a host that brings its
own inputs; inputs are keywords, as the task's declaration names them; settings are the fields
of its settings class. Errors are exceptions.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from frostpick.errors import ConfigError
from frostpick.models.picking_model import PickingModel
from frostpick.runtime.executors.base import Executor
from frostpick.settings import resolve
from frostpick_jobs.api_before import names_before, order_before
from frostpick_jobs.api_finished import audit as audit
from frostpick_jobs.api_finished import picking_job as picking_job
from frostpick_jobs.api_finished import picks_of as picks_of
from frostpick_jobs.api_finished import select as select
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.inputs.arrays import Arrays, are_arrays, write_input
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.lifecycle import execute
from frostpick_jobs.job.results import (
    FewshotResult,
    IteratingResult,
    PickingResult,
    PretrainingResult,
    PruningResult,
    Result,
    TrainingResult,
    VerifyingResult,
)
from frostpick_jobs.tasks.declarations import (
    FEWSHOT,
    ITERATE,
    PICK,
    PRETRAIN,
    PRUNE,
    TRAIN,
    VERIFY,
    TaskSpec,
)

APath = str | os.PathLike[str]
#: Files, folders and patterns; or arrays (`frostpick_jobs.inputs.arrays`).
Paths = APath | Sequence[APath] | Arrays
Where = APath | Host
R = TypeVar("R", bound=Result)

#: Name in a record of a model that no setting names.
IN_MEMORY = "in memory"
#: Names of before, until 2.0.
PickResult, TrainResult = PickingResult, TrainingResult


@order_before("micrographs", "out")
def pick(
    out: Where,
    *,
    micrographs: Paths = (),
    model: APath | PickingModel = "general",
    executor: Executor | None = None,
    **settings: Any,
) -> PickingResult:
    """Pick particles.

    Parameters
    ----------
    out
        Output folder; or a host, which brings its own micrographs.
    micrographs
        Folders, patterns, files or lists.
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
    named = {"model": IN_MEMORY if isinstance(model, PickingModel) else os.fspath(model)}
    given = {"micrographs": micrographs}
    return _run(PICK, PickingResult, out, given, {**named, **settings}, executor, in_memory)


@order_before("micrographs", "labels", "out")
@names_before(TRAIN)
def train(
    out: Where,
    *,
    micrographs: Paths = (),
    labels: Paths = (),
    executor: Executor | None = None,
    **settings: Any,
) -> TrainingResult:
    """Train a picking model.

    Parameters
    ----------
    out
        Output folder; or a host, which brings its own micrographs and labels.
    micrographs
        Folders, patterns, files or lists.
    labels
        Files, folders or patterns of picks to learn from; none where ``start_model`` names a
        model.
    executor
        Who picks the micrographs of the pictures, and where. None: this process.
    settings
        Fields of `TrainSettings`, e.g. ``diameter=120, start_model="none"``.

    Raises
    ------
    FrostpickError
        Any error meant for the user.
    """
    given = {"micrographs": micrographs, "labels": labels}
    return _run(TRAIN, TrainingResult, out, given, settings, executor)


@order_before("micrographs", "labels", "out")
@names_before(ITERATE)
def iterate(
    out: Where,
    *,
    micrographs: Paths = (),
    labels: Paths = (),
    executor: Executor | None = None,
    **settings: Any,
) -> IteratingResult:
    """Train a picking model in rounds: pick, verify, learn from the verified picks.

    Parameters
    ----------
    out, micrographs, labels
        As for `train`.
    executor
        Who picks in a round, and where. None: this process, on the first device of the settings.
    settings
        Fields of `IterateSettings`, e.g. ``diameter=120, rounds=2``.

    Raises
    ------
    FrostpickError
        Any error meant for the user.
    """
    given = {"micrographs": micrographs, "labels": labels}
    return _run(ITERATE, IteratingResult, out, given, settings, executor)


@order_before("micrographs", "labels", "out")
@names_before(FEWSHOT)
def fewshot(
    out: Where,
    *,
    micrographs: Paths = (),
    labels: Paths = (),
    executor: Executor | None = None,
    **settings: Any,
) -> FewshotResult:
    """Pick from about fifteen exemplars marked on one micrograph.

    Parameters
    ----------
    out
        Output folder, which holds the model that was made as ``model`` too; or a host.
    micrographs
        Files, folders or patterns, the labelled one among them.
    labels
        Files of marked particles.
    executor
        As for `pick`.
    settings
        Fields of `FewshotSettings`, e.g. ``diameter=120, method="cryomae"``.

    Raises
    ------
    FrostpickError
        Any error meant for the user.
    """
    given = {"micrographs": micrographs, "labels": labels}
    return _run(FEWSHOT, FewshotResult, out, given, settings, executor)


@names_before(PRUNE)
def prune(
    out: Where,
    *,
    micrographs: Paths = (),
    picks: Paths = (),
    particles: Paths | None = None,
    labels: Paths = (),
    bad: Paths = (),
    executor: Executor | None = None,
    **settings: Any,
) -> PruningResult:
    """Keep the particles among picks or extracted particles, and say why of the rest.

    Parameters
    ----------
    out
        Output folder; or a host, which brings its own inputs.
    micrographs, picks
        Picks of any program and the micrographs that they lie on.
    particles
        Instead of picks: a particles STAR file, or a stack.
    labels, bad
        Known particles and non-particles; ``bad="rest"`` is all input that is not a label.
    executor
        Who scores the rows, and where. None: this process, on the first device of the settings.
    settings
        Fields of `PruneSettings`, e.g. ``diameter=120, threshold="precision=0.95"``.

    Raises
    ------
    FrostpickError
        Any error meant for the user.
    """
    given = {
        "micrographs": micrographs,
        "picks": picks,
        "particles": () if particles is None else particles,
        "labels": labels,
        "bad": bad,
    }
    return _run(PRUNE, PruningResult, out, given, settings, executor)


def verify(
    out: Where,
    *,
    micrographs: Paths = (),
    picks: Paths = (),
    particles: Paths | None = None,
    executor: Executor | None = None,
    **settings: Any,
) -> VerifyingResult:
    """Score picks or particles by mean and spread over four rotations; no row is dropped.

    Parameters are those of `prune`; ``settings`` are fields of `VerifySettings`.
    """
    given = {
        "micrographs": micrographs,
        "picks": picks,
        "particles": () if particles is None else particles,
    }
    return _run(VERIFY, VerifyingResult, out, given, settings, executor)


def pretrain(
    out: APath,
    *,
    micrographs: Paths = (),
    executor: Executor | None = None,
    **settings: Any,
) -> PretrainingResult:
    """Pretrain what `train`, `fewshot` or `prune` start from.

    Parameters
    ----------
    out
        Output folder.
    micrographs
        Any micrographs, without labels, for ``method="mae"``; simulated ones when left out.
    executor
        Has no use here yet.
    settings
        Fields of `PretrainSettings`, e.g. ``method="mae", steps=20000``.

    Raises
    ------
    FrostpickError
        Any error meant for the user.
    """
    given = {"micrographs": micrographs}
    return _run(PRETRAIN, PretrainingResult, out, given, settings, executor)


def _run(
    task: TaskSpec,
    result: type[R],
    out: Where,
    given: Mapping[str, Paths],
    settings: Mapping[str, Any],
    executor: Executor | None,
    model: PickingModel | None = None,
) -> R:
    """Run a task on a folder or on a host, and return its result.

    Parameters
    ----------
    result
        Type of the task's result.
    given
        Inputs by the name in the declaration; on a host none may be given.
    settings
        Fields of the task's settings.
    model
        A picking model in memory, for whatever the settings name; not on a host.
    """
    resolved = resolve(task.settings, ("arguments", settings))
    on_folder = None if isinstance(out, Host) else Path(out)
    pixel_A = getattr(resolved, "pixel_size", None)
    inputs = {
        name: paths
        for name, one in given.items()
        if (paths := _files(on_folder, name, one, pixel_A))
    }
    if isinstance(out, Host):
        if inputs or model is not None:
            told = ", ".join([*inputs, *(["model"] if model is not None else [])])
            raise ConfigError(f"a host brings its own inputs; leave {told} away")
        host = out
    else:
        host = FolderHost.for_settings(Path(out), inputs, resolved, model=model)
    run = task.load_run()
    done = execute(host, lambda: run(host, resolved, executor))
    assert isinstance(done, result)
    return done


def _files(out: Path | None, name: str, given: Paths, pixel_A: float | None) -> tuple[str, ...]:
    """Return the files of an input; arrays are written below the job's folder."""
    if not are_arrays(given):
        return as_paths(cast("APath | Sequence[APath]", given))
    if out is None:
        raise ConfigError(f"a host brings its own inputs; leave {name} away")
    return write_input(out, name, cast(Arrays, given), pixel_A)


def as_paths(paths: APath | Sequence[APath]) -> tuple[str, ...]:
    """Return one path or several as texts."""
    if isinstance(paths, (str, os.PathLike)):
        return (os.fspath(paths),)
    return tuple(os.fspath(path) for path in paths)
