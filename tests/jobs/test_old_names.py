"""Names of 0.1: taken until 2.0, each use with a line that tells the name of today."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.testing

import frostpick_jobs
from frostpick.errors import ConfigError
from frostpick.runtime.basis import Basis, begin_training, finish_training
from frostpick.settings import (
    FewshotSettings,
    IterateSettings,
    PickSettings,
    PretrainSettings,
    PruneSettings,
    Settings,
    TrainSettings,
    resolve,
)
from frostpick_jobs import api
from frostpick_jobs.cli import relion_job
from frostpick_jobs.cli.config_file import resolve_settings
from frostpick_jobs.cli.server_command import server_command
from frostpick_jobs.cli.typer_options import task_command
from frostpick_jobs.hosts.cryosparc.request import JobRequest
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.tasks.declarations import check_inputs, task_named

#: Task, name of 0.1, a value of it, name of today, its value.
SETTINGS: list[tuple[str, str, str, str, Any]] = [
    ("train", "from", "none", "start_model", "none"),
    ("train", "start_from", "none", "start_model", "none"),
    ("train", "selector", "four-rotations", "picking_rule", "four-rotations"),
    ("train", "epochs", "3", "steps", 150),
    ("iterate", "from", "blob", "start_model", "blob"),
    ("iterate", "start_from", "blob", "start_model", "blob"),
    ("iterate", "selector", "disc-nms", "picking_rule", "disc-nms"),
    ("iterate", "epochs", "20", "steps", 1000),
    ("pick", "limit", "20", "max_micrographs", 20),
    ("pick", "write", "all", "output_picks", "all"),
    ("fewshot", "model", "mae-tiny-1", "encoder", "mae-tiny-1"),
    ("fewshot", "preset", "small", "encoder_size", "small"),
    ("fewshot", "selector", "density-cut", "picking_rule", "density-cut"),
    ("fewshot", "limit", "3", "max_micrographs", 3),
    ("fewshot", "write", "all", "output_picks", "all"),
    ("pretrain", "preset", "base", "encoder_size", "base"),
    ("prune", "keep_at", "p=0.7", "threshold", "p=0.7"),
    ("prune", "mostly_good", "yes", "assume_mostly_particles", True),
    ("prune", "expected_good", "0.25", "particle_fraction", 0.25),
]
#: Task, its inputs under names of 0.1 on a folder and on a server, and what they are today.
INPUTS: list[tuple[str, str, str]] = [
    ("train", "folder", "picks"),
    ("iterate", "folder", "picks"),
    ("fewshot", "folder", "exemplars"),
    ("prune", "folder", "good"),
    ("train", "cryosparc", "particles"),
    ("train", "cryosparc", "picks"),
    ("iterate", "cryosparc", "particles"),
    ("fewshot", "cryosparc", "exemplars"),
    ("prune", "cryosparc", "good"),
]

Line = tuple[dict[str, Any], Settings]


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the log as it is: `caplog` reads it."""
    monkeypatch.setattr("frostpick_jobs.cli.typer_options.log_to_terminal", lambda host: None)
    yield


@pytest.fixture
def typed(tmp_path: Path) -> Callable[..., Line]:
    """Type a command of a folder; return its inputs and settings."""

    def run(task: str, *words: str) -> Line:
        found: list[Line] = []

        def act(given: Any, values: dict[str, Any], config: Path | None) -> None:
            found.append((given, resolve_settings(task_named(task).settings, config, values)))

        app = typer.Typer()
        app.command()(task_command(task_named(task), "folder", act))
        done = typer.testing.CliRunner().invoke(app, words)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return found[0]

    return run


def needed(task: str) -> list[str]:
    """Return words that a task cannot do without on a folder."""
    words = {
        "pretrain": [],
        "prune": [],
        "fewshot": ["--micrographs", "m", "--labels", "l"],
    }
    return words.get(task, ["--micrographs", "m"])


def flags(name: str, value: str) -> list[str]:
    flag = "--" + name.replace("_", "-")
    return [flag] if value == "yes" else [flag, value]


def lines(caplog: pytest.LogCaptureFixture, old: str, new: str) -> list[str]:
    """Return the lines that were logged, all of which are to tell the name of today."""
    told = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    assert all(f"{old!r} is called {new!r} now" in one and "2.0" in one for one in told), told
    caplog.clear()
    return told


