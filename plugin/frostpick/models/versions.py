"""Names and versions of the models that come with frostpick, and where their weights lie.

A version never changes. New weights are a folder ``weights/NAME-N`` and its name at the end
of the row in `VERSIONS`; the name alone means the last one from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

#: One folder a version, called as it is.
WEIGHTS = Path(__file__).parent / "weights"
#: Name -> its versions, the newest last. ``blob`` is a fixed filter, without weights.
VERSIONS: Mapping[str, tuple[str, ...]] = {
    "general": ("general-1", "general-2"),
    "blob": ("blob",),
    "pruner": ("pruner-1",),
    "mae-tiny": ("mae-tiny-1",),
}


def version_of(text: str, names: Iterable[str] | None = None) -> str | None:
    """Return the version that a shipped name means: of ``general`` the newest, of itself itself.

    None for any other text, and for what is shipped under none of ``names``; without them, at all.
    """
    known = VERSIONS if names is None else names
    rows = {name: VERSIONS[name] for name in known if name in VERSIONS}
    if text in rows:
        return rows[text][-1]
    return text if any(text in row for row in rows.values()) else None


def unknown_name(what: str, text: str, names: Sequence[str]) -> str:
    """Return the sentence on a text that is no shipped name and no file.

    Parameters
    ----------
    what
        ``picking model``, ``pruner`` and the like.
    names
        The shipped names that would have done.
    """
    if version_of(text) is not None:
        return f"{text} is no {what}; those that come with frostpick are: {', '.join(names)}"
    name, _, number = text.rpartition("-")
    if name in names and number.isdecimal():
        return (
            f"no {text} comes with this version of frostpick, and no file or folder is called so; "
            f"versions of {name} are: {', '.join(VERSIONS[name])}"
        )
    exact = ", ".join(one for name in names for one in VERSIONS[name] if one != name)
    if len(names) == 1:
        shipped = f"the shipped one, which is called {names[0]!r}"
    else:
        shipped = f"a shipped model; shipped are: {', '.join(names)}"
    return f"{what} {text!r} is neither a file, a folder nor {shipped} (exact versions: {exact})"
