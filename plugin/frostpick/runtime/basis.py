"""What a training depends on, kept beside its state: it goes on, begins anew, or is refused.

The key of a state says whether everything is as before. It cannot say what is not, nor whether
the training had come to its end; the note beside it does.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostpick.errors import ConfigError, Wording, first_of, option
from frostpick.runtime.atomic import write_text
from frostpick.runtime.checkpoint import FILE
from frostpick.settings import FewshotSettings, IterateSettings, names_of_today

log = logging.getLogger(__name__)

#: The note in the folder of a training.
NOTE = "training.json"
#: Most changed settings named in a message.
MOST_NAMED = 4


@dataclass(frozen=True)
class Basis:
    """All that the course of a training depends on, in parts that a user can tell apart.

    Parameters
    ----------
    key
        Digest of all of it.
    settings
        What the user asked for: JSON values by the names of the options.
    inputs
        Digests of what the user gave, by what they are called in a message: ``labels``,
        ``micrographs``, ...
    method
        Digest of the numbers of the method, which differ between versions of frostpick.
    """

    key: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    method: str


@dataclass(frozen=True)
class _Note:
    """What is kept; ``basis`` is None in a note of a version that kept the key alone."""

    key: str
    basis: Basis | None
    finished: bool


def has_state(folder: Path) -> bool:
    """Tell whether a training in a folder, or a part of it below, has a state."""
    return any(True for _ in folder.rglob(FILE))


def remove_states(folder: Path) -> None:
    """Throw the states away that `has_state` tells of."""
    for path in sorted(folder.rglob(FILE)):
        path.unlink(missing_ok=True)


def begin_training(
    folder: Path,
    basis: Basis,
    *,
    restart: bool = False,
    note: str = NOTE,
    has_work: Callable[[Path], bool] = has_state,
    throw_away: Callable[[Path], None] = remove_states,
) -> None:
    """Make a folder ready for a training; called when all its inputs are read.

    With the same basis nothing happens: the training goes on, or is done. Another one that was
    finished, or of which only the inputs have changed, makes way, and the log says why.

    Parameters
    ----------
    restart
        Throw away whatever is there.
    note
        Name of the file that keeps the basis.
    has_work
        Tells whether something would be lost.
    throw_away
        Removes it.

    Raises
    ------
    ConfigError
        An unfinished training with other settings is there, or the note is damaged.
    """
    before = None if restart else _read(folder / note)
    if before is not None and before.key == basis.key:
        return
    if not restart and has_work(folder):
        if before is None:
            return  # of a version without notes: whoever loads the state looks at its key
        _settle(folder, before, basis)
    throw_away(folder)
    _write(folder / note, basis, finished=False)


def finish_training(folder: Path, basis: Basis, *, note: str = NOTE) -> None:
    """Note that a training came to its end; nothing of it is lost by another one."""
    _write(folder / note, basis, finished=True)


def _settle(folder: Path, before: _Note, basis: Basis) -> None:
    """Say why another training makes way; `ConfigError` where it does not."""
    settings, inputs, method = _changes(before.basis, basis)
    if not before.finished:
        _refuse(folder, before.basis, basis, settings, method)
    names = [option(name) for name in settings]
    changed = [*inputs, *([f"the settings ({first_of(names, MOST_NAMED)})"] if names else [])]
    if method and not changed:
        changed = ["the version of frostpick"]
    verb = "ended" if before.finished else "was stopped"
    what = " and ".join([", ".join(changed[:-1]), changed[-1]] if len(changed) > 1 else changed)
    log.info(Wording(f"{what} changed since the training of this job {verb}: training anew"))


def _refuse(
    folder: Path, before: Basis | None, basis: Basis, settings: Sequence[str], method: bool
) -> None:
    """Raise `ConfigError` where an unfinished training differs in more than its inputs."""
    if before is None:
        raise ConfigError(
            f"{folder}: an unfinished training with other settings, labels or micrographs is "
            f"here; go back to those, or throw it away with {option('restart')}"
        )
    if settings:
        was, now = (
            first_of([_told(name, one.settings.get(name)) for name in settings], MOST_NAMED)
            for one in (before, basis)
        )
        raise ConfigError(
            f"{folder}: an unfinished training with other settings is here, {was} and not {now}; "
            f"give those again to go on with it, or throw it away with {option('restart')}"
        )
    if method:
        raise ConfigError(
            f"{folder}: an unfinished training of another version of frostpick is here; go on "
            f"with that version, or throw it away with {option('restart')}"
        )


def _changes(before: Basis | None, now: Basis) -> tuple[list[str], list[str], bool]:
    """Return the settings and the inputs that differ, and whether the method does."""
    if before is None:
        return [], ["labels, micrographs or settings"], False
    settings = _differing(before.settings, now.settings)
    inputs = [f"the {name}" for name in _differing(before.inputs, now.inputs)]
    return settings, inputs, before.method != now.method or not (settings or inputs)


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    names = dict.fromkeys([*now, *before])
    return [name for name in names if before.get(name) != now.get(name)]


def _told(name: str, value: object) -> str:
    """Return a setting with its value, as one would give it."""
    if value is None or value is False or value == "":
        return f"no {option(name)}"
    return option(name) if value is True else option(name, f"{value}")


def _read(path: Path) -> _Note | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        key, finished = str(values["key"]), bool(values.get("finished", False))
        if "settings" not in values:
            return _Note(key, None, finished)
        settings = names_of_today(dict(values["settings"]), IterateSettings, FewshotSettings)
        told = Basis(key, settings, dict(values["inputs"]), str(values["method"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path}: damaged ({error}); begin again with {option('restart')}"
        ) from error
    return _Note(key, told, finished)


def _write(path: Path, basis: Basis, *, finished: bool) -> None:
    values = {
        "key": basis.key,
        "finished": finished,
        "settings": dict(basis.settings),
        "inputs": dict(basis.inputs),
        "method": basis.method,
    }
    write_text(path, json.dumps(values, indent=2, sort_keys=True) + "\n")
