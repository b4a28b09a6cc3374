"""What the commands on a plain folder share: settings, the folder of results, and the end."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from frostpick.config import Settings
from frostpick_jobs.cli.config_file import resolve_settings
from frostpick_jobs.cli.console import log_to_terminal
from frostpick_jobs.cli.parameters import Debug, Out
from frostpick_jobs.cli.typer_options import command_with_settings

if TYPE_CHECKING:
    from frostpick_jobs.job.host import Host

log = logging.getLogger(__name__)

#: Exit codes from here on are stops: 128 and the number of a signal.
STOPPED = 128

#: A host, and what runs in it with its settings.
Job = tuple["Host", Callable[[Any, Any], object]]


def folder_command(kind: type[Settings], function: Callable[..., Job]) -> Callable[..., None]:
    """Give a command ``--out``, ``--debug`` and the options of a settings class beside its own.

    Parameters
    ----------
    function
        The command: ``function(settings, out, **own)``, whose keyword-only parameters are
        its own options. Imports that take long are made inside it.
    """
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    own = [one for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY]

    def command(
        *, out: Path, debug: bool, config: Path | None, values: dict[str, Any], **arguments: Any
    ) -> None:
        log_to_terminal()
        settings = resolve_settings(kind, config, values)
        host, run = function(settings, out, **arguments)
        from frostpick_jobs.job.lifecycle import run_job

        raise typer.Exit(told(run_job(host, lambda: run(host, settings), debug=debug)))

    named = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter("out", named, annotation=Out),
        inspect.Parameter("debug", named, default=False, annotation=Debug),
    ]
    command.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    return command_with_settings(kind, command)


def told(code: int) -> int:
    """Say after a stop how the job goes on; return the exit code."""
    if code >= STOPPED:
        log.info("what is finished is kept: give the same command again to go on")
    return code
