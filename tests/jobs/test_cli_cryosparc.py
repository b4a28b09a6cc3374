"""The commands on a CryoSPARC server: what is asked for, and the command that resumes it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import typer.testing

from frostpick.errors import ConfigError, InputError
from frostpick.settings import FewshotSettings, PickSettings, PruneSettings, VerifySettings
from frostpick_jobs.cli.main import app
from frostpick_jobs.cli.task_inputs import inputs_on
from frostpick_jobs.hosts.cryosparc import ports, run
from frostpick_jobs.hosts.cryosparc.server import connect
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks.declarations import REST, TaskSpec, tasks_on

PARTICLES, MICROGRAPHS = OutputRef("J12", "particles"), OutputRef("J10", "exposures")
AT = ["--project", "P1", "--workspace", "W2"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what reaches the job's own code, in place of a server."""
    caught: dict[str, Any] = {}

    def server(url: str | None, *, ignore_version: bool) -> Any:
        caught.update(ignore_version=ignore_version)
        return SimpleNamespace(url=url, close=lambda: caught.update(closed=True))

    def action(server: Any, request: Any, settings: Any, **others: Any) -> int:
        caught.update(url=server.url, request=request, settings=settings, **others)
        return 0

    monkeypatch.setattr(connect, "connect", server)
    monkeypatch.setattr("frostpick_jobs.cli.typer_options.log_to_terminal", lambda host: None)
    monkeypatch.setattr(run, "run_task_for_exit_code", action)
    return caught


def call(*words: str) -> typer.testing.Result:
    return typer.testing.CliRunner().invoke(app, ["cryosparc", *words])


@pytest.mark.parametrize(
    ("words", "name", "kind", "again"),
    [
        (
            ["verify", *AT, "--particles", "J12.particles", "--pruner", "J30", "--flip-y"],
            "verify",
            VerifySettings,
            "frostpick cryosparc verify --project P1 --pruner J30 --flip-y",
        ),
        (
            ["prune", *AT, "--particles", "J12.particles", "--labels", "J14.a", "--bad", "rest"],
            "prune",
            PruneSettings,
            "frostpick cryosparc prune --project P1 --bad rest",
        ),
        (
            [
                "prune",
                *AT,
                "--particles",
                "J12.particles",
                "--assume-mostly-particles",
                "--restart",
            ],
            "prune",
            PruneSettings,
            "frostpick cryosparc prune --project P1 --assume-mostly-particles",
        ),
        (
            ["fewshot", *AT, "--labels", "J12.particles", "--url", "http://h:1", "--seed", "3"],
            "fewshot",
            FewshotSettings,
            "frostpick cryosparc fewshot --project P1 --seed 3 --url http://h:1",
        ),
        (
            ["pick", *AT, "--threshold", "p=0.6", "--blob", "micrograph_blob_non_dw"],
            "pick",
            PickSettings,
            "frostpick cryosparc pick --project P1 --threshold p=0.6 --blob micrograph_blob_non_dw",
        ),
    ],
)
def test_a_request_and_the_command_that_resumes(
    asked: dict[str, Any], words: list[str], name: str, kind: type, again: str
) -> None:
    done = call(*words, "--micrographs", "J10.exposures", "--debug")
    assert done.exit_code == 0, done.output
    request = asked["request"]
    assert request.task.name == name and type(asked["settings"]) is kind
    assert asked["debug"] and asked["closed"]
    assert request.resume_command("J40") == f"{again} --job J40"
    assert (request.project, request.workspace, request.job) == ("P1", "W2", None)
    assert request.inputs["micrographs"] == (MICROGRAPHS,)
    rows = "labels" if name == "fewshot" else "particles"
    assert request.inputs.get(rows) == (None if name == "pick" else (PARTICLES,))
    known = (OutputRef("J14", "a"),) if "J14.a" in words else ()
    assert name == "fewshot" or request.inputs.get("labels", ()) == known
    assert request.inputs.get("bad", ()) == ((REST,) if "rest" in words else ())


@pytest.mark.parametrize("task", tasks_on("cryosparc"), ids=lambda task: task.name)
def test_every_input_of_a_job_has_an_option(task: TaskSpec) -> None:
    offered = {one.name for one in inputs_on(task, "cryosparc")}
    assert offered == {port.spec.name for port in ports.ports(task)}


def test_labels_are_particles(asked: dict[str, Any]) -> None:
    done = call("train", *AT, "--micrographs", "J10.exposures", "--labels", "J12.particles")
    assert done.exit_code == 0, done.output
    assert asked["request"].inputs == {"micrographs": (MICROGRAPHS,), "labels": (PARTICLES,)}


@pytest.mark.parametrize("flag", ["--particles", "--labels", "--micrographs"])
def test_what_is_no_output_is_told_by_its_option(asked: dict[str, Any], flag: str) -> None:
    done = call("prune", *AT, flag, "rest")
    assert isinstance(done.exception, ConfigError) and not asked
    assert str(done.exception).startswith(f"{flag} 'rest': expected a job and one of its outputs")


def test_neither_workspace_nor_job(asked: dict[str, Any]) -> None:
    done = call("verify", "--project", "P1", "--particles", "J12.particles")
    assert done.exit_code == 2 and "give --workspace to make a job" in done.output
    assert not asked


def test_the_answers_of_a_selftest_replace_no_file(tmp_path) -> None:
    path = tmp_path / "answers.json"
    path.write_text("mine\n")
    words = ["cryosparc", "selftest", "--project", "P3", "--url", "http://127.0.0.1:9"]
    done = typer.testing.CliRunner().invoke(app, [*words, "-o", str(path)])
    assert isinstance(done.exception, InputError) and "answers.json" in str(done.exception)
    assert path.read_text() == "mine\n"


def test_where_files_are_and_which_version_goes_into_the_command_that_resumes(
    asked: dict[str, Any],
) -> None:
    words = ["pick", *AT, "--micrographs", "J10.exposures", "--ignore-version"]
    assert call(*words, "--map", "/bulk=/mnt/a b", "--map", "/data=/d").exit_code == 0
    request = asked["request"]
    assert str(request.mounts.local("/bulk/P1")) == "/mnt/a b/P1" and asked["ignore_version"]
    assert request.again == (
        "frostpick cryosparc pick --project P1 --ignore-version --map '/bulk=/mnt/a b' "
        "--map /data=/d"
    )
    assert call(*words[:-1], "--download").exit_code == 0
    assert asked["request"].download and not asked["ignore_version"]
    assert asked["request"].again == "frostpick cryosparc pick --project P1 --download"
    both = call(*words, "--download", "--map", "/bulk=/mnt")
    assert isinstance(both.exception, ConfigError) and "give one of them" in str(both.exception)
    for wrong in ("/bulk", "bulk=/mnt", "/bulk=mnt", "=/mnt"):
        refused = call(*words, "--map", wrong)
        assert isinstance(refused.exception, ConfigError), wrong
        assert f"--map {wrong}: expected a folder" in str(refused.exception)
