"""The command of a task on a CryoSPARC server: where the job is, and how it is resumed."""

from __future__ import annotations

import dataclasses
import inspect
import shlex
import sys
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from frostpick.errors import JobStopped
from frostpick.settings import names_of_today
from frostpick_jobs.cli.options import list_options
from frostpick_jobs.cli.parameters import (
    ORIGINAL,
    Blob,
    Debug,
    Download,
    FlipY,
    IgnoreVersion,
    Job,
    Mapped,
    Project,
    Spool,
    Title,
    Url,
    Workspace,
)
from frostpick_jobs.cli.site_file import log_site, task_settings
from frostpick_jobs.cli.task_inputs import inputs_on
from frostpick_jobs.cli.typer_options import Typed, parameter, task_command
from frostpick_jobs.tasks.declarations import REST, InputSpec, TaskSpec, is_rest

if TYPE_CHECKING:
    from frostpick_jobs.hosts.cryosparc.request import JobRequest
    from frostpick_jobs.hosts.cryosparc.server.connect import Server


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
    download: Download = False
    mapped: Mapped = None
    url: Url = None
    ignore_version: IgnoreVersion = False
    spool: Spool = None
    debug: Debug = False

    def request(self, task: TaskSpec, given: Typed, again: str) -> JobRequest:
        """Return what is asked of the server; `ConfigError` for a name of a wrong form."""
        from frostpick_jobs.hosts.cryosparc.read.mounts import Mounts
        from frostpick_jobs.hosts.cryosparc.request import JobRequest
        from frostpick_jobs.hosts.cryosparc.server.references import check_uid

        if self.workspace is None and self.job is None:
            raise typer.BadParameter("give --workspace to make a job, or --job to use one")
        workspace, job = self.workspace, self.job
        return JobRequest(
            task=task,
            project=check_uid(self.project, "P", "--project"),
            workspace=None if workspace is None else check_uid(workspace, "W", "--workspace"),
            job=None if job is None else check_uid(job, "J", "--job"),
            inputs={one.name: given[one.name] for one in inputs_on(task, "cryosparc")},
            image_slot=self.blob,
            title=self.title,
            flip_y=self.flip_y,
            download=self.download,
            mounts=Mounts.parse(self.mapped or ()),
            again=again,
        )

    def resume_command(
        self, task: TaskSpec, given: Typed, values: dict[str, Any], config: Path | None
    ) -> str:
        """Return the command that resumes, but for ``--job``: inputs are connected by then."""
        values = names_of_today(values, task.settings)
        words = ["frostpick", "cryosparc", task.name, "--project", self.project]
        for option in list_options(task.settings):
            value = values.get(option.field)
            if value is None or option.field == "restart":
                continue
            if option.type is bool:
                words.append(option.flag if value else f"--no-{option.flag[2:]}")
            else:
                words += [option.flag, str(value)]
        others = {"--config": config, "--url": self.url, "--spool": self.spool}
        others["--blob"] = None if self.blob == ORIGINAL else self.blob
        for flag, text in others.items():
            words += [] if text is None else [flag, str(text)]
        switches = {
            "--flip-y": self.flip_y,
            "--download": self.download,
            "--ignore-version": self.ignore_version,
        }
        words += [flag for flag, is_on in switches.items() if is_on]
        for text in self.mapped or ():
            words += ["--map", text]
        for one in inputs_on(task, "cryosparc"):
            words += [_flag(one), REST] if one.rest and is_rest(given, one.name) else []
        return shlex.join(words)

    def on_server(self, action: Callable[[Server], int]) -> NoReturn:
        """Connect, act, and leave with the exit code, also when stopped before it was ready."""
        from frostpick_jobs.hosts.cryosparc.server.connect import connect
        from frostpick_jobs.job.lifecycle import status_of_stop

        server = connect(self.url, ignore_version=self.ignore_version)
        try:
            code = action(server)
        except JobStopped as stop:
            print(f"frostpick: {stop}", file=sys.stderr)
            code = status_of_stop(stop)
        finally:
            server.close()
        raise typer.Exit(code)


def server_command(task: TaskSpec) -> Callable[..., None]:
    """Return the command ``frostpick cryosparc TASK``."""

    def act(given: Typed, values: dict[str, Any], config: Path | None, **place: Any) -> None:
        settings, origin = task_settings(task, config, values)
        log_site(settings, origin)
        where = Place(**place)
        again = where.resume_command(task, given, values, config)
        asked = where.request(task, given, again)
        from frostpick_jobs.hosts.cryosparc import run

        where.on_server(
            lambda server: run.run_task_for_exit_code(
                server, asked, settings, spool=where.spool, debug=where.debug
            )
        )

    return task_command(task, "cryosparc", act, before=EXTRAS[:2], after=EXTRAS[2:])


def _flag(one: InputSpec) -> str:
    return f"--{one.name}"


def _parameters(kind: type[Place]) -> list[inspect.Parameter]:
    hints = typing.get_type_hints(kind, include_extras=True)
    required = dataclasses.MISSING
    return [
        parameter(one.name, hints[one.name])
        if one.default is required
        else parameter(one.name, hints[one.name], one.default)
        for one in dataclasses.fields(kind)
    ]


#: The options beside inputs and settings.
EXTRAS = _parameters(Place)
