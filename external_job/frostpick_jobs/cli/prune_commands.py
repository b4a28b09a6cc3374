"""``frostpick prune`` and ``frostpick verify`` on a plain folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from frostpick.config import PruneSettings, VerifySettings
from frostpick_jobs.cli.commands import told
from frostpick_jobs.cli.config_file import resolve_settings
from frostpick_jobs.cli.console import log_to_terminal
from frostpick_jobs.cli.parameters import Debug, Out, ParticlesFile, PickedMicrographs, Picks


def prune(
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
    out: Out,
    debug: Debug = False,
    config: Path | None = None,
    values: dict[str, Any],
) -> None:
    """Keep the particles among picks or extracted particles, and say why of the rest."""
    log_to_terminal()
    settings = resolve_settings(PruneSettings, config, values)
    from frostpick_jobs.folder import FolderHost
    from frostpick_jobs.lifecycle import run_job
    from frostpick_jobs.tasks.prune import run_prune

    host = FolderHost(
        out,
        micrographs or (),
        picks or (),
        pixel_size=settings.pixel_size,
        particles=particles,
        good=good or (),
        bad=bad or (),
    )
    raise typer.Exit(told(run_job(host, lambda: run_prune(host, settings), debug=debug)))


def verify(
    *,
    micrographs: PickedMicrographs = None,
    picks: Picks = None,
    particles: ParticlesFile = None,
    out: Out,
    debug: Debug = False,
    config: Path | None = None,
    values: dict[str, Any],
) -> None:
    """Score picks by mean and spread over four rotations; no row is dropped."""
    log_to_terminal()
    settings = resolve_settings(VerifySettings, config, values)
    from frostpick_jobs.folder import FolderHost
    from frostpick_jobs.lifecycle import run_job
    from frostpick_jobs.tasks.prune import run_verify

    host = FolderHost(
        out,
        micrographs or (),
        picks or (),
        pixel_size=settings.pixel_size,
        particles=particles,
    )
    raise typer.Exit(told(run_job(host, lambda: run_verify(host, settings), debug=debug)))
