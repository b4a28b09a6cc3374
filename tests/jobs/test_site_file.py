"""Settings of a site: which file wins, on every host; what is refused; what is shown."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer.testing
from made_images import spots_on_noise, write_mrc

from frostpick.errors import ConfigError
from frostpick_jobs.cli import relion, site_file
from frostpick_jobs.cli.main import app
from frostpick_jobs.cli.relion_job import read_command_line
from frostpick_jobs.cli.site_file import site_places, task_settings
from frostpick_jobs.hosts.cryosparc import run
from frostpick_jobs.hosts.cryosparc.server import connect
from frostpick_jobs.tasks.declarations import TASKS, task_named

Put = Callable[[str], Path]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Return what writes the site file; the working folder is an empty one."""
    place = tmp_path / "env" / "etc" / "frostpick.yaml"
    monkeypatch.setattr(site_file, "site_places", lambda: (place, tmp_path / "etc.yaml"))
    monkeypatch.delenv("FROSTPICK_CONFIG", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def put(text: str) -> Path:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return place

    return put


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Return what writes the file of the environment."""

    def put(text: str) -> Path:
        place = tmp_path / "group.yaml"
        place.write_text(text)
        monkeypatch.setenv("FROSTPICK_CONFIG", str(place))
        return place

    return put


def test_the_installation_has_its_own_file_before_that_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert site_places() == (tmp_path / "etc/frostpick.yaml", Path("/etc/frostpick.yaml"))


def test_the_file_of_the_machine_is_read_where_the_installation_has_none(
    site: Put, tmp_path: Path
) -> None:
    (tmp_path / "etc.yaml").write_text("threads: 9\n")
    assert task_settings(task_named("pick"), None, {})[0].threads == 9
    site("threads: 3\n")
    assert task_settings(task_named("pick"), None, {})[0].threads == 3


def test_later_ones_win_and_each_value_has_its_origin(
    site: Put, group: Put, tmp_path: Path
) -> None:
    at = site("threads: 1\nborder: 0.1\nmin-distance: 10\ncontrast: light\npick:\n  border: 0.2\n")
    named = group("min_distance: 20\nborder: 0.3\ncontrast:\n")
    job = tmp_path / "job.yaml"
    job.write_text("border: 0.4\n")
    settings, origin = task_settings(task_named("pick"), job, {"border": 0.5})
    assert (settings.threads, settings.min_distance, settings.border) == (1, 20, 0.5)
    assert settings.contrast == "light"  # an empty value is none
    assert origin == {
        "threads": f"site file {at}",
        "contrast": f"site file {at}",
        "min_distance": f"environment file {named}",
        "border": "command line",
    }
    assert task_settings(task_named("pick"), job, {})[0].border == 0.4
    assert task_settings(task_named("pick"), None, {})[0].border == 0.3
    named.write_text("")
    assert task_settings(task_named("pick"), None, {})[0].border == 0.2
    assert task_settings(task_named("fewshot"), None, {})[0].border == 0.1


def test_a_task_takes_what_it_has_and_a_name_of_before_is_no_other_tasks(site: Put) -> None:
    """``model`` was few-shot's name of an encoder, and ``selector`` is nobody's of today."""
    site("model: general-1\nrounds: 2\npruner: pruner-1\nselector: disc-nms\n")
    found = {task.name: task_settings(task, None, {})[0] for task in TASKS}
    assert found["pick"].model == "general-1" and found["fewshot"].encoder == ""
    assert found["train"].rounds == found["iterate"].rounds == 2
    assert found["verify"].pruner == "pruner-1" and found["prune"].pruner == "pruner-1"
    assert found["train"].picking_rule == found["fewshot"].picking_rule == "disc-nms"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("thread: 3\n", r"{}: unknown setting 'thread'; did you mean 'threads'\?"),
        ("train:\n  stepps: 3\n", r"{}: train: unknown setting 'stepps'; did you mean 'steps'\?"),
        ("train:\n  threshold: 3\n", r"{}: train: unknown setting 'threshold'"),
        ("train: fast\n", r"{}: train = 'fast': expected settings of that task, each on an ind"),
        ("restart: true\n", r"{}: restart is for one command, not for all; leave it away here"),
        ("pick:\n  overwrite: true\n", r"{}: pick: overwrite is for one command"),
        ("threads: many\n", r"{}: threads = 'many': input should be a valid integer"),
        ("threads: [\n", r"{}: not a YAML file"),
        ("- threads\n", r"{}: holds a list; expected lines such as"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_file_and_key(
    site: Put, group: Put, text: str, told: str
) -> None:
    """Whatever task runs: else a mistake is found by the one user of that task."""
    path = site(text)
    with pytest.raises(ConfigError, match=told.format(f"(site file )?{path}")):
        task_settings(task_named("pick"), None, {})
    path.write_text("")
    path = group(text)
    with pytest.raises(ConfigError, match=told.format(f"(environment file )?{path}")):
        task_settings(task_named("pick"), None, {})


def test_a_file_that_cannot_be_read_is_told(
    site: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROSTPICK_CONFIG", str(tmp_path / "gone.yaml"))
    with pytest.raises(ConfigError, match=r"gone\.yaml: cannot be read: No such file"):
        task_settings(task_named("pick"), None, {})
    monkeypatch.setenv("FROSTPICK_CONFIG", " ")
    site("").unlink()
    assert task_settings(task_named("pick"), None, {})[1] == {}
    site("").unlink()
    (tmp_path / "env" / "etc" / "frostpick.yaml").mkdir()
    with pytest.raises(ConfigError, match=r"frostpick\.yaml: cannot be read: Is a directory"):
        task_settings(task_named("pick"), None, {})


def test_relion_has_them_below_its_own_values(
    site: Put, group: Put, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    at = site("threads: 7\ndevice: cpu\nmin_distance: 40\n")

    def settings(*words: str) -> Any:
        return read_command_line(task_named("pick"), ["--o", "External/job002/", *words])[1]

    with caplog.at_level(logging.INFO):
        assert settings().threads == 7
    assert f"site file {at}: threads = 7, device = cpu, min_distance = 40.0" in caplog.text
    assert settings("--j", "3").threads == 3
    named = group("threads: 5\n")
    assert settings().threads == 5 and settings("--j", "3").threads == 3
    assert settings("--min_distance", "50", "--gpu", "0").min_distance == 50
    assert settings("--gpu", "0").device == "0" and settings("--gpu").device == "cpu"
    named.write_text("gpus: 5\n")
    assert relion.guarded("pick", ["--o", "job/", "--j", "1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"environment file {named}: unknown setting 'gpus'" in line
    assert Path("job/RELION_JOB_EXIT_FAILURE").exists()


def test_a_cryosparc_job_has_them(site: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    site("min_distance: 40\nborder: 0.25\n")
    caught: dict[str, Any] = {}
    server = SimpleNamespace(url="", close=lambda: None)

    def action(server: Any, request: Any, settings: Any, **others: Any) -> int:
        caught.update(settings=settings, again=request.again)
        return 0

    monkeypatch.setattr(connect, "connect", lambda url, *, ignore_version: server)
    monkeypatch.setattr("frostpick_jobs.cli.typer_options.log_to_terminal", lambda host: None)
    monkeypatch.setattr(run, "run_task_for_exit_code", action)
    words = ["pick", "--project", "P1", "--workspace", "W1", "--micrographs", "J1.exposures"]
    done = typer.testing.CliRunner().invoke(app, ["cryosparc", *words, "--border", "0.5"])
    assert done.exit_code == 0, done.output
    assert (caught["settings"].min_distance, caught["settings"].border) == (40, 0.5)
    assert "--border 0.5" in caught["again"] and "min" not in caught["again"]


def test_what_a_site_sets_is_in_the_key_as_if_typed(
    site: Put, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("frostpick_jobs.cli.typer_options.log_to_terminal", lambda host: None)
    write_mrc(Path("m.mrc"), spots_on_noise((160, 160), [(40, 40), (90, 100)]), 2.0)
    words = ["pick", "--micrographs", "m.mrc", "--model", "blob", "--diameter", "64", "-o", "out"]

    def pick(*more: str) -> str:
        caplog.clear()
        with caplog.at_level(logging.INFO):
            done = typer.testing.CliRunner().invoke(app, [*words, *more])
        assert done.exit_code == 0, done.output
        return caplog.text

    site("device: cpu\nthreads: 1\nmin_distance: 70\n").chmod(0o444)
    assert "device = cpu, threads = 1, min_distance = 70.0" in pick()
    assert "picked again" not in pick()
    (site_file.site_places()[0]).unlink()
    assert "picked again" not in pick("--min-distance", "70", "--device", "cpu")
    site("device: cpu\nthreads: 1\nmin_distance: 50\n")
    assert "settings changed (min_distance 70.0 -> 50.0)" in pick()


def config(*words: str) -> list[list[str]]:
    done = typer.testing.CliRunner().invoke(app, ["config", *words])
    assert done.exit_code == 0, done.output
    return [line.split(maxsplit=2) for line in done.output.splitlines()]


def test_config_shows_every_value_and_where_it_is_from(
    site: Put, group: Put, tmp_path: Path
) -> None:
    at, named = site("threads: 4\nstrict: true\n"), group("pick:\n  border: 0.3\n")
    (tmp_path / "job.yaml").write_text("min-distance: 50\n")
    job = str(tmp_path / "job.yaml")
    lines = config("pick", "--config", job, "--threshold", "p=0.6")
    rows = {line[0]: line[1:] for line in lines if line}
    assert set(task_named("pick").settings.model_fields) <= set(rows)
    assert rows["threads"] == ["4", f"site file {at}"]
    assert rows["strict"] == ["true", f"site file {at}"]
    assert rows["border"] == ["0.3", f"environment file {named}"]
    assert rows["min_distance"] == ["50.0", f"--config {job}"]
    assert rows["threshold"] == ["p=0.6", "command line"]
    assert rows["seed"] == ["0", "default"]
    assert rows["diameter"] == [
        "-",
        "default: the model's own; general and blob have none and need it",
    ]
    assert lines[0] == ["site", "file:", str(at)]
    assert lines[1] == ["environment", "file:", str(named)]


def test_config_without_a_task_shows_what_files_set(site: Put, group: Put) -> None:
    at, named = site("rounds: 2\n"), group("pick:\n  border: 0.3\n")
    rows = [line for line in config() if line and line[0] in {one.name for one in TASKS}]
    assert rows == [
        ["train", "rounds", f"2      site file {at}"],
        ["iterate", "rounds", f"2      site file {at}"],
        ["pick", "border", f"0.3    environment file {named}"],
    ]


def test_config_without_any_file_tells_where_one_would_be(site: Put) -> None:
    lines = config()
    assert lines[0][:2] == ["site", "file:"] and lines[0][2].startswith("none, would be ")
    assert lines[1][2] == "none, FROSTPICK_CONFIG is not set" and len(lines) == 4
