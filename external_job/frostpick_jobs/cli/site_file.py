"""Settings of a whole site, in files that nobody types: for every task, on every host.

The first of `site_places` that is there is the site file; the file that ``$FROSTPICK_CONFIG``
names, of a group or a user, wins over it. Both have one form: settings for every task that has
one of that name, and below the name of a task settings for it alone::

    device: cuda
    pick:
      threshold: precision=0.9
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from frostpick.errors import ConfigError
from frostpick.settings import old_names, option_key, resolve_from, unknown_setting
from frostpick_jobs.cli.config_file import read_config
from frostpick_jobs.tasks.declarations import TASKS, TaskSpec

log = logging.getLogger(__name__)

#: What a group of settings is called in messages, and the settings.
Layer = tuple[str, Mapping[str, Any]]

ENVIRONMENT = "FROSTPICK_CONFIG"
NAME = "frostpick.yaml"
#: Settings that throw something away: one command's, never a site's.
NOT_FOR_ALL = ("restart", "overwrite", "renew_threshold")


def site_places() -> tuple[Path, ...]:
    """Return where a site file may lie: in the installation, so that each version has its own."""
    return Path(sys.prefix) / "etc" / NAME, Path("/etc") / NAME


def site_file() -> Path | None:
    """Return the site file; None where there is none."""
    for path in site_places():
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
        return path
    return None


def environment_file() -> Path | None:
    """Return the file that the environment names; None where it names none."""
    text = os.environ.get(ENVIRONMENT, "").strip()
    return Path(text) if text else None


def task_settings(
    task: TaskSpec,
    config: Path | None,
    values: Mapping[str, Any],
    *,
    given: Sequence[Layer] = (),
    last: str = "command line",
) -> tuple[Any, dict[str, str]]:
    """Return the settings of a task on any host, and where each that is given is from.

    Precedence, rising: defaults, the site file, the environment's file, what the host gives
    beside its options, the YAML file of this job, the command line.

    Parameters
    ----------
    config
        The YAML file of this job; None without one.
    values
        What was typed, by field name.
    given
        What the host gives beside that.
    last
        What the command line is called: RELION has parameter labels.

    Raises
    ------
    ConfigError
        A file cannot be read, a key is unknown or a value is wrong; the sentence has file and key.
    """
    own = [(str(config), read_config(config))] if config else []
    return resolve_from(task.settings, *site_layers(task), *given, *own, (last, values))


def site_layers(task: TaskSpec) -> list[Layer]:
    """Return what the files of a site say for a task, in rising precedence.

    Raises
    ------
    ConfigError
        A file cannot be read, no task has a setting of that name, or it is not for all.
    """
    layers: list[Layer] = []
    for called, path in (("site file", site_file()), ("environment file", environment_file())):
        if path is not None:
            where = f"{called} {path}"
            layers += [(where, part) for part in _parts(where, read_config(path), task) if part]
    return layers


def log_site(settings: Any, origin: Mapping[str, str]) -> None:
    """Say which settings of a job come from files of the site, which nobody has typed."""
    told: dict[str, list[str]] = {}
    for name, where in origin.items():
        if where.startswith(("site file ", "environment file ")):
            told.setdefault(where, []).append(f"{name} = {getattr(settings, name)}")
    for where, values in told.items():
        log.info("%s: %s", where, ", ".join(values))


def _parts(where: str, found: Mapping[str, Any], task: TaskSpec) -> Iterator[dict[str, Any]]:
    """Yield the settings of a file for all tasks, as far as this one has them, and for it alone."""
    sections = {one.name: one for one in TASKS}
    today = {name for one in TASKS for name in one.settings.model_fields}
    known = {name for one in TASKS for name in _names(one)}
    fits = {name for name in _names(task) if name in task.settings.model_fields}
    fits |= _names(task) - today  # a name of before, which no other task has today
    for_all: dict[str, Any] = {}
    alone: dict[str, Any] = {}
    for key, value in found.items():
        name = option_key(key)
        if name in sections:
            section = _section(where, name, value, _names(sections[name]))
            alone = section if name == task.name else alone
            continue
        _check(where, name, known | set(sections))
        if name in fits:
            for_all[name] = value
    yield for_all
    yield alone


def _names(task: TaskSpec) -> set[str]:
    return {*task.settings.model_fields, *old_names(task.settings)}


def _section(where: str, task: str, value: Any, known: set[str]) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{where}: {task} = {value!r}: expected settings of that task, each on an indented line"
        )
    section = {option_key(str(key)): one for key, one in value.items()}
    for name in section:
        _check(f"{where}: {task}", name, known)
    return section


def _check(where: str, name: str, known: set[str]) -> None:
    if name not in known:
        raise unknown_setting(where, name, known)
    if name in NOT_FOR_ALL:
        raise ConfigError(f"{where}: {name} is for one command, not for all; leave it away here")
