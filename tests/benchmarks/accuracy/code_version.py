"""What a result depends on besides its inputs: the sources that train and pick."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import frostpick

#: Parts of the engine that no figure of training or picking depends on.
ASIDE = ("report", "simulate", "pruning", "iterating", "pretraining", "fewshot.py")


@cache
def code_version(aside: tuple[str, ...] = ASIDE) -> str:
    """Return 10 hexadecimal digits over the engine's sources, without the parts ``aside``."""
    root = Path(frostpick.__file__).parent
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        part = path.relative_to(root)
        if part.parts[0] not in aside:
            total.update(part.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:10]
