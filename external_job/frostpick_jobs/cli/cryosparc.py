"""``frostpick cryosparc``: train and pick as External jobs, from any machine that reaches it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from frostpick.config import (
    FewshotSettings,
    IterateSettings,
    PickSettings,
    PruneSettings,
    TrainSettings,
    VerifySettings,
)
from frostpick_jobs.cli.console import log_to_terminal
from frostpick_jobs.cli.parameters import (
    BoxOutputs,
    MicrographOutputs,
    ParticleOutputs,
    Project,
    Url,
    Workspace,
)
from frostpick_jobs.cli.server_command import Place, server_command
from frostpick_jobs.hosts.cryosparc.server.references import check_uid, parse_output

app = typer.Typer(
    help="External jobs of CryoSPARC. Log in once with  python -m cryosparc.tools login --url URL",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("login-check")
def login_check(url: Url = None) -> None:
    """Say whether the login works, and whether the versions fit."""
    log_to_terminal()
    from frostpick_jobs.hosts.cryosparc.server.connect import connect
    from frostpick_jobs.hosts.cryosparc.server.shim import tools_version

    server = connect(url)
    server.close()
    print(f"logged in at {server.url}: CryoSPARC {server.version}, tools {tools_version()}")


def train(
    place: Place,
    settings: TrainSettings,
    again: str,
    *,
    micrographs: MicrographOutputs = None,
    particles: ParticleOutputs = None,
) -> None:
    """Train a picking model on picks or particles of a project."""
    from frostpick_jobs.hosts.cryosparc import run

    asked = place.request("train", again, micrographs, particles)
    place.on_server(lambda s: run.train(s, asked, settings, spool=place.spool, debug=place.debug))


def iterate(
    place: Place,
    settings: IterateSettings,
    again: str,
    *,
    micrographs: MicrographOutputs = None,
    particles: ParticleOutputs = None,
) -> None:
    """Train in rounds: pick, verify, learn from the verified picks; --particles may be left out.

    Without --particles a model is needed to start from. --pruner also takes a pruning job,
    such as J30.
    """
    from frostpick_jobs.hosts.cryosparc import run

    asked = place.request("iterate", again, micrographs, particles)
    place.on_server(lambda s: run.train(s, asked, settings, spool=place.spool, debug=place.debug))


def pick(
    place: Place, settings: PickSettings, again: str, *, micrographs: MicrographOutputs = None
) -> None:
    """Pick the micrographs of a project; --model also takes a training job, such as J20."""
    from frostpick_jobs.hosts.cryosparc import run

    asked = place.request("pick", again, micrographs)
    place.on_server(lambda s: run.pick(s, asked, settings, spool=place.spool, debug=place.debug))


def fewshot(
    place: Place,
    settings: FewshotSettings,
    again: str,
    *,
    micrographs: MicrographOutputs = None,
    exemplars: Annotated[
        list[str] | None,
        typer.Option(
            "--exemplars",
            help="About 15 particles of one micrograph, such as J12.particles of a Manual Picker.",
        ),
    ] = None,
) -> None:
    """Pick all micrographs from about fifteen particles marked on one of them."""
    from frostpick_jobs.hosts.cryosparc import run

    asked = place.request("fewshot", again, micrographs, exemplars)
    place.on_server(lambda s: run.fewshot(s, asked, settings, spool=place.spool, debug=place.debug))


def prune(
    place: Place,
    settings: PruneSettings,
    again: str,
    *,
    particles: Annotated[
        list[str] | None,
        typer.Option("--particles", help="Particles to prune, such as J12.particles."),
    ] = None,
    micrographs: BoxOutputs = None,
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
) -> None:
    """Split particles into kept and rejected ones; every other slot passes through.

    --pruner also takes an earlier pruning job, such as J30.
    """
    from frostpick_jobs.hosts.cryosparc import run

    rest = [one.strip() for one in bad or ()] == ["rest"]
    again += " --bad rest" if rest else ""
    asked = replace(
        place.request("prune", again, micrographs, particles),
        good=tuple(parse_output(one, "--good") for one in good or ()),
        bad=() if rest else tuple(parse_output(one, "--bad") for one in bad or ()),
        bad_is_rest=rest,
    )
    place.on_server(lambda s: run.prune(s, asked, settings, spool=place.spool, debug=place.debug))


def verify(
    place: Place,
    settings: VerifySettings,
    again: str,
    *,
    particles: Annotated[
        list[str] | None,
        typer.Option("--particles", help="Particles to score, such as J12.particles."),
    ] = None,
    micrographs: BoxOutputs = None,
) -> None:
    """Score particles by mean and spread over four rotations; no row is dropped.

    Inspect Picks then cuts by the probability (NCC score) and by the spread (power).
    --pruner also takes a pruning job, such as J30.
    """
    from frostpick_jobs.hosts.cryosparc import run

    asked = place.request("verify", again, micrographs, particles)
    place.on_server(lambda s: run.prune(s, asked, settings, spool=place.spool, debug=place.debug))


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
    from frostpick_jobs.hosts.cryosparc.selftest import run_selftest
    from frostpick_jobs.hosts.cryosparc.server.connect import connect

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


app.command("train")(server_command("train", TrainSettings, train))
app.command("iterate")(server_command("iterate", IterateSettings, iterate))
app.command("pick")(server_command("pick", PickSettings, pick))
app.command("fewshot")(server_command("fewshot", FewshotSettings, fewshot))
app.command("prune")(server_command("prune", PruneSettings, prune))
app.command("verify")(server_command("verify", VerifySettings, verify))
