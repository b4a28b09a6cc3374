"""Settings from a YAML file, and from it together with the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml

from frostpick.errors import ConfigError
from frostpick.settings import Settings, resolve

S = TypeVar("S", bound=Settings)


class _OnceLoader(yaml.SafeLoader):
    """YAML's safe loader; a key twice in one mapping, of which the last would win, is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"{key.value!r} is there twice; expected it once",
                    problem_mark=key.start_mark,
                )
            if isinstance(key.value, str):
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_config(path: Path) -> dict[str, Any]:
    """Return the settings of a YAML file; their names and values are checked by ``resolve``.

    Raises
    ------
    ConfigError
        The file cannot be read, or is not a mapping of names to values.
    """
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), _OnceLoader)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        first = " ".join(str(error).split())
        raise ConfigError(f"{path}: not a YAML file: {first}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigError(
            f"{path}: holds a {type(found).__name__}; expected lines such as 'threshold: auto'"
        )
    return {str(name): value for name, value in found.items()}


def resolve_settings(kind: type[S], config: Path | None, values: dict[str, Any]) -> S:
    """Return settings of no task from a YAML file and the command line, which wins."""
    layers = [(str(config), read_config(config))] if config else []
    return resolve(kind, *layers, ("command line", values))
