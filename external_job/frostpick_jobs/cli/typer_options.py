"""Turn a task's declaration into a typer command: its inputs, its settings, and ``--config``."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from frostpick_jobs.cli.console import log_to_terminal
from frostpick_jobs.cli.options import ADVANCED, Option, list_options
from frostpick_jobs.cli.task_inputs import inputs_on
from frostpick_jobs.tasks.declarations import InputSpec, TaskSpec, inputs_of_today
from frostpick_jobs.tasks.declarations.kinds import always

#: Inputs as they were typed, by their name in the declaration.
Typed = dict[str, tuple[str, ...]]


class TaskCommand(typer.core.TyperCommand):
    """A command in whose help options that few need have a heading; typer has one for all."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options into the help, the advanced ones after the others."""
        usual: list[tuple[str, str]] = []
        advanced: list[tuple[str, str]] = []
        for one in self.get_params(ctx):
            shown = one.get_help_record(ctx)
            if shown is not None:
                is_advanced = getattr(one, "rich_help_panel", None) == ADVANCED
                (advanced if is_advanced else usual).append(shown)
        for heading, rows in (("Options", usual), (ADVANCED, advanced)):
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)


class PatternCommand(TaskCommand):
    """A command that tells what went wrong when the shell has expanded a pattern."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, with a sentence of its own for words that no option takes."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter:
            raise
        except Exception as error:
            if "unexpected extra argument" in str(getattr(error, "message", "")):
                error.message = (  # type: ignore[attr-defined]
                    "more words than options take; put a pattern in quotes "
                    "(--micrographs 'Micrographs/*.mrc'), or repeat the option for each file"
                )
            raise


def task_command(
    task: TaskSpec,
    host: str,
    act: Callable[..., None],
    *,
    before: Sequence[inspect.Parameter] = (),
    after: Sequence[inspect.Parameter] = (),
) -> Callable[..., None]:
    """Return the command of a task on a host, of which typer reads the signature.

    Parameters
    ----------
    act
        ``act(given, values, config, **extras)`` does the work: the inputs, the settings that
        were typed by field name, the path of a YAML file or None.
    before, after
        The host's extras: options that stand before the inputs in the help, and after them.

    Notes
    -----
    Every setting defaults to None here, so that only what was typed overrides the YAML file
    and the model card.
    """
    options, inputs = list_options(task.settings), inputs_on(task, host)
    before_names = [old for one in inputs for old in one.was.get(host, ())]

    def command(*, config: Path | None, **arguments: Any) -> None:
        names = [*(one.name for one in inputs), *before_names]
        log_to_terminal(host)
        given = {name: tuple(arguments.pop(name) or ()) for name in names}
        given = _of_today(task, host, given)
        typed = {one.field: arguments.pop(_parameter_of(one)) for one in options}
        values = {name: value for name, value in typed.items() if value is not None}
        act(given, values, config, **arguments)

    parameters = [*before, *(_input(one, host) for one in inputs), *after]
    parameters += [*map(_setting, options), *map(_input_of_before, before_names), _CONFIG]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    command.__name__, command.__doc__ = task.name, task.help_on(host)
    return command


def parameter(
    name: str, annotation: Any, default: Any = inspect.Parameter.empty
) -> inspect.Parameter:
    """Return a parameter of a command; one without a default is required."""
    named = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, named, default=default, annotation=annotation)


_CONFIG = parameter(
    "config",
    Annotated[
        Path | None,
        typer.Option(
            "--config", help="YAML file with options; inputs and folders are always typed."
        ),
    ],
    None,
)


def _input(one: InputSpec, host: str) -> inspect.Parameter:
    """Return the option of an input; a job of a CryoSPARC server may have it connected already."""
    help_text, required = one.help_on(host), _is_required(one, host)
    if required and one.was.get(host):
        help_text += "  [required]"  # by us: a name of before may stand for it
    option = typer.Option(f"--{one.name}", help=help_text)
    if required and not one.was.get(host):
        return parameter(one.name, Annotated[list[str], option])
    return parameter(one.name, Annotated[list[str] | None, option], None)


def _input_of_before(name: str) -> inspect.Parameter:
    option = typer.Option(f"--{name}", hidden=True)
    return parameter(name, Annotated[list[str] | None, option], None)


def _is_required(one: InputSpec, host: str) -> bool:
    return one.needed is always and host != "cryosparc"


def _of_today(task: TaskSpec, host: str, given: Typed) -> Typed:
    """Return inputs by their names of today, and refuse to go on without a required one."""
    found = {name: tuple(files) for name, files in inputs_of_today(task, host, given).items()}
    for one in task.inputs:
        if _is_required(one, host) and not found.get(one.name):
            raise typer.BadParameter(f"Missing option '--{one.name}'.")
    return found


def _setting(option: Option) -> inspect.Parameter:
    flags = [option.flag, f"--no-{option.flag[2:]}"] if option.type is bool else [option.flag]
    told = typer.Option(
        "/".join(flags),
        help=option.told,
        hidden=option.hidden,
        rich_help_panel=ADVANCED if option.advanced else None,
    )
    return parameter(_parameter_of(option), Annotated[option.type | None, told], None)


def _parameter_of(option: Option) -> str:
    """Return a name for Python, which has ``from`` for itself."""
    return f"{option.field}_" if keyword.iskeyword(option.field) else option.field
