"""A named variant of the recipe: which numbers differ from the default."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from frostpick.settings import TrainSettings
from frostpick.training.picker.recipe import Recipe

DEFAULT = "default"
#: Settings of a user that a variant may change, beside all fields of `Recipe`.
SETTINGS = ("objective", "network", "start_model", "expected_per_micrograph")


@dataclass(frozen=True)
class Variant:
    """Changes to recipe and settings, by field.

    ``augmentation.x`` and ``tuning_augmentation.x`` are fields of those.

    Raises
    ------
    SystemExit
        From `parse`: a field is unknown, or its value is not of the field's type.
    """

    name: str
    changes: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """8 hexadecimal digits over the changes."""
        text = json.dumps(dict(sorted(self.changes.items())))
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def recipe(self) -> Recipe:
        """Return the recipe with the changes."""
        recipe = Recipe()
        own = {k: v for k, v in self.changes.items() if k not in SETTINGS}
        for key, value in own.items():
            whole, dot, part = key.partition(".")
            if dot:
                value = replace(getattr(recipe, whole), **{part: value})
            recipe = replace(recipe, **{whole: value})
        return recipe

    def settings(self, start: str, **told: Any) -> TrainSettings:
        """Return the settings with the changes, beginning from ``start`` where none is named."""
        own = {k: v for k, v in self.changes.items() if k in SETTINGS}
        return TrainSettings.model_validate({"start_model": start, **told, **own})


def known_fields() -> dict[str, Any]:
    """Return every field a variant may change, with its present value."""
    recipe = Recipe()
    found: dict[str, Any] = {}
    for f in fields(recipe):
        value = getattr(recipe, f.name)
        if dataclasses.is_dataclass(value):
            found |= {
                f"{f.name}.{inner.name}": getattr(value, inner.name) for inner in fields(value)
            }
        else:
            found[f.name] = value
    settings = TrainSettings()
    return {**found, **{name: getattr(settings, name) for name in SETTINGS}}


def parse(text: str) -> Variant:
    """Read ``NAME:field=value,field=value``."""
    name, _, rest = text.partition(":")
    known = known_fields()
    changes: dict[str, Any] = {}
    for word in filter(None, rest.split(",")):
        key, equals, value = word.partition("=")
        if not equals or key not in known:
            raise SystemExit(f"--variant {text}: {word!r}; known fields: {', '.join(known)}")
        changes[key] = _like(known[key], value, text)
    return Variant(name, changes)


def _like(present: Any, value: str, text: str) -> Any:
    """Return the value in the type of the present one."""
    if isinstance(present, str):
        return value
    try:
        found = json.loads(value)
    except json.JSONDecodeError:
        raise SystemExit(f"--variant {text}: {value!r}, expected as {present!r}") from None
    if isinstance(present, tuple):
        return tuple(found) if isinstance(found, list) else found
    if isinstance(present, int) and not isinstance(found, int):
        raise SystemExit(f"--variant {text}: {value!r}, expected a whole number")
    return found
