"""Which table of a STAR file holds what: told by its labels; the block's name decides ties only."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from frostpick.errors import InputError, listed, option
from frostpick_jobs.formats.foreign import CRYOLO_BOX, is_cryolo_box
from frostpick_jobs.formats.star.lines import Line, StarScanner, star_lines
from frostpick_jobs.formats.star.read import StarTable

log = logging.getLogger(__name__)

IMAGE, MICROGRAPH = "rlnImageName", "rlnMicrographName"
X, Y = "rlnCoordinateX", "rlnCoordinateY"
#: Our own: 1 for a particle, -1 for what is none. RELION keeps labels that it does not know.
SIGN = "frostpickSign"
#: Of several tables with images the first of these names is the particles'.
PARTICLE_BLOCKS = ("particles", "images", "")
_GROUPS = ("rlnOpticsGroup", "rlnOpticsGroupName")
_ROWS = frozenset({IMAGE, MICROGRAPH, X, Y})


def with_labels(
    tables: Iterable[StarTable], labels: Sequence[str], names: Sequence[str]
) -> StarTable | None:
    """Return the table that has all the labels; of several the one first in ``names``.

    Without such a name it is the first in the file.
    """
    found = [t for t in tables if all(label in t.labels for label in labels)]
    named = sorted((t for t in found if t.name in names), key=lambda t: names.index(t.name))
    return next(iter(named or found), None)


def tell_unread(
    path: Path, tables: Iterable[StarTable], read: StarTable, labels: Sequence[str]
) -> None:
    """Warn of further tables that have the labels and rows: one table of a file is read."""
    others = [
        t for t in tables if t is not read and len(t) and all(label in t.labels for label in labels)
    ]
    if others:
        log.warning(
            "%s: only block 'data_%s' is read; %d rows with %s in %s are not: put them into one "
            "table, or each table into a file of its own",
            path,
            read.name,
            sum(map(len, others)),
            labels[0],
            listed([f"data_{t.name}" for t in others]),
        )


def optics_table(blocks: Mapping[str, StarTable]) -> StarTable | None:
    """Return the table of optics groups: groups, and nothing that has rows of its own."""
    tables = [t for t in blocks.values() if _ROWS.isdisjoint(t.labels)]
    found = (with_labels(tables, (label,), ("optics",)) for label in _GROUPS)
    return next((t for t in found if t is not None), blocks.get("optics"))


def particle_table(path: Path) -> StarTable:
    """Return name, labels and number of the table with the particles, without its rows.

    Raises
    ------
    InputError
        No table has images.
    """
    scanner = StarScanner(path)
    labels: dict[int, list[str]] = {}
    tables: dict[int, tuple[str, bool]] = {}
    for number, line in enumerate(star_lines(path), 1):
        kind, _ = scanner.read(number, line)
        if kind is Line.LABEL or kind is Line.PAIR:
            labels[scanner.table] = scanner.labels
            tables[scanner.table] = (scanner.block or "", scanner.loop)
        elif kind is Line.ROW and scanner.block == PARTICLE_BLOCKS[0] and IMAGE in scanner.labels:
            break  # no later one can be meant, and the rows are many
    headers = [StarTable(name, {}, loop, tuple(labels[n]), n) for n, (name, loop) in tables.items()]
    found = with_labels(headers, (IMAGE,), PARTICLE_BLOCKS)
    if found is None:
        raise no_particles(path, headers)
    return found


def no_particles(path: Path, tables: Collection[StarTable]) -> InputError:
    """Return the error for a file that was given as particles and has no images."""
    labels = [label for table in tables for label in table.labels]
    found = listed(labels) if labels else "no table with columns"
    if is_cryolo_box(labels):
        return InputError(f"{path}: {CRYOLO_BOX}")
    if X in labels:
        hint = (
            f"these are coordinates: give them with {option('picks')}, and their "
            f"{option('micrographs')}"
        )
    elif MICROGRAPH in labels:
        hint = f"this is a list of micrographs: give it with {option('micrographs')}"
    else:
        hint = "give the particles.star of an extraction"
    return InputError(f"{path}: {found}; expected rlnImageName, the images of particles; {hint}")
