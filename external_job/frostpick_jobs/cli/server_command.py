"""What the commands on a CryoSPARC server share: where the job is, and how it is resumed."""

from __future__ import annotations

import dataclasses
import inspect
import shlex
import sys
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from frostpick.config import Settings
from frostpick.errors import JobStopped
from frostpick_jobs.cli.config_file import resolve_settings
from frostpick_jobs.cli.console import log_to_terminal
from frostpick_jobs.cli.options import list_options
from frostpick_jobs.cli.parameters import (
    Blob,
    Debug,
    FlipY,
    Job,
    Project,
    Spool,
    Title,
    Url,
    Workspace,
)
from frostpick_jobs.cli.typer_options import command_with_settings
from frostpick_jobs.hosts.cryosparc.read.exposures import ORIGINAL
from frostpick_jobs.hosts.cryosparc.request import JobRequest, Task
from frostpick_jobs.hosts.cryosparc.server.references import check_uid, parse_output

if TYPE_CHECKING:
    from frostpick_jobs.hosts.cryosparc.server.connect import Server

Outputs = Sequence[str] | None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a job is made or found, and how it reads; every field is an option.

    ``project`` and ``workspace`` stand before a command's inputs in its help, the
    others after them.
    """

    project: Project
    workspace: Workspace = None
    job: Job = None
    title: Title = ""
    blob: Blob = ORIGINAL
    flip_y: FlipY = False
    url: Url = None
    spool: Spool = None
    debug: Debug = False

    def request(
        self, task: Task, again: str, micrographs: Outputs, particles: Outputs = ()
    ) -> JobRequest:
        """Return what is asked of the server; `ConfigError` for a name of a wrong form."""
        if self.workspace is None and self.job is None:
            raise typer.BadParameter("give --workspace to make a job, or --job to use one")
        workspace, job = self.workspace, self.job
        return JobRequest(
            task=task,
            project=check_uid(self.project, "P", "--project"),
            workspace=None if workspace is None else check_uid(workspace, "W", "--workspace"),
            job=None if job is None else check_uid(job, "J", "--job"),
            micrographs=tuple(parse_output(m, "--micrographs") for m in micrographs or ()),
            particles=tuple(parse_output(p, "--particles") for p in particles or ()),
            image_slot=self.blob,
            title=self.title,
            flip_y=self.flip_y,
            again=again,
        )

    def resume_command(
        self, task: Task, kind: type[Settings], values: dict[str, Any], config: Path | None
    ) -> str:
        """Return the command that resumes, but for ``--job``: inputs are connected by then."""
        words = ["frostpick", "cryosparc", task, "--project", self.project]
        for option in list_options(kind):
            value = values.get(option.field)
            if value is None or option.field == "restart":
                continue
            if option.type is bool:
                words.append(option.flag if value else f"--no-{option.flag[2:]}")
            else:
                words += [option.flag, str(value)]
        given = {"--config": config, "--url": self.url, "--spool": self.spool}
        given["--blob"] = None if self.blob == ORIGINAL else self.blob
        for flag, one in given.items():
            words += [] if one is None else [flag, str(one)]
        return shlex.join([*words, *(["--flip-y"] if self.flip_y else [])])

    def on_server(self, action: Callable[[Server], int]) -> NoReturn:
        """Connect, act, and leave with the exit code; 130 when stopped before it was ready."""
        from frostpick_jobs.hosts.cryosparc.server.connect import connect

        server = connect(self.url)
        try:
            code = action(server)
        except JobStopped as stop:
            print(f"frostpick: {stop}", file=sys.stderr)
            code = 130
        finally:
            server.close()
        raise typer.Exit(code)


def server_command(
    task: Task, kind: type[Settings], function: Callable[..., None]
) -> Callable[..., None]:
    """Give a command the options of `Place` and of a settings class beside its own.

    Parameters
    ----------
    function
        The command: ``function(place, settings, again, **own)``, whose keyword-only
        parameters are its own options; ``again`` is `Place.resume_command`.
    """
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    own = [one for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY]
    places = _parameters(Place)

    def command(*, config: Path | None, values: dict[str, Any], **arguments: Any) -> None:
        log_to_terminal("cryosparc")
        settings = resolve_settings(kind, config, values)
        place = Place(**{one.name: arguments.pop(one.name) for one in places})
        again = place.resume_command(task, kind, values, config)
        function(place, settings, again, **arguments)

    signature = inspect.Signature([*places[:2], *own, *places[2:]])
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    return command_with_settings(kind, command)


def _parameters(kind: type[Place]) -> list[inspect.Parameter]:
    hints = typing.get_type_hints(kind, include_extras=True)
    empty = dataclasses.MISSING
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is empty else field.default,
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(kind)
    ]
