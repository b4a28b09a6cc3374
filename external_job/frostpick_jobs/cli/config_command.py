"""``frostpick config``: each setting of a task, its value, and where it is from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from frostpick.settings import RunSettings, about
from frostpick_jobs.cli.site_file import (
    ENVIRONMENT,
    environment_file,
    site_file,
    site_places,
    task_settings,
)
from frostpick_jobs.cli.typer_options import TaskCommand, Typed, task_command
from frostpick_jobs.tasks.declarations import TaskSpec

DEFAULT = "default"
Row = tuple[str, ...]


def config_app(tasks: Sequence[TaskSpec]) -> typer.Typer:
    """Return the commands: what the site's files set, and all settings of one task."""
    app = typer.Typer(
        help="Show each setting, and where it is from.\n\nThat is the site file, the "
        "environment's file, --config, the command line, or the default. With a task all that it "
        "has, without one what the files set.",
        invoke_without_command=True,
        rich_markup_mode=None,
    )

    def site(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            rows = [(task.name, *row) for task in tasks for row in _given(task)]
            _print(_files(None), [("task", "setting", "value", "from"), *rows] if rows else [])

    app.callback()(site)
    for task in tasks:
        command = task_command(replace(task, inputs=(), one_of=()), "folder", _shown(task))
        command.__doc__ = f"Show every setting of {task.name}, its value, and where it is from."
        app.command(task.name, cls=TaskCommand)(command)
    return app


def _shown(task: TaskSpec) -> Any:
    def act(given: Typed, values: dict[str, Any], config: Path | None) -> None:
        settings, origin = task_settings(task, config, values)
        rows = _rows(settings, origin, {str(config): f"--config {config}"})
        _print(_files(config), [("setting", "value", "from"), *rows])

    return act


def _given(task: TaskSpec) -> Iterator[Row]:
    """Yield the settings of a task that the site's files give."""
    settings, origin = task_settings(task, None, {})
    yield from (row for row in _rows(settings, origin, {}) if not row[-1].startswith(DEFAULT))


def _rows(settings: RunSettings, origin: dict[str, str], called: dict[str, str]) -> Iterator[Row]:
    values = settings.model_dump(mode="json")
    for name, info in type(settings).model_fields.items():
        if about(info).hidden and name not in origin:
            continue
        where = origin.get(name)
        unset = about(info).unset if values[name] in (None, "") else ""
        told = DEFAULT if where is None else called.get(where, where)
        yield name, _written(values[name]), f"{told}: {unset}" if unset else told


def _written(value: Any) -> str:
    """Return a value as one writes it in a YAML file; a dash for none."""
    if value in (None, ""):
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _files(config: Path | None) -> list[Row]:
    """Return which files are read, and where a facility's models are."""
    from frostpick.models.facility import ENVIRONMENT as MODELS

    places = " or ".join(map(str, site_places()))
    site, named = site_file(), environment_file()
    models = os.environ.get(MODELS, "").strip()
    return [
        ("site file:", str(site) if site else f"none, would be {places}"),
        ("environment file:", str(named) if named else f"none, {ENVIRONMENT} is not set"),
        ("--config:", str(config) if config else "none"),
        ("facility's models:", models or f"none, {MODELS} is not set"),
    ]


def _print(files: Sequence[Row], rows: Sequence[Row]) -> None:
    for table in (files, rows):
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        if table is rows and rows:
            print()
        for row in table:
            cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
            print("  ".join(cells).rstrip())
