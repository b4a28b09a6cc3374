"""Three front ends from one declaration: options, inputs, extras, and a task that is new."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import typer.main
import typer.testing
from made_images import write_mrc

from frostpick.settings import about
from frostpick_jobs.cli import relion, relion_job
from frostpick_jobs.cli.main import app, frostpick_app
from frostpick_jobs.cli.options import list_options
from frostpick_jobs.cli.parameters import ORIGINAL
from frostpick_jobs.cli.task_inputs import inputs_on
from frostpick_jobs.hosts.cryosparc.request import JobRequest
from frostpick_jobs.hosts.cryosparc.server import connect
from frostpick_jobs.hosts.cryosparc.server.references import OutputRef
from frostpick_jobs.hosts.relion import markers
from frostpick_jobs.hosts.relion.arguments import JobArguments
from frostpick_jobs.hosts.relion.inputs import given_inputs
from frostpick_jobs.tasks.declarations import (
    FEWSHOT,
    HOSTS,
    TASKS,
    InputKind,
    TaskSpec,
    tasks_on,
)

ROOT = Path(__file__).parents[2]

#: The options beside inputs and settings.
EXTRAS = {
    "folder": {"out", "debug", "config"},
    "relion": {
        *("o", "in_mics", "in_coords", "in_parts", "in_movies", "in_3dref", "in_mask"),
        *("j", "pipeline_control", "gpu", "debug", "config", "version"),
    },
    "cryosparc": {
        *("project", "workspace", "job", "title", "blob", "flip_y", "url", "spool"),
        *("download", "map", "ignore_version"),
        *("debug", "config"),
    },
}
#: The option of an input by its kind; those without one come in another way.
INPUTS: dict[str, dict[InputKind, str]] = {
    "folder": {
        InputKind.MICROGRAPHS: "micrographs",
        InputKind.LABELS: "labels",
        InputKind.EXEMPLARS: "labels",
        InputKind.PICKS: "picks",
        InputKind.PARTICLES: "particles",
        InputKind.EXAMPLES: "",
    },
    "relion": {InputKind.EXAMPLES: ""},
    "cryosparc": {
        InputKind.MICROGRAPHS: "micrographs",
        InputKind.LABELS: "labels",
        InputKind.EXEMPLARS: "labels",
        InputKind.PARTICLES: "particles",
        InputKind.EXAMPLES: "",
    },
}
#: Names of before 0.2, which are taken until 2.0.
SETTINGS_BEFORE = {
    "train": ("from", "start_from", "selector", "epochs"),
    "iterate": ("from", "start_from", "selector", "epochs"),
    "pick": ("limit", "write"),
    "fewshot": ("model", "preset", "selector", "limit", "write"),
    "pretrain": ("preset",),
    "prune": ("keep_at", "mostly_good", "expected_good"),
    "verify": (),
}
INPUTS_BEFORE = {
    "folder": {
        "train": ("picks",),
        "iterate": ("picks",),
        "fewshot": ("exemplars",),
        "prune": ("good",),
    },
    "relion": {"prune": ("good",)},
    "cryosparc": {
        "train": ("picks", "particles"),
        "iterate": ("picks", "particles"),
        "fewshot": ("exemplars",),
        "prune": ("good",),
    },
}
WHERE = [(task, host) for task in TASKS for host in HOSTS if host in task.hosts]
NAMED = [f"{task.name}-{host}" for task, host in WHERE]


def command_of(application: typer.Typer, task: TaskSpec, host: str) -> Any:
    group: Any = typer.main.get_command(application)
    return (group if host == "folder" else group.commands["cryosparc"]).commands[task.name]


def long_options(task: TaskSpec, host: str, application: typer.Typer = app) -> list[str]:
    """Return every long option, its words joined by underscores, as often as it is declared."""
    if host == "relion":
        actions = relion_job.job_parser(task)._actions
        strings = [set(one.option_strings) for one in actions if one.dest != "help"]
    else:
        strings = [set(one.opts) for one in command_of(application, task, host).params]
    return [
        name
        for some in strings
        for name in {one[2:].replace("-", "_") for one in some if one.startswith("--")}
    ]


def help_of(task: TaskSpec, host: str, application: typer.Typer = app) -> str:
    if host == "relion":
        return relion_job.job_parser(task).format_help()
    words = [*(["cryosparc"] if host == "cryosparc" else []), task.name, "--help"]
    return typer.testing.CliRunner().invoke(application, words).output


@pytest.mark.parametrize(("task", "host"), WHERE, ids=NAMED)
def test_a_front_end_offers_settings_inputs_and_its_extras(task: TaskSpec, host: str) -> None:
    settings = set(task.settings.model_fields)
    inputs = {INPUTS[host][one.kind] or one.name for one in task.inputs if one.kind in INPUTS[host]}
    before = set(SETTINGS_BEFORE[task.name]) | set(INPUTS_BEFORE[host].get(task.name, ()))
    found = long_options(task, host)
    assert len(found) == len(set(found))
    assert not inputs & settings and not EXTRAS[host] & (inputs | settings)
    assert not before & (settings | inputs | EXTRAS[host])
    assert set(found) == settings | inputs | before | EXTRAS[host]


def test_only_the_tasks_of_a_host_are_offered() -> None:
    group: Any = typer.main.get_command(app)
    on_server = set(group.commands["cryosparc"].commands)
    assert on_server == {task.name for task in tasks_on("cryosparc")} | {"login-check", "selftest"}
    others = {"simulate", "select", "audit", "evaluate", "demo", "models", "config", "cryosparc"}
    others |= {"doctor", "methods", "clean"}
    assert set(group.commands) == {task.name for task in tasks_on("folder")} | others


def test_every_task_of_relion_is_a_program() -> None:
    declared = (ROOT / "pyproject.toml").read_text()
    programs = re.findall(r'^frostpick-relion-(\w+) = "frostpick_jobs\.cli\.(.+)"$', declared, re.M)
    assert programs == [(task.name, f"relion:{task.name}_main") for task in tasks_on("relion")]


def test_the_program_of_a_task_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []

    def caught(task: str, argv: list[str]) -> int:
        called.append((task, argv))
        return 3

    monkeypatch.setattr(relion, "guarded", caught)
    monkeypatch.setattr(sys, "argv", ["frostpick-relion-train", "--o", "External/job002/"])
    with pytest.raises(SystemExit) as leaving:
        relion.train_main()
    assert leaving.value.code == 3
    assert called == [("train", ["--o", "External/job002/"])]
    for name in ("_main", "train", "__path__"):
        with pytest.raises(AttributeError, match=name):
            getattr(relion, name)


@pytest.mark.parametrize(("task", "host"), WHERE, ids=NAMED)
def test_help_shows_every_option_but_the_hidden_ones(task: TaskSpec, host: str) -> None:
    shown = help_of(task, host)
    for option in list_options(task.settings):
        field = task.settings.model_fields.get(option.field)
        hidden = field is None or about(field).hidden  # a name of before has no field
        flag = option.label if host == "relion" else option.flag
        # Its own line in the list; other texts may name it.
        listed = re.search(rf"^ +{flag}\b", shown, re.M) is not None
        assert listed != hidden, flag
    for one in inputs_on(task, host):
        assert re.search(rf"^ +--{one.name}\b", shown, re.M)
        assert one.help_on(host).split()[0] in shown
    first_line = task.help_on(host).partition("\n")[0]
    assert first_line in " ".join(shown.split())


@pytest.mark.parametrize("task", tasks_on("relion"), ids=lambda task: task.name)
def test_a_field_of_relion_that_the_task_does_not_read_is_told(task: TaskSpec) -> None:
    fields = {"in_mics": "m.star", "in_coords": "c.star", "in_parts": "p.star"}
    arguments = JobArguments(Path("job"), "job/", **fields, given=(*fields, "in_mask"))
    given = given_inputs(arguments, task).values()
    read = {field for field, file in fields.items() if any(file in files for files in given)}
    unused = relion_job.unused_fields(task, arguments)
    assert set(unused) == {*fields, "in_mask"} - read


def test_what_is_hidden_is_still_taken() -> None:
    (train,) = (task for task in TASKS if task.name == "train")
    hidden = [name for name, info in train.settings.model_fields.items() if about(info).hidden]
    assert hidden == ["rounds"]
    words = ["--o", "External/job002/", "--rounds", "2"]
    assert relion_job.read_command_line(train, words)[1].model_dump()["rounds"] == 2
    for host in ("folder", "cryosparc"):
        (param,) = (p for p in command_of(app, train, host).params if p.name == "rounds")
        assert param.hidden


@pytest.mark.parametrize("words", [[], ["cryosparc"], ["models"]])
def test_summaries_fit_their_column(words: list[str]) -> None:
    done = typer.testing.CliRunner(env={"COLUMNS": "80"}).invoke(app, [*words, "--help"])
    commands = done.output.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert len(commands) >= 2 and not [line for line in commands if line.endswith("...")]


@pytest.mark.parametrize(("task", "host"), WHERE, ids=NAMED)
def test_help_has_a_heading_for_advanced_options_and_tells_defaults(
    task: TaskSpec, host: str
) -> None:
    usual, _, advanced = help_of(task, host).partition("\nAdvanced:\n")
    for option in list_options(task.settings):
        if not option.hidden:
            flag = option.label if host == "relion" else option.flag
            where = advanced if option.advanced else usual
            assert re.search(rf"^ +{flag}\b", where, re.M), flag
    plain = " ".join((usual + advanced).split()).replace("- ", "-")
    assert "when empty" not in plain.lower()
    told = about(task.settings.model_fields["contrast"]).unset if task.name != "pretrain" else ""
    assert f"[default: {told}" in plain and "[default: 0]" in plain
    # what is off unless it is asked for says nothing
    on = [o for o in list_options(task.settings) if o.default is True and not o.hidden]
    assert plain.count("[default: on]") == len(on) and "[default: False]" not in plain


def test_labels_of_few_shot_picking_are_shown_as_needed() -> None:
    shown = " ".join(help_of(FEWSHOT, "folder").split())
    assert "may be repeated. [required] -o, --out" in shown


def test_a_folder_needs_what_the_task_always_needs() -> None:
    needed = {
        task.name: [p.name for p in command_of(app, task, "folder").params if p.required]
        for task in TASKS
    }
    assert needed == {
        "train": ["micrographs", "out"],
        "iterate": ["micrographs", "out"],
        "pick": ["micrographs", "out"],
        "fewshot": ["micrographs", "out"],
        "pretrain": ["out"],
        "prune": ["out"],
        "verify": ["out"],
    }
    for task in tasks_on("cryosparc"):
        params = command_of(app, task, "cryosparc").params
        assert [p.name for p in params if p.required] == ["project"]


def test_few_shot_picking_needs_labels_under_either_name() -> None:
    told = ["fewshot", "--micrographs", "m", "-o", "o"]
    done = typer.testing.CliRunner().invoke(app, told)
    assert done.exit_code == 2 and "Missing option '--labels'" in " ".join(done.output.split())


def test_the_image_that_is_read_by_default() -> None:
    assert inspect.signature(JobRequest).parameters["image_slot"].default == ORIGINAL


@pytest.mark.parametrize(
    "words",
    [
        ["frostpick_jobs.cli.main", "--help"],
        ["frostpick_jobs.cli.main", "cryosparc", "prune", "--help"],
        ["frostpick_jobs.cli.relion", "train", "--help"],
    ],
)
def test_help_loads_neither_torch_nor_numpy(words: list[str]) -> None:
    code = (
        "import importlib, sys\n"
        f"module = importlib.import_module({words[0]!r})\n"
        f"sys.argv = ['frostpick', *{words[1:]!r}]\n"
        "try: module.main()\nexcept SystemExit as leaving: assert not leaving.code\n"
        "sys.exit(' '.join({'torch', 'numpy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--help" in done.stdout


# A new task: its three files, and the line that puts it among the others.
SETTINGS = '''"""Settings of ``tally``."""
from frostpick.settings import ScaleSettings
from frostpick.settings.field import setting

class TallySettings(ScaleSettings):
    """Options of ``tally``."""

    at_least: int = setting(1, "Fewest micrographs that are enough.", "Data", ge=1)
'''
RUN = '''"""The task ``tally``: how many micrographs are there."""
from frostpick_jobs.job.outputs import Report
from frostpick_jobs.job.results import Result
from frostpick_jobs.tasks.begin import begin
from toy_tally.declaration import TALLY

def run_tally(host, settings, executor=None):
    """Tally a host's micrographs."""
    record = begin(host, TALLY, settings)
    found = len(host.micrographs())
    record.add(tallied=found, enough=found >= settings.at_least)
    host.deliver([Report(record.finished(), rows=[("micrographs tallied", found)])])
    return Result(host.place, {})
