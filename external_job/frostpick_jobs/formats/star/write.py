"""Write STAR files as RELION writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from frostpick.errors import InputError
from frostpick.runtime.atomic import atomic_write
from frostpick_jobs.formats.star.read import StarTable

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f]")
_MUST_QUOTE = re.compile(r"""^$|^["'#_;$]|^(data_|loop_|save_|stop_|global_)|[ \t]""")
TEXT = {"encoding": "utf-8", "errors": "surrogateescape", "newline": "\n"}


def star_value(value: Any) -> str:
    """Return a value as STAR text: numbers with six decimals, names quoted where needed.

    Raises
    ------
    InputError
        The text cannot be written in one STAR value (a line break or other
        control character, or both kinds of quotes).
    """
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.6f}"
    text = str(value)
    if _CONTROL.search(text):
        raise InputError(f"{text!r} has a line break and cannot be written to a STAR file")
    if not _MUST_QUOTE.search(text):
        return text
    for quote in ('"', "'"):
        if not re.search(quote + r"[ \t]", text):
            return f"{quote}{text}{quote}"
    raise InputError(f"{text!r} has both kinds of quotes and cannot be written to a STAR file")


def star_header(name: str, labels: Sequence[str], version: int | None = 30001) -> str:
    """Return the lines of a block up to its first row.

    ``version`` goes into the comment that RELION writes: 30001 in 3.1 and 4, 50001 in 5.
    """
    lines = ["", f"# version {version}", "", f"data_{name}", "", "loop_"]
    lines = lines if version is not None else ["", f"data_{name}", "", "loop_"]
    return "\n".join([*lines, *(f"_{label} #{n}" for n, label in enumerate(labels, 1)), ""])


def write_star_blocks(path: Path, tables: Sequence[StarTable], version: int | None = 30001) -> None:
    """Write blocks atomically; see `star_value` for the text of the values.

    Raises
    ------
    ValueError
        Columns of one block differ in length.
    """
    with atomic_write(path, "w", **TEXT) as handle:
        for table in tables:
            if table.loop:
                handle.write(star_header(table.name, list(table.columns), version))
                for row in zip(*table.columns.values(), strict=True):
                    handle.write(" ".join(map(star_value, row)) + "\n")
                handle.write("\n")
            else:
                comment = "" if version is None else f"\n# version {version}\n"
                handle.write(f"{comment}\ndata_{table.name}\n\n")
                for label, values in table.columns.items():
                    (value,) = values
                    handle.write(f"_{label} {star_value(value)}\n")
                handle.write("\n")
