"""The command of a task on a plain folder: its options, the run, and the end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from frostpick_jobs.cli.parameters import Debug, Out
from frostpick_jobs.cli.site_file import log_site, task_settings
from frostpick_jobs.cli.typer_options import Typed, parameter, task_command
from frostpick_jobs.tasks.declarations import TaskSpec

log = logging.getLogger(__name__)

#: Exit codes from here on are stops: 128 and the number of a signal.
STOPPED = 128

#: The options beside inputs and settings.
EXTRAS = (parameter("out", Out), parameter("debug", Debug, False))


def folder_command(task: TaskSpec) -> Callable[..., None]:
    """Return the command ``frostpick TASK``."""

    def act(
        given: Typed, values: dict[str, Any], config: Path | None, *, out: Path, debug: bool
    ) -> None:
        settings, origin = task_settings(task, config, values)
        log_site(settings, origin)
        from frostpick_jobs.hosts.folder import FolderHost
        from frostpick_jobs.job.lifecycle import run_job

        host = FolderHost.for_settings(out, given, settings)
        run = task.load_run()
        done = run_job(host, lambda: run(host, settings), debug=debug, strict=settings.strict)
        raise typer.Exit(told(done))

    return task_command(task, "folder", act, after=EXTRAS)


def told(code: int) -> int:
    """Say after a stop how the job goes on; return the exit code."""
    if code >= STOPPED:
        log.info("what is finished is kept: give the same command again to go on")
    return code
