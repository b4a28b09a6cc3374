"""What a person wrote beside the picks: yes, no or nothing, in a table of whatever program."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from frostpick.errors import InputError

#: The table's columns. ``junk`` may stay empty: it is for picks that are no particle.
COLUMNS = ("number", "micrograph", "x_px", "y_px", "picture", "particle", "junk")
_YES = frozenset(("yes", "y", "1", "1.0", "true", "t"))
_NO = frozenset(("no", "n", "0", "0.0", "false", "f"))


def read_answers(path: Path, numbers: frozenset[int]) -> dict[int, tuple[float, float]]:
    """Return the answers of a table by the picks' numbers, in any order of its lines.

    Spreadsheet programs may have put semicolons or tabs for commas.

    Parameters
    ----------
    numbers
        Of the picks that the table was made with; one that it lacks now is not judged.

    Returns
    -------
    dict
        Number -> ``particle`` and ``junk``: 1 yes, 0 no, NaN where nothing is written.

    Raises
    ------
    InputError
        The file is gone or no such table; or a line has another answer, a number that is none
        of the picks, or one that stands twice with two answers.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = "no longer there" if isinstance(error, FileNotFoundError) else f"unreadable ({error})"
        raise InputError(f"{path}: {why}; it held the answers of the audit") from error
    lines = text.splitlines()
    head = lines[0] if lines else ""
    between = max(",;\t", key=head.count)
    found: dict[int, tuple[float, float]] = {}
    rows = csv.DictReader(lines, delimiter=between)
    names = {str(name).strip().lower(): name for name in rows.fieldnames or ()}
    if not {"number", "particle"} <= names.keys():
        raise InputError(
            f"{path}: the first line is {head[:60]!r}; expected the columns {', '.join(COLUMNS)}"
        )
    for row in rows:
        where = f"{path}, line {rows.line_num}"
        number = _number(row.get(names["number"]), where, numbers)
        if number is None:
            continue
        told = _answer(row.get(names["particle"]), "particle", where)
        junk = _answer(row.get(names.get("junk", "")), "junk", where)
        before = found.get(number, (math.nan, math.nan))
        if not (math.isnan(before[0]) or math.isnan(told) or before[0] == told):
            raise InputError(f"{where}: pick {number} stands twice, with two answers; keep one")
        found[number] = (before[0] if math.isnan(told) else told, junk)
    return found


def _number(text: object, where: str, numbers: frozenset[int]) -> int | None:
    """Return the number of a line, None of an empty one."""
    written = str(text or "").strip()
    if not written:
        return None
    try:
        value = float(written)
        number = int(value) if value.is_integer() else -1
    except ValueError:
        number = -1
    if number not in numbers:
        raise InputError(
            f"{where}: the number is {written!r}; expected one of 1 to {max(numbers)} as drawn"
        )
    return number


def _answer(text: object, column: str, where: str) -> float:
    written = str(text or "").strip().lower()
    if not written:
        return math.nan
    if written in _YES or written in _NO:
        return float(written in _YES)
    raise InputError(f"{where}: {column} is {str(text)!r}; expected yes, no, or nothing")
