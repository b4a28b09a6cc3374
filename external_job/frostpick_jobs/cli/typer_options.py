"""Turn a settings class into the options of a typer command."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

from frostpick.config import Settings
from frostpick_jobs.cli.options import Option, list_options


class PatternCommand(typer.core.TyperCommand):
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


def command_with_settings(
    kind: type[Settings], function: Callable[..., None]
) -> Callable[..., None]:
    """Add one option per field of ``kind``, and ``--config``, to a command's own parameters.

    Parameters
    ----------
    kind
        The settings class; every option defaults to None, so that only what was
        typed overrides the YAML file and the model card.
    function
        The command. It receives its own parameters, ``config`` (a path or None)
        and ``values``, the options that were typed by field name.

    Returns
    -------
    callable
        A function whose signature typer can read.
    """
    own = [
        p
        for n, p in inspect.signature(function, eval_str=True).parameters.items()
        if n not in ("config", "values")
    ]
    options = list_options(kind)

    def command(**arguments: Any) -> None:
        values = {o.field: arguments.pop(o.field) for o in options}
        function(**arguments, values={k: v for k, v in values.items() if v is not None})

    config = inspect.Parameter(
        "config",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[
            Path | None,
            typer.Option("--config", help="YAML file with any option above from --device on."),
        ],
    )
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    parameters += [*map(_parameter, options), config]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    return command


def _parameter(option: Option) -> inspect.Parameter:
    flags = [option.flag, f"--no-{option.flag[2:]}"] if option.type is bool else [option.flag]
    declaration = "/".join(flags)
    return inspect.Parameter(
        option.field,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[option.type | None, typer.Option(declaration, help=_help(option))],
    )


def _help(option: Option) -> str:
    """Return the help text with the default, which typer does not know."""
    silent = option.type is bool or option.default is None
    return option.help if silent else f"{option.help}  [default: {option.default}]"
