"""The one function that resolves settings from defaults, files, labels and the command line."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from frostpick.errors import ConfigError, listed
from frostpick.settings.base import Settings
from frostpick.settings.renamed import both_names, old_names, renamed, told_of_setting

log = logging.getLogger(__name__)

S = TypeVar("S", bound=Settings)


def option_key(name: str) -> str:
    """Return the field name of an option, parameter label or YAML key (``-`` is ``_``)."""
    return name.replace("-", "_")


def resolve(kind: type[S], *layers: tuple[str, Mapping[str, Any]]) -> S:
    """Resolve settings from layers, the later ones winning; as `resolve_from`, the settings."""
    return resolve_from(kind, *layers)[0]


def resolve_from(kind: type[S], *layers: tuple[str, Mapping[str, Any]]) -> tuple[S, dict[str, str]]:
    """Resolve settings from layers, the later ones winning; return them and where each is from.

    Parameters
    ----------
    kind
        `TrainSettings`, `PickSettings`, ...
    layers
        ``(where, values)`` in rising precedence, e.g. ``("model card", {...})``,
        ``("job.yaml", {...})``, ``("command line", {...})``. None means not given.

    Returns
    -------
    settings, origin
        ``origin`` has the layer of every setting that one of them gives, by its name of today.

    Raises
    ------
    ConfigError
        A key is unknown or a value is wrong; the sentence names the layer.
    """
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    known = set(kind.model_fields)
    for where, given in layers:
        for name, value in _of_today(kind, where, given).items():
            if name not in known:
                raise unknown_setting(where, name, known)
            if value is not None:
                values[name] = value
                origin[name] = where
    try:
        return kind.model_validate(values), origin
    except ValidationError as error:
        first = error.errors()[0]
        key = option_key(str(first["loc"][0])) if first["loc"] else "?"
        message = first["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
        raise ConfigError(
            f"{origin.get(key, 'settings')}: {key} = {values.get(key)!r}: {message}"
        ) from error


def unknown_setting(where: str, name: str, known: Collection[str]) -> ConfigError:
    """Return the error on a key that is no setting, with the nearest one of ``known``."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known are: {listed(sorted(known))}"
    return ConfigError(f"{where}: unknown setting {name!r}; {hint}")


def _of_today(kind: type[Settings], where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer with the names of today; `ConfigError` where a setting has both its names."""
    layer = {option_key(str(name)): value for name, value in given.items()}
    for old, new in old_names(kind).items():
        if layer.get(old) is None:
            layer.pop(old, None)
            continue
        if layer.get(new) is not None:
            raise ConfigError(f"{where}: {both_names(old, new)}")
        layer = renamed(kind, old, layer)
        log.warning("%s: %s", where, told_of_setting(kind, old))
    return layer
