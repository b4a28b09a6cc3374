"""``frostpick cryosparc``: tasks as External jobs, from any machine that reaches the server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from frostpick.errors import InputError, option
from frostpick_jobs.cli.console import log_to_terminal
from frostpick_jobs.cli.parameters import IgnoreVersion, Overwrite, Project, Url, Workspace
from frostpick_jobs.cli.server_command import server_command
from frostpick_jobs.cli.typer_options import TaskCommand
from frostpick_jobs.job.endings import help_text
from frostpick_jobs.tasks.declarations import TaskSpec


def cryosparc_app(tasks: Sequence[TaskSpec]) -> typer.Typer:
    """Return the commands on a server: one for every task that runs there, and two others."""
    app = typer.Typer(
        help="External jobs of CryoSPARC. Log in once with  "
        "python -m cryosparc.tools login --url URL",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    app.command("login-check")(login_check)
    app.command("selftest")(selftest)
    for task in tasks:
        if "cryosparc" in task.hosts:
            app.command(task.name, cls=TaskCommand, epilog=help_text("cryosparc"))(
                server_command(task)
            )
    return app


def login_check(url: Url = None, ignore_version: IgnoreVersion = False) -> None:
    """Say whether the login works, and whether the versions fit."""
    log_to_terminal()
    from frostpick_jobs.hosts.cryosparc.server.client_versions import tools_version
    from frostpick_jobs.hosts.cryosparc.server.connect import connect

    server = connect(url, ignore_version=ignore_version)
    server.close()
    print(f"logged in at {server.url}: CryoSPARC {server.version}, tools {tools_version()}")


def selftest(
    project: Project,
    workspace: Workspace = None,
    url: Url = None,
    ignore_version: IgnoreVersion = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="File for the answers; else the screen.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Ask a real instance what no public source tells.

    It makes jobs for that, which are deleted at the end.
    """
    log_to_terminal()
    from frostpick.runtime.atomic import write_text
    from frostpick_jobs.hosts.cryosparc.selftest import run_selftest
    from frostpick_jobs.hosts.cryosparc.server.connect import connect
    from frostpick_jobs.hosts.cryosparc.server.references import check_uid

    check_uid(project, "P", "--project")
    if out is not None and out.exists() and not overwrite:
        raise InputError(f"{out}: already there; give another file, or {option('overwrite')}")
    server = connect(url, ignore_version=ignore_version)
    try:
        answers = json.dumps(run_selftest(server, project, workspace), indent=2) + "\n"
    finally:
        server.close()
    if out is None:
        print(answers, end="")
    else:
        write_text(out, answers)
