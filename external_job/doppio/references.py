"""What to cite, in the fields that the pipeliner's reports have, from frostpick's BibTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from frostpick.citations import bibtex

_ENTRY = re.compile(r"^@(\w+)\{[^,]+,\n(.*?)^\}", re.MULTILINE | re.DOTALL)
#: A field, whose value may hold one level of braces.
_FIELD = re.compile(r"(\w+) = \{((?:[^{}]|\{[^{}]*\})*)\}")
_COPIED = ("journal", "year", "volume", "doi")


def references_of(citations: Iterable[str]) -> list[dict[str, Any]]:
    """Return the papers that some citations name, each once; frostpick itself is none."""
    entries = _ENTRY.findall(bibtex(*citations))
    return [_reference(dict(_FIELD.findall(text))) for kind, text in entries if kind != "software"]


def _reference(fields: dict[str, str]) -> dict[str, Any]:
    told = {name: " ".join(re.sub("[{}]", "", text).split()) for name, text in fields.items()}
    found: dict[str, Any] = {
        "authors": [_short(one) for one in told["author"].split(" and ")],
        "title": told["title"],
        **{name: told[name] for name in _COPIED if name in told},
    }
    if "eprint" in told:  # not in a journal; the pipeliner asks for one
        found |= {"journal": told["archiveprefix"], "pages": told["eprint"]}
    elif "pages" in told:
        found["pages"] = told["pages"].replace("--", "-")
    return found


def _short(author: str) -> str:
    """Return ``Noble AJ`` for ``Noble, Alex J.``."""
    family, _, given = author.partition(", ")
    return f"{family} {''.join(word[0] for word in given.split())}".strip()
