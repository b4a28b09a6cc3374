"""The report of a job: one HTML page that needs nothing but itself."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template

from frostpick._version import __version__
from frostpick.report.encode import LEVELS, Encoded, encode
from frostpick.report.figure import Figure, versions

MAX_BYTES = 5_000_000
MAX_MICROGRAPHS = 12
# (letters of one text, rows of one list), from the ordinary to the last resort.
_TEXT_LIMITS = ((2000, 300), (300, 100), (60, 30))
_MICROGRAPHS, _OTHER = "Picks on micrographs", "Further figures"
_HEADINGS = {
    "score_histogram": "Scores and threshold",
    "expected_precision_recall": "Scores and threshold",
    "decisions_by_reason": "Scores and threshold",
    "verified": "Scores and threshold",
    "picks_per_micrograph": "Picks per micrograph",
    "own_scale": "Diameter",
    "training_curves": "Training",
    "unlabelled_look": "Training",
    **{f"repeated_objects_{k}": "What repeats in these micrographs" for k in range(1, 7)},
    "precision_recall": "Compared with the truth",
    "calibration": "Compared with the truth",
    "boxes": "Single picks",
    "boxes_kept": "Single picks",
    "boxes_rejected": "Single picks",
}


@dataclass(frozen=True)
class Table:
    """A table of finished texts.

    Parameters
    ----------
    columns
        Headings.
    rows
        Cells, as many in each row as there are headings; no markup.
    caption
        What is in it.
    marked
        Index of the row to stand out.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    marked: int | None = None


@dataclass(frozen=True)
class Section:
    """A part of the report: heading, a few sentences, figures, tables."""

    title: str
    figures: tuple[Figure, ...] = ()
    text: str = ""
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class _Texts:
    """All of a page but its pictures."""

    title: str
    summary: Sequence[tuple[str, object]]
    notes: Sequence[str]
    failures: Sequence[tuple[str, str]]
    settings: Sequence[tuple[str, object]]
    software: Sequence[tuple[str, object]]
    sections: Sequence[Section]
    opening: Sequence[str] = ()
    letters: int = 0
    rows: int = 0
    pictures: dict[int, Encoded] = field(default_factory=dict)


def render_report(
    title: str,
    summary: Sequence[tuple[str, object]],
    sections: Sequence[Section | Figure | Table],
    notes: Sequence[str] = (),
    *,
    failures: Sequence[tuple[str, str]] = (),
    settings: Mapping[str, object] | None = None,
    software: Mapping[str, str] | None = None,
    opening: Sequence[str] = (),
    max_bytes: int = MAX_BYTES,
) -> str:
    """Return the report as one HTML page: no script, no link, pictures inside.

    All texts are escaped. The page never exceeds ``max_bytes`` in UTF-8: pictures
    are stored smaller, then left out, and long texts and lists are cut, each time
    with a note. At most 12 pictures of micrographs are shown.

    Parameters
    ----------
    title
        Heading, such as ``Picks on 120 micrographs``.
    summary
        ``(name, value)`` of the table at the top.
    sections
        In order; loose figures are gathered under headings by their names, a loose
        table goes to the figure before it.
    notes
        Warnings and remarks, shown under the summary.
    failures
        ``(micrograph id, reason)`` of micrographs that could not be used.
    settings
        Resolved settings of the job, folded away.
    software
        Versions of software beyond frostpick, Python and matplotlib.
    opening
        Lines that stand first.
    max_bytes
        Budget of the page.

    Raises
    ------
    ValueError
        Not even the shortened texts fit ``max_bytes``.
    """
    parts, dropped = _limit_micrographs(_as_sections(sections))
    remarks = list(notes)
    if dropped:
        remarks.append(
            f"At most {MAX_MICROGRAPHS} micrographs are pictured; {dropped} more are left out."
        )
    known = {"frostpick": __version__, "Python": platform.python_version(), **versions()}
    known.update(software or {})
    texts = _Texts(
        title,
        list(summary),
        remarks,
        list(failures),
        list((settings or {}).items()),
        list(known.items()),
        parts,
        list(opening),
    )
    for letters, rows in _TEXT_LIMITS:
        html = _fit(replace(texts, letters=letters, rows=rows), max_bytes)
        if html is not None:
            return html
    raise ValueError(f"the texts of the report alone exceed {max_bytes} bytes; give fewer figures")


def _as_sections(items: Sequence[Section | Figure | Table]) -> list[Section]:
    """Gather loose figures and tables under headings, each heading where it first occurs."""
    parts: list[Section] = []
    place: dict[str, int] = {}
    heading = _OTHER
    for item in items:
        if isinstance(item, Section):
            parts.append(item)
            continue
        if isinstance(item, Figure):
            heading = _heading(item)
        if heading not in place:
            place[heading] = len(parts)
            parts.append(Section(heading))
        at, part = place[heading], parts[place[heading]]
        if isinstance(item, Figure):
            parts[at] = replace(part, figures=(*part.figures, item))
        else:
            parts[at] = replace(part, tables=(*part.tables, item))
    return parts


def _heading(figure: Figure) -> str:
    return _MICROGRAPHS if figure.is_micrograph else _HEADINGS.get(figure.name, _OTHER)


def _limit_micrographs(sections: Sequence[Section]) -> tuple[list[Section], int]:
    left, dropped, parts = MAX_MICROGRAPHS, 0, []
    for section in sections:
        kept = []
        for figure in section.figures:
            if figure.is_micrograph and left == 0:
                dropped += 1
            else:
                left -= figure.is_micrograph
                kept.append(figure)
        parts.append(replace(section, figures=tuple(kept)))
    return parts, dropped


def _fit(texts: _Texts, max_bytes: int) -> str | None:
    """Return the page with its pictures as good as the budget allows; None if texts do not fit."""
    figures = [figure for section in texts.sections for figure in section.figures]
    if len(_fill(texts).encode()) > max_bytes:
        return None
    for level in range(len(LEVELS)):
        pictures = {id(figure): encode(figure.png, level) for figure in figures}
        html = _fill(replace(texts, pictures=pictures))
        if len(html.encode()) <= max_bytes:
            return html
    while pictures:
        largest = max(pictures, key=lambda key: len(pictures[key].data))
        del pictures[largest]
        left_out = len({id(figure) for figure in figures}) - len(pictures)
        note = f"{left_out} pictures are left out to keep this page below {max_bytes / 1e6:.3g} MB."
        html = _fill(replace(texts, pictures=pictures, notes=[note, *texts.notes]))
        if len(html.encode()) <= max_bytes:
            return html
    return None


def _fill(texts: _Texts) -> str:
    return _template().render(
        t=texts,
        rows=texts.rows,
        clip=lambda value: clip(str(value), texts.letters),
        image_of=lambda figure: texts.pictures.get(id(figure)),
    )


def clip(text: str, letters: int) -> str:
    """Return ``text`` as valid Unicode without control signs, at most ``letters`` long."""
    if len(text) > letters:
        text = text[: letters - 1] + "…"
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if (ord(c) < 32 and c not in "\n\t") or 0xD800 <= ord(c) <= 0xDFFF or ord(c) == 127
        else c
        for c in text
    )


@cache
def _template() -> Template:
    source = files("frostpick.report").joinpath("page.html.jinja").read_text("utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(source)
