"""The commands of ``frostpick``, for people. Heavy imports happen inside the commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from frostpick._version import __version__
from frostpick_jobs.cli import commands, desk
from frostpick_jobs.cli.config_command import config_app
from frostpick_jobs.cli.cryosparc import cryosparc_app
from frostpick_jobs.cli.folder_command import folder_command
from frostpick_jobs.cli.typer_options import PatternCommand
from frostpick_jobs.job.endings import help_text
from frostpick_jobs.tasks.declarations import TASKS, TaskSpec

HELP = "Deep particle picking for cryo-EM, on a plain folder. Filaments are not supported yet."


def frostpick_app(tasks: Sequence[TaskSpec]) -> typer.Typer:
    """Return the command line: one command for every task that runs on a folder, and others."""
    app = typer.Typer(
        name="frostpick",
        help=HELP,
        epilog=help_text(),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        # Plain text: the boxes cut long option names, and break an error over lines.
        rich_markup_mode=None,
    )

    def add(name: str, function: Callable[..., Any]) -> None:
        app.command(name, cls=PatternCommand, epilog=help_text())(function)

    app.callback(help=HELP, epilog=help_text())(_root)
    add("simulate", commands.simulate)
    for task in tasks:
        if "folder" in task.hosts:
            add(task.name, folder_command(task))
    add("select", commands.select)
    add("audit", commands.audit)
    add("evaluate", commands.evaluate)
    add("clean", commands.clean)
    add("demo", commands.demo)
    add("doctor", desk.doctor)
    add("methods", desk.methods)
    models = typer.Typer(
        help="Models that come with frostpick, and model files.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    models.command("list")(commands.list_models)
    models.command("show")(commands.show_model)
    app.add_typer(models, name="models")
    app.add_typer(config_app([task for task in tasks if "folder" in task.hosts]), name="config")
    app.add_typer(cryosparc_app(tasks), name="cryosparc")
    return app


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


app = frostpick_app(TASKS)
