"""The commands for whoever answers questions: what is wrong, and what to write of a job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from frostpick_jobs.cli.console import log_to_terminal
from frostpick_jobs.job.endings import COMPLETE, FAILED

if TYPE_CHECKING:
    from frostpick_jobs.commands.doctor.finding import Finding

JobFolder = Annotated[Path | None, typer.Argument(help="The output folder of a job.")]


def doctor(
    out: JobFolder = None,
    bundle: Annotated[
        Path | None,
        typer.Option(help="Pack log, run records and settings into this zip file; no secret."),
    ] = None,
) -> None:
    """Say what is wrong here, and what to do about it.

    With the installation, this machine and a job's folder.

    Status 1 where somebody has to do something.
    """
    log_to_terminal()
    from frostpick_jobs.commands.doctor.run import anything_to_do, run_doctor

    found = []
    for one in run_doctor(out, bundle, site=_site_files()):
        print(one, flush=True)
        found.append(one)
    raise typer.Exit(FAILED if anything_to_do(found) else COMPLETE)


def _site_files() -> list[Finding]:
    """Tell which files of settings every job here reads, and what is wrong in them."""
    from frostpick.errors import ConfigError
    from frostpick_jobs.cli.site_file import environment_file, site_file, site_layers
    from frostpick_jobs.commands.doctor.finding import do, ok
    from frostpick_jobs.tasks.declarations import TASKS

    try:
        read = [path for path in (site_file(), environment_file()) if path is not None]
        for task in TASKS:
            site_layers(task)
    except ConfigError as error:
        return [do(str(error))]
    return [ok(f"settings of the site: {path}") for path in read]


def methods(
    out: Annotated[
        list[Path], typer.Argument(help="Folders of finished jobs, in the order of the work.")
    ],
) -> None:
    """Print what a paper says of some jobs, and BibTeX."""
    log_to_terminal()
    from frostpick_jobs.commands.methods import methods as told

    print(told(out), end="")
