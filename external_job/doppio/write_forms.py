"""Write ``frostpick_doppio/forms.json``, the forms of all tasks, from the tasks' declarations.

Run with frostpick installed, after a change of a setting or of a task::

    python external_job/doppio/write_forms.py

The package itself needs neither frostpick nor what frostpick needs. A test compares the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from references import references_of

from frostpick._version import __version__
from frostpick.models.model_file import WEIGHTS
from frostpick.settings import about
from frostpick.settings.field import GROUPS, values_of
from frostpick.settings.model_ref import ModelRef, model_ref
from frostpick_jobs.cli.options import Option, list_options
from frostpick_jobs.hosts.relion.coordinates import LIST_FILE
from frostpick_jobs.hosts.relion.host import LOGFILE
from frostpick_jobs.hosts.relion.inputs import FIELDS
from frostpick_jobs.hosts.relion.rows import PARTICLES, REJECTED
from frostpick_jobs.tasks.declarations import InputKind, InputSpec, OutputKind, TaskSpec, tasks_on

FORMS = Path(__file__).parent / "frostpick_doppio" / "forms.json"
ADVANCED = "Advanced"
#: A group of settings -> what the pipeliner's own jobs call it.
_GROUPS = {"Running": "Running options"}
#: Units that a label says; others are its own word again.
_UNITS = ("A", "diameters")

#: Field of an External job -> type of node, label, and what the file is.
_NODES = {
    "in_mics": ("MicrographGroupMetadata", "Micrographs", "Micrographs STAR file"),
    "in_coords": ("MicrographCoordsGroup", "Coordinates", "Coordinates STAR file"),
    "in_parts": ("ParticleGroupMetadata", "Particles", "Particles STAR file"),
}
_HELP = {
    InputKind.MICROGRAPHS: "Of an import, a motion correction, a CTF estimation or a selection.",
    InputKind.LABELS: "What to learn from: picks of any program, which need not be complete, or "
    "extracted particles. Without them the start model learns from its own picks.",
    InputKind.EXEMPLARS: "About 15 particles that were marked on one micrograph.",
    InputKind.PICKS: "The picks to decide on, of any program; the micrographs that they lie on "
    "are needed too.",
    InputKind.PARTICLES: "The extracted particles to decide on, instead of coordinates.",
}
_TITLES = {
    "train": "frostpick: train a picking model",
    "iterate": "frostpick: train a picking model in rounds",
    "pick": "frostpick: pick particles",
    "fewshot": "frostpick: pick from about fifteen exemplars",
    "prune": "frostpick: keep the particles among picks",
    "verify": "frostpick: score picks or particles",
}


def forms() -> dict[str, Any]:
    """Return the forms of all tasks that run as External jobs, as the file holds them."""
    return {"version": __version__, "tasks": {one.name: form(one) for one in tasks_on("relion")}}


def form(task: TaskSpec) -> dict[str, Any]:
    """Return a task's form: what is asked for, what comes out, what to cite."""
    inputs = [option for one in task.inputs for option in _input_options(task, one)]
    fields = task.settings.model_fields
    settings = [one for one in list_options(task.settings) if not one.hidden]
    settings.sort(key=lambda one: (one.advanced, GROUPS.index(about(fields[one.field]).group)))
    texts = [task.citation, *(one.citation for one in task.methods)]
    return {
        "title": _TITLES.get(task.name, f"frostpick: {task.name}"),
        "summary": task.summary,
        "program": f"frostpick-relion-{task.name}",
        "options": inputs + [text for one in settings for text in _setting(one, fields[one.field])],
        "exclusive": _exclusive(task),
        "outputs": [node for one in task.outputs for node in _output_nodes(one.name, one.kind)],
        "references": references_of(texts),
    }


def _input_options(task: TaskSpec, one: InputSpec) -> list[dict[str, Any]]:
    """Return the fields of an input; examples are of either kind of row."""
    fields = FIELDS.get(one.kind, ())
    if fields:
        return [
            _node(
                field,
                f"--{field}",
                _NODES[field][1],
                _HELP[one.kind],
                field,
                required=one.needed(task.settings()) and len(fields) == 1,
            )
            | {"required_if": _with(task, one.name)}
            for field in fields
        ]
    name = {"labels": "Known particles", "bad": "Known non-particles"}.get(one.name, one.name)
    told = one.help_on("relion")
    options = [
        _node(f"{one.name}_{kind}", f"--{one.name}", f"{name}, {word}", told, field)
        for kind, word, field in (
            ("coords", "coordinates", "in_coords"),
            ("parts", "extracted particles", "in_parts"),
        )
    ]
    if one.rest:
        options.append(
            {
                "name": f"{one.name}_rest",
                "flag": f"--{one.name}",
                "label": f"All other rows are {name.lower()}",
                "help": f"Of an input whose {one.rest} are complete.",
                "group": "Main",
                "type": "switch",
                "default": False,
                "yes": "rest",
                "in_continue": False,
            }
        )
    return options


def _with(task: TaskSpec, name: str) -> str:
    """Return the field that an input goes with, where it is needed for that one alone."""
    heads = [task.input(group[0]) for group in task.one_of if name in group[1:]]
    return FIELDS[heads[0].kind][0] if heads else ""


