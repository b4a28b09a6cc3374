"""Keeps passwords, tokens, licences and e-mail addresses out of what others will read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

HIDDEN = "***"

#: Words in the name of a variable, field or option whose value is a secret.
_NAMES = r"(?:password|passwd|passphrase|token|secret|api[_-]?key|licen[cs]e[_-]?id|e-?mail)"
_SECRET_NAME = re.compile(rf"(?i)(?:^|[_\W]){_NAMES}s?(?:$|[_\W])")
_VALUE = r"""(?:"[^"\n]*"|'[^'\n]*'|[^\s,;})\]"']+)"""
#: A value shorter than this stands in too many words to be looked for.
_SHORTEST = 4
_PATTERNS = (
    # user:password@ of an address
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {HIDDEN}"),
    # NAME=value, name: value, "name": "value"; --name value
    (re.compile(rf"""(?i)(\b[\w-]*{_NAMES}["']?\s*[=:]\s*){_VALUE}"""), rf"\1{HIDDEN}"),
    (re.compile(rf"(?i)(--[\w-]*{_NAMES}\s+){_VALUE}"), rf"\1{HIDDEN}"),
    # JSON web tokens, and the form of a CryoSPARC licence
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), HIDDEN),
    (re.compile(r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), HIDDEN),
    # e-mail addresses; 000001@stack.mrcs is an image of a stack
    (re.compile(r"(?<![\w.%+-])(?!\d+@)[\w.%+-]+@[\w-]+(?:\.[\w-]+)+"), HIDDEN),
)


def without_secrets(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return a text with ``***`` in place of everything that looks like a secret.

    Hidden are the values of variables such as ``CRYOSPARC_PASSWORD``, what stands behind a name
    like ``token=``, what stands before the ``@`` of an address, CryoSPARC's licences, and e-mail
    addresses.

    Parameters
    ----------
    environ
        Variables whose values are looked for, by their names.
    """
    for name, value in environ.items():
        if len(value) >= _SHORTEST and _SECRET_NAME.search(name):
            text = text.replace(value, HIDDEN)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def hide_secrets(value: Any, environ: Mapping[str, str] = os.environ) -> Any:
    """Return JSON values without secrets, those behind a secret's name included."""
    if isinstance(value, str):
        return without_secrets(value, environ)
    if isinstance(value, Mapping):
        return {
            without_secrets(str(name), environ): HIDDEN
            if one is not None and _SECRET_NAME.search(str(name))
            else hide_secrets(one, environ)
            for name, one in value.items()
        }
    if isinstance(value, Sequence):
        return [hide_secrets(one, environ) for one in value]
    return value
