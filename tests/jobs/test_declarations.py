"""The declarations: complete, light, and the one source of what a task takes and gives."""

import inspect
import subprocess
import sys

import pytest

from frostpick.errors import ConfigError, InputError
from frostpick.settings import FewshotSettings, PickSettings, PretrainSettings, TrainSettings
from frostpick_jobs import api
from frostpick_jobs.job import results
from frostpick_jobs.tasks.declarations import (
    FEWSHOT,
    HOSTS,
    PICK,
    PRETRAIN,
    PRUNE,
    TASKS,
    TRAIN,
    VERIFY,
    InputKind,
    OutputKind,
    check_inputs,
    is_rest,
    refuse_unused,
    task_named,
    tasks_on,
)

pytestmark = pytest.mark.quick

NAMES = ["train", "iterate", "pick", "fewshot", "pretrain", "prune", "verify"]
RESULTS = {
    "train": results.TrainingResult,
    "iterate": results.IteratingResult,
    "pick": results.PickingResult,
    "fewshot": results.FewshotResult,
    "pretrain": results.PretrainingResult,
    "prune": results.PruningResult,
    "verify": results.VerifyingResult,
}


def test_seven_tasks_and_pretraining_on_a_folder_alone() -> None:
    assert [task.name for task in TASKS] == NAMES
    for host in ("relion", "cryosparc"):
        assert [task.name for task in tasks_on(host)] == [n for n in NAMES if n != "pretrain"]
    assert [task.name for task in tasks_on("folder")] == NAMES
    assert task_named("prune") is PRUNE


def test_declarations_load_without_numpy_and_torch() -> None:
    code = (
        "import sys, frostpick_jobs.tasks.declarations; "
        "sys.exit(bool({'numpy', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("task", TASKS, ids=NAMES)
def test_every_declaration_can_be_loaded_and_used(task) -> None:
    run = task.load_run()
    assert list(inspect.signature(run).parameters)[:3] == ["host", "settings", "executor"]
    before = task.load_preflight()
    assert before is None or list(inspect.signature(before).parameters) == ["settings", "models"]
    assert (before is None) == (task.hosts == ("folder",))
    for host in HOSTS:
        assert task.help_on(host)
        assert all(one.help_on(host) for one in task.inputs)
    assert task.outputs[-1].kind is OutputKind.REPORT
    known = {one.name for one in task.inputs}
    assert known >= {name for group in task.one_of for name in group}
    assert known >= {name for one in task.outputs for name in one.follows}
    fields = set(task.settings.model_fields)
    for method in task.methods:
        assert method.options <= fields


@pytest.mark.parametrize("task", TASKS, ids=NAMES)
def test_python_takes_what_the_declaration_says_and_gives_its_result(task) -> None:
    function = getattr(api, task.name)
    signature = inspect.signature(function, eval_str=True)
    keywords = [
        one.name
        for one in signature.parameters.values()
        if one.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    inputs = [one.name for one in task.inputs]
    own = [name for name in keywords if name not in ("executor", *task.settings.model_fields)]
    assert own == inputs
    assert next(iter(signature.parameters)) == "out"
    assert signature.return_annotation is RESULTS[task.name]
    settings = [one for one in signature.parameters.values() if one.kind is one.VAR_KEYWORD]
    assert [one.name for one in settings] == ["settings"]


def test_micrographs_are_needed_and_the_sentence_names_the_option() -> None:
    with pytest.raises(InputError, match="no micrographs; give some with --micrographs"):
        check_inputs(PICK, {}, PickSettings())
    check_inputs(PICK, {"micrographs": ["m"]}, PickSettings())


def test_labels_are_needed_only_where_training_starts_from_nothing() -> None:
    given = {"micrographs": ["m"]}
    check_inputs(TRAIN, given, TrainSettings())
    with pytest.raises(InputError, match="no labels; give a few hundred picks with --labels"):
        check_inputs(TRAIN, given, TrainSettings(start_model="none"))
    check_inputs(TRAIN, {**given, "labels": ["p"]}, TrainSettings(start_model="none"))


@pytest.mark.parametrize("task", [PRUNE, VERIFY])
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "--picks with their --micrographs, or --particles; not neither"),
        ({"picks": ["p"], "particles": ["s"]}, "not both"),
        ({"micrographs": ["m"]}, "not neither"),
        ({"picks": ["p"]}, "picks need the micrographs they lie on; give --micrographs"),
    ],
)
def test_picks_with_micrographs_or_particles(task, given, sentence) -> None:
    with pytest.raises(ConfigError, match=sentence):
        check_inputs(task, given, task.settings())


def test_rest_needs_what_it_is_the_rest_of() -> None:
    given = {"particles": ["s"], "bad": ["rest"]}
    with pytest.raises(
        ConfigError, match="--bad rest means all that is not among the labels; give --labels"
    ):
        check_inputs(PRUNE, given, PRUNE.settings())
    check_inputs(PRUNE, {**given, "labels": ["g"]}, PRUNE.settings())
    assert is_rest(given, "bad") and not is_rest({"bad": ["rest", "more"]}, "bad")


def test_an_option_that_the_method_does_not_use_is_refused_if_it_was_given() -> None:
    given = FewshotSettings(encoder_size="base")
    with pytest.raises(
        ConfigError,
        match=r"--encoder-size has no use in --method pu, which auto has chosen: it is a size of "
        r"cryoMAE's network; leave it away, or give --method cryomae",
    ):
        refuse_unused(FEWSHOT, "pu", given, "auto")
    refuse_unused(FEWSHOT, "cryomae", given)
    refuse_unused(FEWSHOT, "pu", FewshotSettings())  # it has a default, and was not given
    with pytest.raises(ConfigError, match="--method picker or --method pruner"):
        refuse_unused(PRETRAIN, "mae", PretrainSettings(corpus=100))


def test_a_method_is_cited_alone_and_a_task_without_one_whole() -> None:
    for method, names in (("cryomae", {"C. Xu"}), ("pu", {"T. Bepler"})):
        assert {name for name in ("C. Xu", "T. Bepler") if name in FEWSHOT.cited(method)} == names
    for method in ("auto", ""):
        assert FEWSHOT.cited(method) == FEWSHOT.citation and "C. Xu" in FEWSHOT.citation
    assert PICK.cited() == PICK.citation
    for task in TASKS:
        assert all(one.citation and one.citation in task.citation for one in task.methods)


def test_kinds_say_who_can_serve_an_input() -> None:
    assert [one.name for one in PRUNE.of_kind(InputKind.EXAMPLES)] == ["labels", "bad"]
    assert [one.name for one in FEWSHOT.of_kind(InputKind.EXEMPLARS)] == ["labels"]
    assert PICK.gives(OutputKind.PICKS) and not TRAIN.gives(OutputKind.PICKS)
