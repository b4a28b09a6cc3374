"""One truth in every spelling that programs give it: STAR, and tables of text.

The styles are what RELION, crYOLO, Topaz, pyem, starfile, cisTEM, pandas and spreadsheets write,
as their code or their files show it.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import Any

#: Columns that programs write beside those that we read: label and the value of every row.
OTHERS = {"rlnCtfMaxResolution": "3.906250", "ucsfUid": "00017", "cisTEMScore": "<NA>"}
NUMBERS = PLAIN, FIXED, POWER, SIGNED, POINT = "plain", "1.000000", "1e0", "+1", "1."


@dataclass(frozen=True)
class StarStyle:
    """How a program writes STAR; the defaults are RELION's.

    Parameters
    ----------
    end
        Of a line.
    mark
        Byte-order mark.
    numbered
        Whether ``#1`` stands behind a label.
    blank
        Between values; ``pad`` is put before and behind each row.
    quote
        Around names; those with blanks have one always.
    number
        How numbers are spelled, one of `PLAIN` to `POINT`.
    turned
        Labels in the opposite order.
    others
        Columns that nobody asked for, before ours.
    comments, gaps
        A comment behind each row; blank lines in between.
    optics_last
        The optics groups behind the rows.
    pairs
        Tables of one row as labels and values.
    block
        Name of the table of rows.
    """

    end: str = "\n"
    mark: bool = False
    numbered: bool = True
    blank: str = " "
    pad: str = ""
    indent: str = ""
    quote: str = ""
    number: str = PLAIN
    turned: bool = False
    others: bool = False
    comments: bool = False
    gaps: bool = False
    airy: bool = True
    optics_last: bool = False
    pairs: bool = False
    block: str = ""
    last_end: bool = True


@dataclass
class Rows:
    """A table: values by label, text as it is and numbers as floats; ``named`` has the names."""

    columns: dict[str, list[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def number(value: float, how: str) -> str:
    """Spell a number of at most two decimals."""
    if how == FIXED:
        return f"{value:.6f}"
    if how == POWER:
        return f"{value:.12e}"
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    if how == SIGNED:
        return text if text.startswith("-") else f"+{text}"
    return f"{text}." if how == POINT and "." not in text else text


def star(tables: list[tuple[str, Rows]], style: StarStyle) -> bytes:
    """Return a STAR file of blocks and their rows."""
    lines = [] if style.mark else [""]
    for block, rows in tables[::-1] if style.optics_last else tables:
        lines += _block(block, rows, style)
    text = style.end.join(style.indent + line if line else line for line in lines)
    if not style.last_end:
        text = text.rstrip()
    return (b"\xef\xbb\xbf" if style.mark else b"") + text.encode()


def _block(block: str, rows: Rows, style: StarStyle) -> list[str]:
    columns = dict(rows.columns)
    if style.others and block != "optics":
        columns = {label: [value] * len(rows) for label, value in OTHERS.items()} | columns
    if style.turned:
        columns = dict(reversed(columns.items()))
    air = [""] if style.airy else []
    head = [*(["# version 30001", ""] if style.airy else []), f"data_{block}", *air]
    text = {
        label: [_value(value, style, label) for value in values]
        for label, values in columns.items()
    }
    if style.pairs and len(rows) == 1:
        note = " # by hand" if style.comments else ""
        return [*head, *(f"_{k}{style.blank}{v[0]}{note}" for k, v in text.items()), *air, ""]
    labels = [f"_{k} #{n} " if style.numbered else f"_{k}" for n, k in enumerate(text, 1)]
    body = []
    for n, values in enumerate(zip(*text.values(), strict=True)):
        note = f" # row {n}" if style.comments else ""
        body += [style.pad + style.blank.join(values) + style.pad + note, *([""] * style.gaps)]
    return [*head, "loop_", *labels, *body, *air, ""]


def _value(value: Any, style: StarStyle, label: str) -> str:
    if not isinstance(value, str):
        return number(value, style.number)
    if label.endswith("Name") and (style.quote or " " in value or not value):
        quote = style.quote or '"'
        return f"{quote}{value}{quote}"
    return value


@dataclass(frozen=True)
class TableStyle:
    """How a program writes a table of text with a header; the defaults are our own."""

    delimiter: str = ","
    end: str = "\n"
    mark: bool = False
    names: tuple[str, str, str, str] = ("micrograph", "x_px", "y_px", "score")
    number: str = PLAIN
    turned: bool = False
    others: bool = False
    quoted: bool = False
    index: bool = False
    comment: bool = False
    gap: bool = False


def table(rows: Rows, style: TableStyle) -> bytes:
    """Return a table of micrograph, x, y and score."""
    names = dict(zip(("name", "x", "y", "score"), style.names, strict=True))
    columns = {names[key]: values for key, values in rows.columns.items()}
    if style.others:
        columns = {"z_note": ["a b"] * len(rows), **columns, "diameter": [120.0] * len(rows)}
    if style.turned:
        columns = dict(reversed(columns.items()))
    if style.index:
        columns = {"": [float(n) for n in range(len(rows))], **columns}
    out = io.StringIO()
    quoting = csv.QUOTE_ALL if style.quoted else csv.QUOTE_MINIMAL
    write = csv.writer(out, delimiter=style.delimiter, lineterminator=style.end, quoting=quoting)
    out.write(f"# picked by hand{style.end}" if style.comment else "")
    write.writerow(columns)
    for values in zip(*columns.values(), strict=True):
        write.writerow([v if isinstance(v, str) else number(v, style.number) for v in values])
        out.write(style.end if style.gap else "")
    return (b"\xef\xbb\xbf" if style.mark else b"") + out.getvalue().encode()


#: Who writes STAR so, and how.
STAR_STYLES = {
    "relion 3.1 to 5": StarStyle(blank="     "),
    "relion 3.1 to 5, six decimals": StarStyle(number=FIXED, pad=" "),
    "pyem": StarStyle(number=FIXED, optics_last=False),
    "pyem, no optics behind": StarStyle(block="images", number=FIXED),
    "starfile": StarStyle(blank="\t", number=FIXED, others=True),
    "starfile 0.4, no numbers": StarStyle(numbered=False, blank="\t", airy=False),
    "topaz": StarStyle(block="images", blank="\t", airy=False),
    "crYOLO": StarStyle(blank="\t", number=POINT, numbered=True),
    "cisTEM": StarStyle(quote="'", numbered=False, comments=True),
    "gautomatch, eman2": StarStyle(block="", pad="  ", number=FIXED),
    "single quotes": StarStyle(quote="'"),
    "double quotes": StarStyle(quote='"'),
    "windows": StarStyle(end="\r\n", mark=True),
    "old mac": StarStyle(end="\r"),
    "byte-order mark": StarStyle(mark=True),
    "indented": StarStyle(indent="    "),
    "labels in another order": StarStyle(turned=True),
    "optics behind": StarStyle(optics_last=True),
    "other columns": StarStyle(others=True),
    "comments": StarStyle(comments=True),
    "blank lines": StarStyle(gaps=True),
    "no end of the last line": StarStyle(last_end=False),
    "powers of ten": StarStyle(number=POWER),
    "signs": StarStyle(number=SIGNED),
    "a block of any name": StarStyle(block="my.table_7"),
    "pairs": StarStyle(pairs=True),
    "pairs, windows": StarStyle(pairs=True, end="\r\n", comments=True),
}
#: Who writes tables with a header so.
TABLE_STYLES = {
    "ours": TableStyle(),
    "topaz": TableStyle("\t", names=("image_name", "x_coord", "y_coord", "score")),
    "pandas": TableStyle(index=True, number=FIXED),
    "excel": TableStyle(";", "\r\n", mark=True),
    "excel, one language on": TableStyle(";", "\r\n", mark=True, quoted=True, others=True),
    "R": TableStyle(quoted=True),
    "old mac": TableStyle(end="\r"),
    "relion's labels": TableStyle(
        names=("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit")
    ),
    "x and y": TableStyle(names=("micrograph_name", "x", "y", "score"), turned=True),
    "comment above": TableStyle(comment=True, others=True),
    "blank lines": TableStyle(gap=True),
    "powers of ten": TableStyle(number=POWER),
    "signs": TableStyle(number=SIGNED),
}
