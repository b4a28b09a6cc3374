"""``frostpick prune`` and ``frostpick verify`` on a plain folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from frostpick.config import PruneSettings, VerifySettings
from frostpick_jobs.cli.folder_command import Job
from frostpick_jobs.cli.parameters import ParticlesFile, PickedMicrographs, Picks


def prune(
    settings: PruneSettings,
    out: Path,
    *,
    micrographs: PickedMicrographs = None,
    picks: Picks = None,
    particles: ParticlesFile = None,
    good: Annotated[
        list[str] | None,
        typer.Option("--good", help="Known particles, 20 are a start: picks or particles STAR."),
    ] = None,
    bad: Annotated[
        list[str] | None,
        typer.Option("--bad", help="Known non-particles; rest takes all input that is not good."),
    ] = None,
) -> Job:
    """Keep the particles among picks or extracted particles, and say why of the rest."""
    from frostpick_jobs.hosts.folder import FolderHost
    from frostpick_jobs.tasks.prune.run import run_prune

    host = FolderHost(
        out,
        micrographs or (),
        picks or (),
        pixel_size=settings.pixel_size,
        particles=particles,
        good=good or (),
        bad=bad or (),
    )
    return host, run_prune


def verify(
    settings: VerifySettings,
    out: Path,
    *,
    micrographs: PickedMicrographs = None,
    picks: Picks = None,
    particles: ParticlesFile = None,
) -> Job:
    """Score picks by mean and spread over four rotations; no row is dropped."""
    from frostpick_jobs.hosts.folder import FolderHost
    from frostpick_jobs.tasks.prune.run import run_verify

    host = FolderHost(
        out,
        micrographs or (),
        picks or (),
        pixel_size=settings.pixel_size,
        particles=particles,
    )
    return host, run_verify
