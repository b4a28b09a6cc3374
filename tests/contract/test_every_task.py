"""Every task on every host that it is declared for: what it delivers there, and what it refuses."""

from __future__ import annotations

import html
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from frostpick.errors import ConfigError, InputError
from frostpick.iterating import iterate as iterating
from frostpick.iterating.verification import SureRule
from frostpick.models.model_file import WEIGHTS
from frostpick.pruning import fit
from frostpick.training.picker.recipe import Recipe
from frostpick.training.pruner.train import TuneRecipe, tune_pruner
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.hosts.relion.host import RelionHost
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.journal import BEGINS, ENDS, LOG, RUNS
from frostpick_jobs.job.lifecycle import execute, run_job
from frostpick_jobs.job.outputs import (
    Files,
    KeptRows,
    ModelOutput,
    PicksOutput,
    Report,
    ScoredRows,
)
from frostpick_jobs.job.results import PickingResult, PruningResult, Result
from frostpick_jobs.tasks import iterate, train
from frostpick_jobs.tasks.declarations import HOSTS, TASKS, OutputKind, TaskSpec, tasks_on

KINDS = {
    PicksOutput: OutputKind.PICKS,
    ModelOutput: OutputKind.MODEL,
    KeptRows: OutputKind.KEPT_ROWS,
    ScoredRows: OutputKind.SCORED_ROWS,
    Files: OutputKind.FILES,
    Report: OutputKind.REPORT,
}
#: Inputs by their names, written below the project folder.
Written = dict[str, Path | str]


@dataclass(frozen=True)
class Job:
    """A small job of a task.

    Parameters
    ----------
    write
        Writes what it is given beside micrographs.
    micrographs
        Whether micrographs are given too.
    settings
        Beside those that all jobs have.
    wrong
        Writes what does not go together, given with micrographs; nothing stands for no input
        at all. None: the task can do without any.
    """

    write: Callable[[Path, Any], Written] = lambda project, data: {}
    micrographs: bool = True
    settings: dict[str, Any] = field(default_factory=dict)
    wrong: Callable[[Path, Any], Written] | None = lambda project, data: {}


def labels(project: Path, data: Any, each: int = 5) -> Written:
    rows = [(n, *xy) for n in range(len(data.names)) for xy in data.truth(n)[:each].tolist()]
    return {"labels": data.write_places(project, "labels.csv", rows)}


def exemplars(project: Path, data: Any) -> Written:
    rows = [(4, *xy) for xy in data.truth(4).tolist()]
    return {"labels": data.write_places(project, "exemplars.csv", rows)}


def picks(project: Path, data: Any) -> Written:
    return {"picks": data.write_places(project, "rows.csv", data.rows_to_judge())}


def examples(project: Path, data: Any) -> Written:
    """Write rows to decide on, and which of them are good and bad."""
    rows, good = data.rows_to_judge(), data.is_good().tolist()
    sides = {
        name: data.write_places(
            project, f"{name}.csv", [row for row, one in zip(rows, good, strict=True) if one == is_]
        )
        for name, is_ in (("labels", True), ("bad", False))
    }
    return {**picks(project, data), **sides}


def particles(project: Path, data: Any) -> Written:
    return {"particles": data.write_particles(project)[0]}


def against_the_rest(project: Path, data: Any) -> Written:
    everything, good = data.write_particles(project)
    return {"particles": everything, "labels": good, "bad": "rest"}


def both(project: Path, data: Any) -> Written:
    return {**picks(project, data), **particles(project, data)}


PRUNING = {"four_rotations": False, "threshold": "0"}
JOBS: dict[str, Job] = {
    "pick": Job(settings={"model": "blob"}),
    "train": Job(labels, settings={"network": "conv31", "steps": 50}),
    "iterate": Job(labels, settings={"network": "conv31", "steps": 10, "rounds": 1}),
    "fewshot": Job(exemplars, settings={"method": "pu", "steps": 2}),
    "pretrain": Job(settings={"method": "mae", "steps": 2}, wrong=None),
    "prune picks": Job(examples, settings=PRUNING, wrong=both),
    "prune particles": Job(against_the_rest, False, PRUNING, wrong=both),
    "verify picks": Job(picks, wrong=both),
    "verify particles": Job(particles, False, wrong=both),
}
COMMON = {"diameter": 64.0, "threads": 1, "device": "cpu"}


def pairs() -> list[Any]:
    """Return every host of the suite with every job of every task that it is declared for."""
    found = []
    for path in sorted(Path(__file__).parent.glob("case_*.py")):
        host = path.stem.removeprefix("case_")
        for task in tasks_on(host) if host in HOSTS else TASKS:
            jobs = [name for name in JOBS if name.split()[0] == task.name]
            assert jobs, f"no job of {task.name} here"
            found += [pytest.param(host, task, name, id=f"{host}-{name}") for name in jobs]
    return found


