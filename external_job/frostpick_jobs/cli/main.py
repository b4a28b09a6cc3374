"""``frostpick``: the command line for people. Heavy imports happen inside the commands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from frostpick._version import __version__
from frostpick.config import (
    FewshotSettings,
    IterateSettings,
    PickSettings,
    PretrainSettings,
    PruneSettings,
    TrainSettings,
    VerifySettings,
)
from frostpick.errors import FrostpickError, JobStopped
from frostpick_jobs.cli import commands, prune_commands
from frostpick_jobs.cli.cryosparc import app as cryosparc
from frostpick_jobs.cli.folder_command import folder_command
from frostpick_jobs.cli.typer_options import PatternCommand

app = typer.Typer(
    name="frostpick",
    help="Deep particle picking for cryo-EM, on a plain folder. Filaments are not supported yet.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain text: the boxes cut long option names, and break an error over lines.
    rich_markup_mode=None,
)
models = typer.Typer(
    help="Models that come with frostpick, and model files.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(models, name="models")
app.add_typer(cryosparc, name="cryosparc")


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Deep particle picking for cryo-EM, on a plain folder. Filaments are not supported yet."""


def _add(name: str, function: Callable[..., Any]) -> None:
    app.command(name, cls=PatternCommand)(function)


_add("simulate", commands.simulate)
_add("train", folder_command(TrainSettings, commands.train))
_add("iterate", folder_command(IterateSettings, commands.iterate))
_add("pick", folder_command(PickSettings, commands.pick))
_add("fewshot", folder_command(FewshotSettings, commands.fewshot))
_add("pretrain", folder_command(PretrainSettings, commands.pretrain))
_add("select", commands.select)
_add("prune", folder_command(PruneSettings, prune_commands.prune))
_add("verify", folder_command(VerifySettings, prune_commands.verify))
_add("evaluate", commands.evaluate)
_add("demo", commands.demo)
models.command("list")(commands.list_models)
models.command("show")(commands.show_model)


def main() -> None:
    """Run the command line; what is no bug is one sentence, and exit status 1 (stopped: 130)."""
    try:
        app()
    except (FrostpickError, OSError, MemoryError, JobStopped) as error:
        from frostpick_jobs.job.lifecycle import STOPPED, is_stop, sentence

        print(f"frostpick: {sentence(error, Path())}", file=sys.stderr)
        sys.exit(STOPPED if is_stop(error) else 1)


if __name__ == "__main__":
    main()