@pytest.mark.parametrize(("task", "old", "value", "new", "is_now"), SETTINGS)
def test_a_setting_of_before_on_every_front_end(
    typed: Callable[..., Line],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    task: str,
    old: str,
    value: str,
    new: str,
    is_now: Any,
) -> None:
    spec, now = task_named(task), str(is_now)

    def same(before: Settings, today: Settings) -> None:
        assert before == today and before.model_dump()[new] == today.model_dump()[new]
        assert str(getattr(before, new)) == now
        assert new in before.model_fields_set

    today = typed(task, *needed(task), *flags(new, "yes" if is_now is True else now))[1]
    assert not caplog.records
    same(typed(task, *needed(task), *flags(old, value))[1], today)
    assert len(lines(caplog, old, new)) == 1

    config = tmp_path / "job.yaml"
    config.write_text(f"{old.replace('_', '-')}: {value}\n")
    same(typed(task, *needed(task), "--config", str(config))[1], today)
    (line,) = lines(caplog, old, new)
    assert line.startswith(f"{config}: ")

    if "relion" in spec.hosts:
        for label in {old, old.replace("_", "-")}:
            words = ["--o", "External/job002/", f"--{label}", value, "--j", "1"]
            same(relion_job.read_command_line(spec, words)[1], resolve_threads(today))
            assert len(lines(caplog, old, new)) == 1

    same(resolve(spec.settings, ("arguments", {old: value})), today)
    assert len(lines(caplog, old, new)) == 1
    with pytest.warns(DeprecationWarning, match=f"'{old}' is called '{new}' now"):
        same(spec.settings(**{old: value}), today)


def resolve_threads(settings: Settings) -> Settings:
    """Return settings with the one thread that RELION's ``--j`` gives."""
    return resolve(type(settings), ("x", {**settings.model_dump(exclude_unset=True), "threads": 1}))


@pytest.mark.parametrize(("task", "old", "value", "new", "is_now"), SETTINGS)
def test_both_names_of_a_setting_are_refused(
    typed: Callable[..., Line], task: str, old: str, value: str, new: str, is_now: Any
) -> None:
    now, wrong = str(is_now), f"'{old}' is the old name of '{new}'; give one of the two"
    both = [*flags(old, value), *flags(new, "yes" if is_now is True else now)]
    with pytest.raises(ConfigError, match=f"command line: {wrong}"):
        typed(task, *needed(task), *both)
    with pytest.raises(ValueError, match=wrong):
        task_named(task).settings(**{old: value, new: is_now})


def test_a_name_of_today_that_is_typed_wins_over_one_of_before_in_a_file(
    typed: Callable[..., Line], tmp_path: Path
) -> None:
    config = tmp_path / "job.yaml"
    config.write_text("epochs: 3\nfrom: none\n")
    words = ["--config", str(config), "--steps", "70", "--micrographs", "m"]
    settings: Any = typed("train", *words)[1]
    assert (settings.steps, settings.start_model) == (70, "none")
    config.write_text("steps: 70\nstart-model: none\n")
    words = ["--config", str(config), "--epochs", "3", "--micrographs", "m"]
    settings = typed("train", *words)[1]
    assert (settings.steps, settings.start_model) == (150, "none")


@pytest.mark.parametrize(
    ("epochs", "steps"), [(1, 50), ("3", 150), (2.0, 100), ("2.0", 100), (True, 50), (None, None)]
)
def test_an_epoch_was_fifty_steps(
    caplog: pytest.LogCaptureFixture, epochs: Any, steps: int | None
) -> None:
    assert resolve(TrainSettings, ("job.yaml", {"epochs": epochs})).steps == steps
    told = "job.yaml: 'epochs' is called 'steps' now, and 1 is 50 there; the old name goes with "
    assert caplog.messages == ([] if epochs is None else [told + "version 2.0"])


@pytest.mark.parametrize("epochs", ["0", "-1", "2.5", "few", [3]])
def test_epochs_that_were_refused_are_refused(epochs: Any) -> None:
    with pytest.raises(ConfigError, match=r"job\.yaml: steps = "):
        resolve(TrainSettings, ("job.yaml", {"epochs": epochs}))


@pytest.mark.parametrize(("task", "host", "old"), INPUTS)
def test_an_input_of_before_on_a_folder_and_on_a_server(
    typed: Callable[..., Line],
    caplog: pytest.LogCaptureFixture,
    task: str,
    host: str,
    old: str,
) -> None:
    spec = task_named(task)
    if host == "cryosparc":
        request = JobRequest(spec, "P1", inputs={old: ("J12.particles",)})
        assert request.inputs == {"labels": (OutputRef("J12", "particles"),)}
        assert len(lines(caplog, old, "labels")) == 1
        with pytest.raises(ConfigError, match=f"'{old}' is the old name of 'labels'"):
            JobRequest(spec, "P1", inputs={old: ("J1.a",), "labels": ("J2.b",)})
        return
    words = ["--micrographs", "m"]
    today = typed(task, *words, "--labels", "a.star", "--labels", "b.star")[0]
    assert today["labels"] == ("a.star", "b.star") and not caplog.records
    assert typed(task, *words, f"--{old}", "a.star", f"--{old}", "b.star")[0] == today
    assert len(lines(caplog, old, "labels")) == 1
    with pytest.raises(ConfigError, match=f"'{old}' is the old name of 'labels'"):
        typed(task, *words, f"--{old}", "a.star", "--labels", "b.star")
    # a host of somebody's own that still calls it so would train without it
    with pytest.raises(ConfigError, match=f"the input '{old}' of {task} is called 'labels' now"):
        check_inputs(spec, {"micrographs": ["m"], old: ["a"], "labels": ["a"]}, spec.settings())


