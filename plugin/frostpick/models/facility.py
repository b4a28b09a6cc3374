"""A facility's own models: what lies in the folders of ``$FROSTPICK_MODELS``, by name.

``FOLDER/NAME/model.safetensors``, ``FOLDER/NAME.safetensors`` and the folder of a job that made a
model, ``FOLDER/NAME/model/model.safetensors``, are the model NAME. ``NAME-1``, ``NAME-2`` are
versions: NAME means the newest. A name that may mean two things is refused, never guessed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from frostpick.errors import ModelError
from frostpick.models import versions
from frostpick.models.cryomae.presets import PRESETS
from frostpick.models.model_file import WEIGHTS

ENVIRONMENT = "FROSTPICK_MODELS"
#: Folders in that of a job in which its model lies.
INNER = ("model", "pruner")
_SUFFIX = Path(WEIGHTS).suffix
#: Words that a setting has for no model, and what CryoSPARC calls jobs.
_TAKEN = re.compile(r"none|auto|(?:P\d+-)?J\d+")


class Found(NamedTuple):
    """A facility's model: its exact name, and its file or folder."""

    version: str
    place: Path


def folders() -> tuple[Path, ...]:
    """Return the folders that the environment names."""
    parts = os.environ.get(ENVIRONMENT, "").split(os.pathsep)
    return tuple(Path(part.strip()).absolute() for part in parts if part.strip())


def places() -> dict[str, list[Path]]:
    """Return exact name -> where models of that name lie, by name; one place, if all is well.

    Raises
    ------
    ModelError
        A folder cannot be read.
    """
    found: dict[str, list[Path]] = {}
    for folder in folders():
        try:
            children = sorted(folder.iterdir())
        except OSError as error:
            raise ModelError(
                f"{folder}, of {ENVIRONMENT}: cannot be read: {error.strerror or error}; mend that "
                "variable, or ask whoever looks after the facility's models"
            ) from error
        for child in children:
            place = _model_in(child)
            if place is not None and not child.name.startswith("."):
                name = child.name if child.is_dir() else child.name.removesuffix(_SUFFIX)
                found.setdefault(name, []).append(place)
    return dict(sorted(found.items(), key=lambda item: _ordered(item[0])))


def why_not(name: str, found: Mapping[str, Sequence[Path]]) -> str | None:
    """Return why an exact name of `places` cannot be used; None where it can.

    A shipped name must mean the same everywhere, and so must one of which there are two.
    """
    here = found[name]
    if is_reserved(name) or _TAKEN.fullmatch(name):
        return (
            f"{here[0]}: a model of the facility cannot be called {name}, which frostpick has "
            "for itself; rename it"
        )
    if len(here) > 1:
        return f"{here[0]} and {here[1]}: two models of the facility are called {name}; rename one"
    beside = _versions(name, found)
    if beside:
        return (
            f"{here[0]}: the model {name} is there beside its version {beside[-1]}; "
            f"give it a number too"
        )
    return None


def find(text: str) -> Found | None:
    """Return the facility's model that a text names, the newest version; None for other texts.

    Raises
    ------
    ModelError
        The name may mean two things, or a folder cannot be read.
    """
    if not text or os.sep in text or not folders():
        return None
    if is_reserved(text):
        _refuse_beside_shipped(text)
        return None
    found = places()
    of_name = _versions(text, found)
    if text not in found and not of_name:
        return None
    name = text if text in found else of_name[-1]
    wrong = why_not(name, found)
    if wrong is None and Path(text).exists():
        wrong = (
            f"{text} is a model of the facility, {found[name][0]}, and a file or folder here; give "
            f"./{text} for that, or the path of the facility's"
        )
    if wrong is not None:
        raise ModelError(wrong)
    return Found(name, found[name][0])


def version_now(text: str) -> str | None:
    """Return the exact name that a name means now, shipped or of the facility; None for others."""
    found = None if is_reserved(text) else find(text)
    return versions.version_of(text) if found is None else found.version


def names() -> tuple[str, ...]:
    """Return the exact names that can be used."""
    found = places()
    return tuple(name for name in found if why_not(name, found) is None)


def unknown_name(what: str, text: str, shipped: Sequence[str]) -> str:
    """Return the sentence on a text that is no file and no name, as `versions.unknown_name`."""
    told, ours = versions.unknown_name(what, text, shipped), names()
    return f"{told}; the facility has: {', '.join(ours)}" if ours else told


def is_reserved(text: str) -> bool:
    """Tell whether a text is a shipped name, or one that a later version may ship."""
    name, _, number = text.rpartition("-")
    ours = {*versions.VERSIONS, *(f"mae-{preset}" for preset in PRESETS)}
    return text in ours or (name in ours and number.isdecimal())


def newest(name: str, found: Mapping[str, object]) -> str | None:
    """Return the newest version of a name among exact ones; None where there is no version."""
    of_name = _versions(name, found)
    return of_name[-1] if of_name else None


def _refuse_beside_shipped(text: str) -> None:
    """Raise `ModelError` where a facility's model is called like a shipped one that was asked for.

    Folders that cannot be read do not keep anybody from a shipped model.
    """
    for name in filter(is_reserved, {text, text.rpartition("-")[0]}):
        for folder in folders():
            for child in (folder / name, folder / f"{name}{_SUFFIX}"):
                place = _model_in(child)
                if place is not None:
                    raise ModelError(why_not(name, {name: [place]}))


def _model_in(child: Path) -> Path | None:
    """Return the file or the folder of the model that an entry of a folder is; None for others."""
    try:
        if child.suffix == _SUFFIX and child.is_file():
            return child
        inside = (child, *(child / name for name in INNER))
        return next((one for one in inside if (one / WEIGHTS).is_file()), None)
    except OSError:
        return None


def _versions(name: str, found: Mapping[str, object]) -> list[str]:
    """Return the versions that there are of a name, the newest last."""
    numbered = [one.rpartition("-") for one in found]
    return sorted(
        (
            "-".join((base, number))
            for base, _, number in numbered
            if base == name and number.isdecimal()
        ),
        key=_ordered,
    )


def _ordered(name: str) -> tuple[str, int]:
    base, _, number = name.rpartition("-")
    return (base, int(number)) if base and number.isdecimal() else (name, -1)