every_task = pytest.mark.parametrize(("new_case", "task", "job"), pairs(), indirect=["new_case"])


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train for a moment and draw nothing: the point is the way, not the accuracy."""
    recipe = Recipe(units=4, epoch_steps=10, tiles=4, outputs=9, rate=1e-2)
    monkeypatch.setattr(train, "train_picker", partial(train.train_picker, recipe=recipe))
    monkeypatch.setattr(iterating, "Recipe", lambda: recipe)
    monkeypatch.setattr(iterating, "SureRule", lambda: SureRule(confident=0.0, spread=1.0))
    monkeypatch.setattr(iterate, "picked_figures", lambda *a: [])
    tune = TuneRecipe(steps=2, steps_per_label=0, batch=4, rate=1e-4, folds=0)

    def tune_quickly(*arguments: Any, **others: Any) -> Any:
        return tune_pruner(*arguments, **{**others, "recipe": tune})

    monkeypatch.setattr(fit, "tune_pruner", tune_quickly)
    monkeypatch.setattr("frostpick_jobs.tasks.prune.run.prune_figures", lambda *a: [])


def settings_of(task: TaskSpec, job: Job, case: Any, pruner: str) -> Any:
    told = {**COMMON, **case.settings, **job.settings}
    if task.name in ("prune", "verify", "iterate"):
        told["pruner"] = pruner
    if task.name == "pretrain":
        told["pixel_size"] = 2.0
    return task.settings(**told)


def check_native(case: Any, host: Host, task: TaskSpec, result: Any) -> None:
    """Check that every output lies where the program has it."""
    for one in task.outputs:
        if one.kind is OutputKind.PICKS:
            found = case.delivered()
            assert set(found) == {case.id_of(file) for file in case.files}
            assert sum(map(len, found.values())) == result.selected
        elif one.kind is OutputKind.MODEL:
            model = result.pruner if isinstance(result, PruningResult) else result.model
            folder = case.folder() / one.name
            assert (folder / WEIGHTS).is_file()
            assert type(model).load(folder).digest == model.digest
        elif one.kind is OutputKind.KEPT_ROWS:
            assert case.rows(one.name) == result.decisions.keep.sum() > 0
        elif one.kind is OutputKind.SCORED_ROWS:
            assert case.rows(one.name) == len(result.decisions) > 0
        if isinstance(host, FolderHost | RelionHost):
            assert Path(host.reference(one.name)).exists(), one.name


def check_told(case: Any, host: Host, messages: list[str], runs: int) -> None:
    """Check the last lines of a job, its log and the records of its runs."""
    made, looks, following = messages[-3:]
    assert made.startswith("Made: ") and host.look_at_report() in made
    assert looks.startswith(("Looks good: ", "Look closer: ", "Not measured: "))
    assert following.startswith("Next: ")
    if isinstance(host, FolderHost | RelionHost):
        page = html.unescape(Path(host.reference("report")).read_text())
        opening = page.index("<h1>"), page.index(following), page.index('<dl class="summary">')
        assert opening == tuple(sorted(opening)) and made in page and looks in page
    log = (case.folder() / LOG).read_text().splitlines()
    assert sum(f" {BEGINS}: " in line for line in log) == runs
    assert f" {ENDS}: finished" in log[-1] and any(following in line for line in log)
    records = [json.loads(line) for line in (case.folder() / RUNS).read_text().splitlines()]
    assert {one["outcome"] for one in records} == {"finished"}
    assert records[-1]["host"] == host.name and records[-1]["wall_s"] > 0


@every_task
def test_every_output_is_delivered_once_and_is_there(
    new_case: Any,
    task: TaskSpec,
    job: str,
    spy: Any,
    data: Any,
    pruner: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "frostpick_jobs")
    case, asked = new_case(), JOBS[job]
    given = asked.write(case.project, data)
    settings, run = settings_of(task, asked, case, pruner), task.load_run()
    before: dict[str, bytes] = {}
    for again in (1, 2):
        spy.calls.clear()
        caplog.clear()
        host = spy.watch(case.host(task.name, micrographs=asked.micrographs, **given))
        result = execute(host, partial(run, host, settings))
        assert isinstance(result, Result) and type(result) is get_type_hints(run)["return"]
        assert result.place == host.place and result.job and result.failed == {}
        assert result.folder is None or result.folder.is_dir()
        names = spy.names()
        assert names[0] == "begin" and names[-2:] == ["deliver", "end"]
        assert names.count("begin") == names.count("deliver") == names.count("end") == 1
        assert spy.ends() == ["finished"]
        picked = [one.micrograph.id for one in spy.outputs()]
        wanted = isinstance(result, PickingResult)
        assert picked == ([one.id for one in host.micrographs()] if wanted else [])
        told = [(one.name, KINDS[type(one)]) for one in spy.delivered()]
        assert told == [(one.name, one.kind) for one in task.outputs]
        record = spy.output(Report).record
        assert record["task"] == task.name and record["host"] == host.name
        json.dumps(record, allow_nan=False)
        check_native(case, host, task, result)
        if host.name in HOSTS:
            check_told(case, host, caplog.messages, again)
        assert not before or case.native_files() == before  # Continue changes no byte
        before = case.native_files()
        assert before


@every_task
def test_inputs_that_do_not_go_together_are_refused_before_the_job_begins(
    new_case: Any, task: TaskSpec, job: str, spy: Any, data: Any, pruner: str
) -> None:
    case, asked = new_case(), JOBS[job]
    if asked.wrong is None:
        pytest.skip("it can do without any input")
    given = asked.wrong(case.project, data)
    settings, run = settings_of(task, asked, case, pruner), task.load_run()
    try:
        host = spy.watch(case.host(task.name, micrographs=bool(given), **given))
    except (ConfigError, InputError):
        return  # before there is a job
    before = case.native_files()
    assert run_job(host, partial(run, host, settings)) == 1
    assert spy.names() == ["end"] and spy.ends() == ["failed"]
    assert "\n" not in spy.calls[-1][2] and "bug" not in spy.calls[-1][2]
    assert case.native_files() == before
