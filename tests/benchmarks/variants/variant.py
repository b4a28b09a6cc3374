"""A named variant of the recipe: which numbers differ from the default."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from frostpick.config import TrainSettings
from frostpick.training.recipe import Recipe

DEFAULT = "default"
#: Settings of a user that a variant may change, beside all fields of `Recipe`.
SETTINGS = ("objective", "network", "start_from", "expected_per_micrograph")


@dataclass(frozen=True)
class Variant:
    """Changes to recipe and settings, by field; ``augmentation.x`` is a field of that.

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
        inner = {k.partition(".")[2]: v for k, v in own.items() if "." in k}
        outer = {k: v for k, v in own.items() if "." not in k}
        augmentation = replace(recipe.augmentation, **inner)
        return replace(recipe, **outer, augmentation=augmentation)

    def settings(self, start: str, **told: Any) -> TrainSettings:
        """Return the settings with the changes, beginning from ``start`` where none is named."""
        own = {k: v for k, v in self.changes.items() if k in SETTINGS}
        return TrainSettings.model_validate({"start_from": start, **told, **own})


def known_fields() -> dict[str, Any]:
    """Return every field a variant may change, with its present value."""
    recipe = Recipe()
    found = {f.name: getattr(recipe, f.name) for f in fields(recipe) if f.name != "augmentation"}
    for f in dataclasses.fields(recipe.augmentation):
        found[f"augmentation.{f.name}"] = getattr(recipe.augmentation, f.name)
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
