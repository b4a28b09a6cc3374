"""What a pruning result depends on besides its inputs: the sources that cut, fit and score."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import frostpick
from frostpick_jobs.tasks.prune import run as prune_task

SOURCES = (
    "images/*.py",
    "pruning/*.py",
    "picking/inference.py",
    "models/pruner/*.py",
    "training/pruner/*.py",
    "runtime/precision.py",
)


@cache
def pruning_version(*, tasks: bool = False) -> str:
    """Return 10 hexadecimal digits over those sources, and over those of whole jobs."""
    root = Path(frostpick.__file__).parent
    total = hashlib.sha256()
    for path in sorted(path for pattern in SOURCES for path in root.glob(pattern)):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    if tasks:
        for path in sorted(Path(prune_task.__file__).parent.glob("*.py")):
            total.update(path.name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:10]
