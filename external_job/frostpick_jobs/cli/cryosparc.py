"""``frostpick cryosparc``: train and pick as External jobs, from any machine that reaches it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from frostpick.config import (
    FewshotSettings,
    IterateSettings,
    PickSettings,
    PruneSettings,
    Settings,
    TrainSettings,
    resolve,
)
from frostpick.errors import JobStopped
from frostpick_jobs.cli.config_file import read_config
from frostpick_jobs.cli.console import log_to_terminal
from frostpick_jobs.cli.options import list_options
from frostpick_jobs.cli.typer_options import command_with_settings
from frostpick_jobs.cryosparc.references import check_uid, parse_output
from frostpick_jobs.cryosparc.request import JobRequest, Task

if TYPE_CHECKING:
    from frostpick_jobs.cryosparc.connect import Server

app = typer.Typer(
    help="External jobs of CryoSPARC. Log in once with  python -m cryosparc.tools login --url URL",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Url = Annotated[
    str | None,
    typer.Option("--url", help="CryoSPARC, such as http://host:39000; else CRYOSPARC_BASE_URL."),
]
Project = Annotated[str, typer.Option("--project", help="Project, such as P3.")]
Workspace = Annotated[
    str | None, typer.Option("--workspace", help="Workspace to make the job in, such as W1.")
]
Job = Annotated[
    str | None,
    typer.Option(
        "--job", help="An External job made and connected in the web page, or one to resume."
    ),
]
Micrographs = Annotated[
    list[str] | None,
    typer.Option("--micrographs", help="Output of a job, such as J10.exposures; may be repeated."),
]
Particles = Annotated[
    list[str] | None,
    typer.Option("--particles", help="Output with picks or particles, such as J12.particles."),
]
Blob = Annotated[
    str,
    typer.Option("--blob", help="Slot of the image to read, such as micrograph_blob_non_dw."),
]
FlipY = Annotated[
    bool,
    typer.Option(
        "--flip-y",
        help="Mirror picks top to bottom: for images that another program read from TIFF movies.",
    ),
]
Title = Annotated[str, typer.Option("--title", help="Title of the job.")]
Spool = Annotated[
    Path | None,
    typer.Option("--spool", help="Folder of this machine for results that are not saved yet."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@app.command("login-check")
def login_check(url: Url = None) -> None:
    """Say whether the login works, and whether the versions fit."""
    log_to_terminal()
    from frostpick_jobs.cryosparc.connect import connect
    from frostpick_jobs.cryosparc.shim import tools_version

    server = connect(url)
    server.close()
    print(f"logged in at {server.url}: CryoSPARC {server.version}, tools {tools_version()}")


def train(
    *,
    project: Project,
    workspace: Workspace = None,
    micrographs: Micrographs = None,
    particles: Particles = None,
    job: Job = None,
    title: Title = "",
    blob: Blob = "micrograph_blob",
    flip_y: FlipY = False,
    url: Url = None,
    spool: Spool = None,
    debug: Debug = False,
    config: Path | None = None,
    values: dict[str, Any],
) -> None:
    """Train a picking model on picks or particles of a project."""
    log_to_terminal()
    settings = _resolve(TrainSettings, config, values)
    again = _command("train", TrainSettings, values, config, project, url, blob, flip_y, spool)
    request = _request(
        "train", project, workspace, job, micrographs, particles, title, blob, flip_y, again
    )
    from frostpick_jobs.cryosparc import run

    _on_server(url, lambda s: run.train(s, request, settings, spool=spool, debug=debug))


def iterate(
    *,
    project: Project,
    workspace: Workspace = None,
    micrographs: Micrographs = None,
    particles: Particles = None,
    job: Job = None,
    title: Title = "",
    blob: Blob = "micrograph_blob",
    flip_y: FlipY = False,
    url: Url = None,
    spool: Spool = None,
    debug: Debug = False,
    config: Path | None = None,
    values: dict[str, Any],
) -> None:
    """Train in rounds: pick, verify, learn from the sure picks; --particles may be left out.

    Without --particles a model is needed to start from.
    """
    log_to_terminal()
    settings = _resolve(IterateSettings, config, values)
    again = _command("iterate", IterateSettings, values, config, project, url, blob, flip_y, spool)
    request = _request(
        "iterate", project, workspace, job, micrographs, particles, title, blob, flip_y, again
    )
    from frostpick_jobs.cryosparc import run

    _on_server(url, lambda s: run.train(s, request, settings, spool=spool, debug=debug))


def pick(
    *,
    project: Project,
    workspace: Workspace = None,
    micrographs: Micrographs = None,
    job: Job = None,
    title: Title = "",
    blob: Blob = "micrograph_blob",
    flip_y: FlipY = False,
    url: Url = None,
    spool: Spool = None,
    debug: Debug = False,
    config: Path | None = None,
    values: dict[str, Any],
) -> None:
    """Pick the micrographs of a project; --model also takes a training job, such as J20."""
    log_to_terminal()
    settings = _resolve(PickSettings, config, values)
    again = _command("pick", PickSettings, values, config, project, url, blob, flip_y, spool)
    request = _request("pick", project, workspace, job, micrographs, (), title, blob, flip_y, again)
    from frostpick_jobs.cryosparc import run

    _on_server(url, lambda s: run.pick(s, request, settings, spool=spool, debug=debug))


def fewshot(
    *,
    project: Project,
    workspace: Workspace = None,
    micrographs: Micrographs = None,
    exemplars: Annotated[
        list[str] | None,
        typer.Option(
            "--exemplars",
            help="About 15 particles of one micrograph, such as J12.particles of a Manual Picker.",
        ),
    ] = None,
    job: Job = None,
    title: Title = "",
    blob: Blob = "micrograph_blob",
    flip_y: FlipY = False,
    url: Url = None,
    spool: Spool = None,
    debug: Debug = False,
    config: Path | None = None,
    values: dict[str, Any],
) -> None:
    """Pick all micrographs from about fifteen particles marked on one of them."""
    log_to_terminal()
    settings = _resolve(FewshotSettings, config, values)
    again = _command("fewshot", FewshotSettings, values, config, project, url, blob, flip_y, spool)
    request = _request(
        "fewshot", project, workspace, job, micrographs, exemplars, title, blob, flip_y, again
    )
    from frostpick_jobs.cryosparc import run

    _on_server(url, lambda s: run.fewshot(s, request, settings, spool=spool, debug=debug))


def prune(
    *,
    project: Project,
    workspace: Workspace = None,
    particles: Annotated[
        list[str] | None,
        typer.Option("--particles", help="Particles to prune, such as J12.particles."),
    ] = None,
    micrographs: Annotated[
        list[str] | None,
        typer.Option(
            "--micrographs",
            help="Cut the boxes from these, such as J10.exposures, for picks without images.",
        ),
    ] = None,
    good: Annotated[
        list[str] | None,
        typer.Option("--good", help="Known particles, such as J14.particles_selected."),
    ] = None,
    bad: Annotated[
        list[str] | None,
        typer.Option(
            "--bad",
            help="Known non-particles, such as J14.particles_excluded; rest takes all that "
            "is not good.",
        ),
    ] = None,
    job: Job = None,
    title: Title = "",
    blob: Blob = "micrograph_blob",
    flip_y: FlipY = False,
    url: Url = None,
    spool: Spool = None,
    debug: Debug = False,
    config: Path | None = None,
    values: dict[str, Any],
) -> None:
    """Split particles into kept and rejected ones; every other slot passes through."""
    log_to_terminal()
    settings = _resolve(PruneSettings, config, values)
    rest = [one.strip() for one in bad or ()] == ["rest"]
    again = _command("prune", PruneSettings, values, config, project, url, blob, flip_y, spool)
    again += " --bad rest" if rest else ""
    request = _request(
        "prune", project, workspace, job, micrographs, particles, title, blob, flip_y, again
    )
    request = replace(
        request,
        good=tuple(parse_output(one, "--good") for one in good or ()),
        bad=() if rest else tuple(parse_output(one, "--bad") for one in bad or ()),
        bad_is_rest=rest,
    )
    from frostpick_jobs.cryosparc import run

    _on_server(url, lambda s: run.prune(s, request, settings, spool=spool, debug=debug))


@app.command("selftest")
def selftest(
    project: Project,
    workspace: Workspace = None,
    url: Url = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="File for the answers; else the screen.")
    ] = None,
) -> None:
    """Ask a real instance what no public source tells; makes jobs titled 'frostpick selftest'."""
    log_to_terminal()
    from frostpick.runtime.atomic import write_text
    from frostpick_jobs.cryosparc.connect import connect
    from frostpick_jobs.cryosparc.selftest import run_selftest

    check_uid(project, "P", "--project")
    server = connect(url)
    try:
        answers = json.dumps(run_selftest(server, project, workspace), indent=2) + "\n"
    finally:
        server.close()
    if out is None:
        print(answers, end="")
    else:
        write_text(out, answers)


app.command("train")(command_with_settings(TrainSettings, train))
app.command("iterate")(command_with_settings(IterateSettings, iterate))
app.command("pick")(command_with_settings(PickSettings, pick))
app.command("fewshot")(command_with_settings(FewshotSettings, fewshot))
app.command("prune")(command_with_settings(PruneSettings, prune))


def _on_server(url: str | None, action: Callable[[Server], int]) -> NoReturn:
    """Connect, act, and leave with the exit code; 130 when stopped before the job was ready."""
    from frostpick_jobs.cryosparc.connect import connect

    server = connect(url)
    try:
        code = action(server)
    except JobStopped as stop:
        print(f"frostpick: {stop}", file=sys.stderr)
        code = 130
    finally:
        server.close()
    raise typer.Exit(code)


def _request(
    task: Task,
    project: str,
    workspace: str | None,
    job: str | None,
    micrographs: list[str] | None,
    particles: list[str] | tuple[()] | None,
    title: str,
    blob: str,
    flip_y: bool,
    again: str,
) -> JobRequest:
    if workspace is None and job is None:
        raise typer.BadParameter("give --workspace to make a job, or --job to use one")
    return JobRequest(
        task=task,
        project=check_uid(project, "P", "--project"),
        workspace=None if workspace is None else check_uid(workspace, "W", "--workspace"),
        job=None if job is None else check_uid(job, "J", "--job"),
        micrographs=tuple(parse_output(m, "--micrographs") for m in micrographs or ()),
        particles=tuple(parse_output(p, "--particles") for p in particles or ()),
        image_slot=blob,
        title=title,
        flip_y=flip_y,
        again=again,
    )


def _command(
    task: Task,
    kind: type[Settings],
    values: dict[str, Any],
    config: Path | None,
    project: str,
    url: str | None,
    blob: str,
    flip_y: bool,
    spool: Path | None,
) -> str:
    """Return the command that resumes, but for ``--job``: micrographs are connected by then."""
    words = ["frostpick", "cryosparc", task, "--project", project]
    for option in list_options(kind):
        value = values.get(option.field)
        if value is None or option.field == "restart":
            continue
        if option.type is bool:
            words.append(option.flag if value else f"--no-{option.flag[2:]}")
        else:
            words += [option.flag, str(value)]
    given = {"--config": config, "--url": url, "--spool": spool}
    given["--blob"] = None if blob == "micrograph_blob" else blob
    for flag, one in given.items():
        words += [] if one is None else [flag, str(one)]
    return shlex.join([*words, *(["--flip-y"] if flip_y else [])])


def _resolve(kind: type[Any], config: Path | None, values: dict[str, Any]) -> Any:
    layers = [(str(config), read_config(config))] if config else []
    return resolve(kind, *layers, ("command line", values))