def _node(
    name: str, flag: str, label: str, told: str, field: str, required: bool = False
) -> dict[str, Any]:
    kind, _, pattern = _NODES[field]
    return {
        "name": name,
        "flag": flag,
        "label": label,
        "help": told,
        "group": "Main",
        "type": "node",
        "default": "",
        "node": kind,
        "keywords": ["relion"],
        "files": [pattern, ".star"],
        "required": required,
        "in_continue": True,
    }


def _exclusive(task: TaskSpec) -> list[dict[str, Any]]:
    """Return groups of options of which at most one is given, or exactly one where needed."""
    groups = []
    if task.one_of:
        groups.append({"options": ["in_coords", "in_parts"], "needed": True})
    for one in task.inputs:
        fields = FIELDS.get(one.kind, ())
        if one.kind is InputKind.EXEMPLARS:
            groups.append({"options": list(fields), "needed": True})
        elif not fields:
            names = [option["name"] for option in _input_options(task, one)]
            groups.append({"options": names, "needed": False})
    return groups


def _setting(one: Option, info: FieldInfo) -> list[dict[str, Any]]:
    """Return the field of a setting; a model has a second one, for the model of a job."""
    told, ref, choices = about(info), model_ref(info), values_of(info)
    label = one.field.replace("_", " ").capitalize()
    unit = f" ({told.unit})" if told.unit in _UNITS else ""
    default = "" if one.default is None else one.default
    text: dict[str, Any] = {
        "name": one.field,
        "flag": one.label,
        "label": label + unit,
        "help": one.told,
        "group": ADVANCED if one.advanced else _GROUPS.get(told.group, told.group),
        "type": "text",
        "default": default if isinstance(default, bool | int | float) else str(default),
        "in_continue": not told.changes_results,
    }
    numbers = {int: "integer", float: "number"}
    if one.type is bool:
        text["type"] = "switch"
    elif choices and one.type is str and not _takes_numbers(info):
        text |= {"type": "choice", "choices": list(choices)}
    elif one.type in numbers and not choices:
        text |= {"type": numbers[one.type], "default": one.default, **_limits(info)}
    if one.field == "threads":  # the name by which the pipeliner tells a queue
        text |= {"name": "nr_threads", "flag": "--j", "label": "Number of threads"}
    if ref is None or not ref.from_job:
        return [text]
    return [_model_of_job(text, ref), text]


def _takes_numbers(info: FieldInfo) -> bool:
    """Tell a number that may be a word too, such as ``auto``, from a choice of words."""
    return "float" in str(info.annotation) or "int" in str(info.annotation)


def _model_of_job(text: dict[str, Any], ref: ModelRef) -> dict[str, Any]:
    return {
        **text,
        "name": f"{text['name']}_file",
        "label": f"{text['label']} of a job",
        "help": "The model file that a job of this project made; leave it empty for a shipped "
        "one, which the next field names.",
        "type": "node",
        "default": "",
        "node": "MlModel",
        "keywords": ["frostpick", ref.kind],
        "files": ["Model", ".safetensors"],
        "instead_of": text["name"],
        "required": False,
    }


def _limits(info: FieldInfo) -> dict[str, float]:
    """Return the limits of a number; a form knows no open ones, which the program checks."""
    found: dict[str, float] = {}
    for one in info.metadata:
        if isinstance(one, Ge | Gt):
            found["least"] = one.ge if isinstance(one, Ge) else one.gt  # type: ignore[assignment]
        elif isinstance(one, Le | Lt):
            found["most"] = one.le if isinstance(one, Le) else one.lt  # type: ignore[assignment]
    return found


def _output_nodes(name: str, kind: OutputKind) -> list[dict[str, Any]]:
    """Return the nodes of an output; ``given`` is the input without which there is none."""
    coordinates = ("MicrographCoordsGroup", ["relion", "autopick", "frostpick"])
    particles = ("ParticleGroupMetadata", ["relion", "frostpick"])
    if kind is OutputKind.PICKS:
        return [_output(LIST_FILE, *coordinates)]
    if kind is OutputKind.MODEL:
        for_what = "pruner" if name == "pruner" else "picking"
        node = _output(f"{name}/{WEIGHTS}", "MlModel", ["frostpick", for_what])
        return [node | {"only_if_written": name == "pruner"}]
    if kind in (OutputKind.KEPT_ROWS, OutputKind.SCORED_ROWS):
        nodes = [_output(LIST_FILE, *coordinates, given="in_coords")]
        nodes.append(_output(PARTICLES, *particles, given="in_parts"))
        if kind is OutputKind.KEPT_ROWS:
            kind_of_node, words = particles
            rejected = _output(REJECTED, kind_of_node, [*words, "rejected"], given="in_parts")
            nodes.append(rejected)
        return nodes
    if kind is OutputKind.REPORT:
        return [_output(LOGFILE, "LogFile", ["relion", "frostpick"])]
    return []


def _output(file: str, kind: str, keywords: list[str], given: str = "") -> dict[str, Any]:
    return {"file": file, "node": kind, "keywords": keywords, "given": given}


def as_text() -> str:
    """Return the text of the file."""
    return json.dumps(forms(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FORMS.write_text(as_text(), encoding="utf-8")
