"""The forms of Doppio say what the tasks declare, and give command lines that our programs take."""

import ast
import importlib.util
import re
import sys
from pathlib import Path

import pytest
from frostpick_doppio.command import mistakes, words
from frostpick_doppio.forms import Option, form_of, tasks, version

from frostpick._version import __version__
from frostpick_jobs.cli.relion_job import read_command_line
from frostpick_jobs.tasks.declarations import task_named, tasks_on

DOPPIO = Path(__file__).parents[2] / "external_job" / "doppio"
JOB = "AutoPick/job007/"
TASKS = [task.name for task in tasks_on("relion")]
#: A value that each text takes, other than its default.
TEXTS = {
    "diameter": "123.5",
    "device": "cpu",
    "threshold": "p=0.7",
    "network": "resnet8",
    "encoder": "small-encoder",
    "model": "blob",
    "include": "External/job012:3",
    "start_model": "none",
    "pruner": "pruner-1",
    "license": "CC-BY-4.0",
}
#: What RELION's own options become, and what two options say together.
FIELDS = {"nr_threads": "threads"}


def defaults(task):
    return {one.name: one.default for one in form_of(task).options}


def another(option: Option):
    """Return a value that a field takes, other than its default."""
    if option.type == "switch":
        return not option.default
    if option.type == "choice":
        return next(one for one in option.choices if one != option.default)
    if option.type == "integer":
        return int(option.least or 0) + 3
    if option.type == "number":
        return min(0.5, option.most or 0.5)
    return f"Extract/job005/{option.name}.star" if option.type == "node" else TEXTS[option.name]


def test_the_file_of_forms_is_that_of_the_declarations_and_of_this_version(monkeypatch):
    monkeypatch.syspath_prepend(str(DOPPIO))
    spec = importlib.util.spec_from_file_location("write_forms", DOPPIO / "write_forms.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules.pop("references", None)
    written = (DOPPIO / "frostpick_doppio" / "forms.json").read_text(encoding="utf-8")
    assert written == module.as_text(), "out of date: python external_job/doppio/write_forms.py"
    assert tasks() == TASKS and version() == __version__


def test_every_task_of_an_external_job_has_an_entry_point_and_its_class():
    text = (DOPPIO / "pyproject.toml").read_text(encoding="utf-8")
    points = dict(re.findall(r'^"frostpick\.(\w+)" = "frostpick_doppio\.jobs:(\w+)"', text, re.M))
    assert sorted(points) == sorted(TASKS)
    source = (DOPPIO / "frostpick_doppio" / "jobs.py").read_text(encoding="utf-8")
    for task, name in points.items():
        assert re.search(
            rf'class {name}\(FrostpickJob\):\n.*\n\n    PROCESS_NAME = "frostpick\.{task}"', source
        )


def test_it_imports_the_pipeliner_alone_and_nothing_imports_it():
    found = set()
    for file in (DOPPIO / "frostpick_doppio").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                found.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Import):
                found |= {one.name.partition(".")[0] for one in node.names}
    # Pillow is what the pipeliner itself draws its pictures with.
    assert found - set(sys.stdlib_module_names) == {"frostpick_doppio", "pipeliner", "PIL"}
    root = DOPPIO.parents[1]
    for folder in (root / "plugin", root / "external_job" / "frostpick_jobs"):
        users = [file for file in folder.rglob("*.py") if "frostpick_doppio" in file.read_text()]
        assert not users


@pytest.mark.parametrize("task", TASKS)
def test_a_form_left_as_it_is_gives_the_defaults(task):
    arguments, settings = read_command_line(
        task_named(task), words(form_of(task), defaults(task), JOB)
    )
    assert arguments.prefix == JOB and arguments.given == () and arguments.files == {}
    assert settings == task_named(task).settings()


@pytest.mark.parametrize("task", TASKS)
def test_each_field_that_is_filled_in_is_the_setting_or_the_input_of_its_name(task):
    form, declared = form_of(task), task_named(task)
    for option in form.options:
        value = another(option)
        command = words(form, {**defaults(task), option.name: value}, JOB)
        assert command[:2] == ["--o", JOB] and len(command) == 4, option.name
        arguments, settings = read_command_line(declared, command)
        if option.type == "node" and option.node != "MlModel":
            kind, _, form_of_rows = option.name.partition("_")
            if option.name.startswith("in_"):
                assert getattr(arguments, option.name) == value
            else:
                assert form_of_rows in ("coords", "parts") and arguments.files == {kind: value}
            assert settings == declared.settings()
        elif option.name == "bad_rest":
            assert arguments.files == {"bad": "rest"}
        else:
            name = FIELDS.get(option.name, option.name.removesuffix("_file"))
            assert settings == declared.settings(**{name: value}), option.name


def test_a_model_of_a_job_takes_the_place_of_the_shipped_one():
    values = {**defaults("pick"), "model_file": "AutoPick/job003/model/model.safetensors"}
    command = words(form_of("pick"), values, JOB)
    assert command == ["--o", JOB, "--model", "AutoPick/job003/model/model.safetensors"]
    assert mistakes(form_of("pick"), values) == []
    ((option, text),) = mistakes(form_of("pick"), {**values, "model": "blob"})
    assert option.name == "model_file" and text == "Give only one of Model of a job and Model."


def test_papers_to_cite_have_the_fields_of_the_pipeliners_reports():
    assert form_of("pick").references[0] == {
        "authors": [
            "Bepler T",
            "Morin A",
            "Rapp M",
            "Brasch J",
            "Shapiro L",
            "Noble AJ",
            "Berger B",
        ],
        "title": "Positive-unlabeled convolutional neural networks for particle picking in "
        "cryo-electron micrographs",
        "journal": "Nature Methods",
        "year": "2019",
        "volume": "16",
        "pages": "1153-1160",
        "doi": "10.1038/s41592-019-0575-8",
    }
    titles = [one["title"] for one in form_of("fewshot").references]
    assert "CryoMAE: few-shot cryo-EM particle picking with masked autoencoders" in titles


def test_what_does_not_go_together_is_told_before_a_job_starts():
    form, coordinates = form_of("prune"), {"in_coords": "a.star"}
    told = [text for _, text in mistakes(form, defaults("prune"))]
    assert told == ["Give Coordinates or Particles."]
    assert mistakes(form, {**defaults("prune"), **coordinates}) == []
    both = {**defaults("prune"), **coordinates, "in_parts": "b.star", "bad_rest": True}
    both["bad_parts"] = "c.star"
    assert [text for _, text in mistakes(form, both)] == [
        "Give only one of Coordinates and Particles.",
        "Give only one of Known non-particles, extracted particles and All other rows are known "
        "non-particles.",
    ]
    assert form.option("in_mics").required_if == "in_coords"


@pytest.mark.parametrize("task", TASKS)
def test_a_form_has_help_for_each_field_and_names_no_flags(task):
    form = form_of(task)
    assert len({one.label for one in form.options}) == len(form.options)
    for one in form.options:
        assert one.help and "--" not in one.help and "==" not in one.label
    assert form.references and all(one["title"] and one["year"] for one in form.references)