def test_rows_to_prune_are_no_labels(typed: Callable[..., Line]) -> None:
    given = typed("prune", "--micrographs", "m", "--picks", "p.star", "--good", "g.star")[0]
    rows = {"micrographs": ("m",), "picks": ("p.star",), "particles": ()}
    assert given == {**rows, "labels": ("g.star",), "bad": ()}


@pytest.mark.parametrize("label", ["good", "labels"])
def test_a_label_of_relion_that_names_known_particles(
    caplog: pytest.LogCaptureFixture, label: str
) -> None:
    words = ["--o", "External/job002/", "--in_parts", "p.star", f"--{label}", "g.star"]
    arguments, _ = relion_job.read_command_line(task_named("prune"), [*words, "--bad", "rest"])
    assert dict(arguments.files) == {"labels": "g.star", "bad": "rest"}
    assert len(lines(caplog, "good", "labels")) == (label == "good")
    with pytest.raises(ConfigError, match="'good' is the old name of 'labels'"):
        relion_job.read_command_line(task_named("prune"), [*words, "--good", "x", "--labels", "y"])


#: What `job.star` of a training and of a pruning job of 0.1 holds: rows of the External job's
#: parameters, as RELION 3.1 to 5 write them.
JOB_STAR = """
data_joboptions_values

loop_
_rlnJobOptionVariable #1
_rlnJobOptionValue #2
fn_exe {exe}
in_mic Import/job001/micrographs.star
{rows}
nr_threads 1
"""


def words_of(job_star: str) -> list[str]:
    """Return the command line that RELION makes of the parameters in a job.star."""
    rows = dict(line.split(maxsplit=1) for line in job_star.splitlines() if line[:5] == "param")
    numbers = sorted({name[5:].partition("_")[0] for name in rows}, key=int)
    made = [(rows[f"param{n}_label"], rows[f"param{n}_value"].strip('"')) for n in numbers]
    fields = ["--o", "External/job002/", "--in_mics", "Import/job001/micrographs.star"]
    return [*fields, *(word for label, value in made for word in (f"--{label}", value)), "--j", "1"]


def test_the_parameters_of_a_job_star_of_before(caplog: pytest.LogCaptureFixture) -> None:
    rows = [("diameter", "180"), ("from", "none"), ("epochs", "4"), ("selector", '""')]
    text = "\n".join(
        f"param{n}_label {label}\nparam{n}_value {value}"
        for n, (label, value) in enumerate(rows, 1)
    )
    job_star = JOB_STAR.format(exe="frostpick-relion-train", rows=text)
    settings: Any = relion_job.read_command_line(task_named("train"), words_of(job_star))[1]
    assert settings == TrainSettings(diameter=180, start_model="none", steps=200, threads=1)
    # one line for each name; a label without a value is as if it was not given
    assert [one.split("'")[1] for one in caplog.messages] == ["from", "epochs"]


@pytest.mark.parametrize(
    ("task", "old"),
    [("train", "picks"), ("iterate", "picks"), ("fewshot", "exemplars"), ("prune", "good")],
)
def test_a_script_of_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, task: str, old: str
) -> None:
    caught: list[Any] = []
    monkeypatch.setattr(api, "_run", lambda *given: caught.append(given[3:5]))
    function = getattr(frostpick_jobs, task)
    function(tmp_path, micrographs="m", labels="a.star", diameter=120)
    with pytest.warns(DeprecationWarning, match=f"'{old}' is called 'labels' now"):
        function(tmp_path, micrographs="m", **{old: "a.star"}, diameter=120)
    assert caught[0] == caught[1] and caught[0][0]["labels"] == "a.star"
    with pytest.raises(TypeError, match=rf"{task}\(\) got 'labels' twice, also as '{old}'"):
        function(tmp_path, micrographs="m", **{old: "a.star"}, labels="b.star")


