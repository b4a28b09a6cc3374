"""Small tables that a notebook shows in place of an object."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape


def html_table(title: str, rows: Mapping[str, object]) -> str:
    """Return a heading and a table of names and values; rows whose value is None are left out.

    All text is escaped: names of files are users'.
    """
    lines = [
        f"<tr><th style='text-align: left'>{escape(name)}</th>"
        f"<td style='text-align: left'>{escape(str(value))}</td></tr>"
        for name, value in rows.items()
        if value is not None
    ]
    return f"<b>{escape(title)}</b><table>{''.join(lines)}</table>"
