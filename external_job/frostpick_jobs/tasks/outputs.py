"""What a job is going to write, checked before its work: nothing that is not its own is lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from frostpick.models.model_file import CARD, WEIGHTS
from frostpick.settings import RunSettings, about
from frostpick.settings.model_ref import model_ref
from frostpick_jobs.formats.pick_files import named_pick_files
from frostpick_jobs.formats.walk import Unreadable, at_home, matching
from frostpick_jobs.job.host import Host
from frostpick_jobs.tasks.declarations import InputKind, TaskSpec


def check_outputs(host: Host, task: TaskSpec, settings: RunSettings | None = None) -> None:
    """Refuse a job that would write over an input, or over files that are not its own.

    Raises
    ------
    InputError
        Naming the file.
    """
    host.own_files.check(
        host.will_write(task),
        input_files(host, task, settings),
        overwrite=settings is not None and settings.overwrite,
    )


def input_files(host: Host, task: TaskSpec, settings: RunSettings | None) -> Iterator[Path]:
    """Yield the files that a job's inputs and settings name, as far as they are files here.

    A folder of micrographs is left away: no output is an image.
    """
    for one in task.inputs:
        for given in map(str, host.inputs.get(one.name, ())):
            yield from _files(given, images=one.kind is InputKind.MICROGRAPHS)
    for name, info in () if settings is None else type(settings).model_fields.items():
        value = getattr(settings, name)
        named = about(info).path is not None or model_ref(info) is not None
        if named and value is not None:
            place = Path(at_home(str(value)))
            yield from (place, place / WEIGHTS, place / CARD)


def _files(given: str, *, images: bool) -> Iterator[Path]:
    unheard = Unreadable()  # what cannot be read, the readers tell
    if not images:
        yield from named_pick_files(given, unheard)
    elif os.path.isfile(at_home(given)):
        yield Path(at_home(given))
    else:
        yield from matching(at_home(given), unheard)
