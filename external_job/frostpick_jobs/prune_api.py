"""What scripts call to prune and to verify picks or particles."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from frostpick.config import PruneSettings, VerifySettings, resolve
from frostpick.errors import ConfigError
from frostpick.runtime.executors.base import Executor
from frostpick_jobs.api import Paths, as_paths
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.lifecycle import execute
from frostpick_jobs.tasks.prune.run import PruneSummary, run_prune, run_verify


def prune(
    out: str | os.PathLike[str] | Host,
    *,
    micrographs: Paths = (),
    picks: Paths = (),
    particles: str | os.PathLike[str] | None = None,
    good: Paths = (),
    bad: Paths = (),
    executor: Executor | None = None,
    **settings: Any,
) -> PruneSummary:
    """Keep the particles among picks or extracted particles, and say why of the rest.

    Parameters
    ----------
    out
        Output folder; or a host, which brings its own inputs.
    micrographs, picks
        Picks of any program and the micrographs that they lie on.
    particles
        Instead of picks: a particles STAR file, or a stack.
    good, bad
        Known particles and non-particles; ``bad="rest"`` is all input that is not good.
    executor
        Who scores the rows, and where. None: this process, on the first device of the settings.
    settings
        Fields of `PruneSettings`, e.g. ``diameter=120, keep_at="precision=0.95"``.

    Raises
    ------
    FrostpickError
        Any error meant for the user.
    """
    resolved = resolve(PruneSettings, ("arguments", settings))
    host = _host(out, micrographs, picks, particles, good, bad, resolved.pixel_size)
    return execute(host, lambda: run_prune(host, resolved, executor))


def verify(
    out: str | os.PathLike[str] | Host,
    *,
    micrographs: Paths = (),
    picks: Paths = (),
    particles: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
    **settings: Any,
) -> PruneSummary:
    """Score picks or particles by mean and spread over four rotations; no row is dropped.

    Parameters are those of `prune`; ``settings`` are fields of `VerifySettings`.
    """
    resolved = resolve(VerifySettings, ("arguments", settings))
    host = _host(out, micrographs, picks, particles, (), (), resolved.pixel_size)
    return execute(host, lambda: run_verify(host, resolved, executor))


def _host(
    out: str | os.PathLike[str] | Host,
    micrographs: Paths,
    picks: Paths,
    particles: str | os.PathLike[str] | None,
    good: Paths,
    bad: Paths,
    pixel_size: float | None,
) -> Host:
    given = [*map(as_paths, (micrographs, picks, good, bad))]
    if isinstance(out, Host):
        if any(given) or particles is not None:
            raise ConfigError("a host brings its own inputs; leave picks and particles away")
        return out
    return FolderHost(
        Path(out),
        given[0],
        given[1],
        pixel_size=pixel_size,
        particles=None if particles is None else Path(particles),
        good=given[2],
        bad=given[3],
    )