@pytest.mark.parametrize(
    ("words", "again"),
    [
        (
            ["train", "--from", "J20", "--epochs", "3"],
            "train --project P1 --start-model J20 --steps 150",
        ),
        (
            ["prune", "--mostly-good", "--keep-at", "0"],
            "prune --project P1 --threshold 0 --assume-mostly-particles",
        ),
        (["pick", "--limit", "20"], "pick --project P1 --max-micrographs 20"),
    ],
)
def test_a_command_that_resumes_has_the_names_of_today(
    monkeypatch: pytest.MonkeyPatch, words: list[str], again: str
) -> None:
    from frostpick_jobs.cli.server_command import Place

    asked: list[JobRequest] = []
    made = Place.request

    def request(self: Place, *given: Any) -> JobRequest:
        asked.append(made(self, *given))
        return asked[-1]

    monkeypatch.setattr(Place, "request", request)
    monkeypatch.setattr(Place, "on_server", lambda self, action: None)
    app = typer.Typer()
    app.command()(server_command(task_named(words[0])))
    place = ["--project", "P1", "--workspace", "W1"]
    done = typer.testing.CliRunner().invoke(app, [*words[1:], *place])
    assert done.exit_code == 0, done.output
    assert asked[0].resume_command("J7") == f"frostpick cryosparc {again} --job J7"


#: What the resume keys of version 0.1 hold of the settings, by the names that these had then.
BEFORE: list[tuple[Settings, dict[str, Any]]] = [
    (
        TrainSettings(diameter=120, steps=150, start_model="none", picking_rule="disc-nms"),
        {
            "seed": 0,
            "diameter": 120.0,
            "pixel_size": None,
            "contrast": None,
            "expected_per_micrograph": None,
            "picks_pixel_size": None,
            "start_from": "none",
            "objective": "nnpu",
            "network": None,
            "selector": "disc-nms",
            "epochs": 3,
            "rounds": 0,
            "all_micrographs": False,
        },
    ),
    (
        IterateSettings(),
        {
            "seed": 0,
            "diameter": None,
            "pixel_size": None,
            "contrast": None,
            "expected_per_micrograph": None,
            "picks_pixel_size": None,
            "start_from": "general",
            "objective": "nnpu",
            "network": None,
            "selector": None,
            "epochs": None,
            "rounds": 0,
            "all_micrographs": False,
            "pruner": "pruner",
        },
    ),
]


@pytest.mark.parametrize(("settings", "before"), BEFORE)
def test_a_resume_key_holds_the_names_of_before(settings: Settings, before: dict[str, Any]) -> None:
    aside = {"label_weights", "include", *settings.without_effect()}  # no part of any key
    assert settings.for_key(without=aside) == before


def test_a_length_that_epochs_could_not_tell_is_told_in_steps() -> None:
    told = TrainSettings(steps=120).for_key(only={"steps", "seed"})
    assert told == {"seed": 0, "steps": 120}


def test_the_key_of_few_shot_picking() -> None:
    settings = FewshotSettings(encoder_size="small", steps=12, encoder="none")
    only = {"diameter", "contrast", "encoder_size", "picking_rule", "steps"}
    assert settings.for_key(only=only) == {
        "diameter": None,
        "contrast": None,
        "preset": "small",
        "selector": None,
        "steps": 12,
    }


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (
            {"from": "none", "epochs": 3, "seed": 1},
            {"start_model": "none", "steps": 150, "seed": 1},
        ),
        (
            {"model": "", "preset": "tiny", "steps": 120, "selector": None},
            {"encoder": "", "encoder_size": "tiny", "steps": 120, "picking_rule": None},
        ),
    ],
)
def test_a_note_of_before_tells_what_has_changed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, before: dict[str, Any], now: dict[str, Any]
) -> None:
    """A training whose labels alone have changed is told so, whatever its settings were called."""
    (tmp_path / "pass").mkdir()
    finish_training(tmp_path, Basis("1", before, {"labels": "a"}, "m"))
    state = lambda folder: True  # noqa: E731
    with caplog.at_level("INFO"):
        begin_training(tmp_path, Basis("2", now, {"labels": "b"}, "m"), has_work=state)
    assert caplog.messages == [
        "the labels changed since the training of this job ended: training anew"
    ]
    note = json.loads((tmp_path / "training.json").read_text())
    assert note["settings"] == now and not note["finished"]
    (tmp_path / "training.json").write_text(json.dumps({**note, "settings": before}))
    other = {**now, "seed": 2}
    with pytest.raises(ConfigError, match=r"with other settings is here, .*--seed"):
        begin_training(tmp_path, Basis("3", other, {"labels": "b"}, "m"), has_work=state)


def test_every_renamed_setting_is_in_this_table() -> None:
    found = {
        (task, old, new)
        for task, kind in {
            "train": TrainSettings,
            "iterate": IterateSettings,
            "pick": PickSettings,
            "fewshot": FewshotSettings,
            "pretrain": PretrainSettings,
            "prune": PruneSettings,
        }.items()
        for old, new in _old_names(kind).items()
    }
    assert found == {(task, old, new) for task, old, _, new, _ in SETTINGS}


def _old_names(kind: type[Settings]) -> dict[str, str]:
    from frostpick.settings import old_names

    return old_names(kind)
