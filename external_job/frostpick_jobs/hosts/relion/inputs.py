"""The files that RELION names in a job's input fields and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from os.path import isfile
from pathlib import Path

from frostpick.errors import InputError, NoInputError, option
from frostpick.types import LocalFile, Micrograph
from frostpick_jobs.formats import read_micrographs_star
from frostpick_jobs.formats.walk import in_project
from frostpick_jobs.hosts.relion.arguments import JobArguments
from frostpick_jobs.hosts.relion.paths import check_tails
from frostpick_jobs.tasks.declarations import InputKind, TaskSpec, is_rest

#: Input fields of the External job that serve a kind; of other kinds a label names the file.
FIELDS = {
    InputKind.MICROGRAPHS: ("in_mics",),
    InputKind.LABELS: ("in_coords", "in_parts"),
    InputKind.EXEMPLARS: ("in_coords", "in_parts"),
    InputKind.PICKS: ("in_coords",),
    InputKind.PARTICLES: ("in_parts",),
}


def given_inputs(arguments: JobArguments, task: TaskSpec) -> Mapping[str, Sequence[str]]:
    """Return what the fields and labels of a job hold, by the names of the task's inputs."""
    found: dict[str, tuple[str, ...]] = {}
    for one in task.inputs:
        texts: list[str | None] = [getattr(arguments, field) for field in FIELDS.get(one.kind, ())]
        if one.kind not in FIELDS:
            texts = [arguments.files.get(one.name)]
        found[one.name] = tuple(text for text in texts if text is not None)
    return found


def check_files(
    arguments: JobArguments, task: TaskSpec, inputs: Mapping[str, Sequence[str]]
) -> None:
    """Check that the files of all fields that were filled in, and of all labels, exist.

    Raises
    ------
    InputError
        Naming the field or label.
    """
    named = {
        option("micrographs"): arguments.in_mics,
        option("picks"): arguments.in_coords,
        option("particles"): arguments.in_parts,
    }
    for one in task.inputs:
        if one.kind not in FIELDS and inputs[one.name] and not is_rest(inputs, one.name):
            named[option(one.mark)] = inputs[one.name][0]
    for told, name in named.items():
        if name is not None and not isfile(name):
            raise InputError(f"{name}: no such file ({told}); run the job that writes it first")


def read_micrographs(in_mics: str) -> list[Micrograph]:
    """Return the micrographs of a STAR file, in its order.

    The id is the text of ``rlnMicrographName``; the file lies below the project
    folder, which is the working folder, and links stay as they are. A file that is
    missing is found out when it is read, and costs that micrograph alone.

    Raises
    ------
    InputError
        Not a micrographs STAR file, none in it, one named twice, or names
        that RELION cannot keep apart.
    """
    project = Path.cwd()
    rows = read_micrographs_star(Path(in_mics))
    if not rows:
        raise NoInputError(f"{in_mics}: no micrographs in it; expected at least one row")
    names = [row.name for row in rows]
    places = [in_project(name) for name in names]
    twice = [place for place, count in Counter(places).items() if count > 1]
    if twice:
        rows_of = [str(row) for row, place in enumerate(places, 1) if place == twice[0]]
        raise InputError(
            f"{in_mics}: micrograph {twice[0]!r} is in it more than once, in rows "
            f"{rows_of[0]} and {rows_of[1]}; leave one of them out"
        )
    check_tails(names)
    return [
        Micrograph(row.name, LocalFile(project / place), row.pixel_size_A, group=row.group)
        for row, place in zip(rows, places, strict=True)
    ]