'''
DECLARATION = '''"""``tally``: micrographs in, a report out."""
from frostpick_jobs.tasks.declarations import InputKind, InputSpec, TaskSpec
from frostpick_jobs.tasks.declarations.kinds import MICROGRAPHS, REPORT
from toy_tally.settings import TallySettings

TALLY = TaskSpec(
    name="tally",
    settings=TallySettings,
    inputs=(
        MICROGRAPHS,
        InputSpec("labels", InputKind.LABELS, "Picks that nobody looks at."),
        InputSpec("bad", InputKind.EXAMPLES, "Examples that nobody looks at."),
    ),
    outputs=(REPORT,),
    run="toy_tally.run:run_tally",
    summary="Tally the micrographs.",
    citation="",
)
'''


@pytest.fixture
def tally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TaskSpec]:
    package = tmp_path / "toy_tally"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, text in (("settings", SETTINGS), ("run", RUN), ("declaration", DECLARATION)):
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("toy_tally.declaration").TALLY
    for name in [one for one in sys.modules if one.partition(".")[0] == "toy_tally"]:
        del sys.modules[name]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder with three micrographs, and put the log and signals back afterwards."""
    folder = tmp_path / "project"
    (folder / "Micrographs").mkdir(parents=True)
    rows = ""
    for number in range(3):
        name = f"Micrographs/m{number}.mrc"
        write_mrc(folder / name, np.zeros((40, 50), np.float32), 2.0)
        rows += f"{name} 1\n"
    optics = "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographPixelSize #2\n1 2.0\n\n"
    table = "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n"
    (folder / "m.star").write_text(f"\n{optics}\n{table}{rows}\n")
    monkeypatch.chdir(folder)
    before = signal.getsignal(signal.SIGTERM)
    yield folder
    signal.signal(signal.SIGTERM, before)


def test_a_new_task_is_offered_on_all_hosts(tally: TaskSpec) -> None:
    commands = frostpick_app((*TASKS, tally))
    told = {"device", "threads", "seed", "diameter", "pixel_size", "contrast", "allow_missing"}
    told |= {"overwrite", "strict"}
    settings = told | {"at_least"}
    inputs = {
        "folder": {"micrographs", "labels", "bad"},
        "relion": {"bad"},
        "cryosparc": {"micrographs", "labels", "bad"},
    }
    for host in HOSTS:
        assert set(long_options(tally, host, commands)) == settings | inputs[host] | EXTRAS[host]
        shown = help_of(tally, host, commands)
        assert "Tally the micrographs." in shown
        assert "Fewest micrographs that are enough." in " ".join(shown.split())
    assert "Tally the micrographs." in typer.testing.CliRunner().invoke(commands, "--help").output


def test_a_new_task_runs_on_a_folder(tally: TaskSpec, project: Path) -> None:
    words = ["tally", "--micrographs", "Micrographs", "-o", "out", "--at-least", "4"]
    done = typer.testing.CliRunner().invoke(frostpick_app((tally,)), words)
    assert done.exit_code == 0, done.output
    record = json.loads((project / "out" / "run.json").read_text())
    assert (record["task"], record["tallied"], record["enough"]) == ("tally", 3, False)
    page = re.sub(r"\s*<[^>]+>\s*", "|", (project / "out" / "report.html").read_text())
    assert re.search(r"\|micrographs tallied\|+3\|", page) and "picks selected" not in page


def test_a_new_task_runs_in_relion(tally: TaskSpec, project: Path) -> None:
    words = ["--o", "External/job002/", "--in_mics", "m.star", "--at_least", "2", "--j", "1"]
    assert relion_job.run_task(tally, words) == 0
    job = project / "External" / "job002"
    record = json.loads((job / "run.json").read_text())
    assert (record["task"], record["tallied"], record["enough"]) == ("tally", 3, True)
    assert (job / markers.SUCCESS).exists()


def test_a_new_task_is_asked_of_a_server(
    tally: TaskSpec, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught: dict[str, Any] = {}

    def action(server: Any, request: Any, settings: Any, **others: Any) -> int:
        caught.update(request=request, settings=settings)
        return 0

    monkeypatch.setattr(
        connect, "connect", lambda url, **_: SimpleNamespace(url=url, close=lambda: None)
    )
    monkeypatch.setattr("frostpick_jobs.hosts.cryosparc.run.run_task_for_exit_code", action)
    words = ["cryosparc", "tally", "--project", "P1", "--workspace", "W2", "--at-least", "2"]
    words += ["--micrographs", "J10.exposures", "--labels", "J12.particles"]
    done = typer.testing.CliRunner().invoke(frostpick_app((tally,)), words)
    assert done.exit_code == 0, done.output
    request = caught["request"]
    assert request.task is tally and caught["settings"].at_least == 2
    assert request.inputs["micrographs"] == (OutputRef("J10", "exposures"),)
    assert request.inputs["labels"] == (OutputRef("J12", "particles"),)
    again = "frostpick cryosparc tally --project P1 --at-least 2 --job J40"
    assert request.resume_command("J40") == again
