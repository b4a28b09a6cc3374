"""CryoSPARC's data sets in every spelling: the same values, or a sentence; no silent error.

CryoSPARC 3 and 4 write ``.cs`` files of numpy with text of fixed length, 5 streams, and scripts
whatever numpy makes of their columns. All come through the client's ``Dataset``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cryosparc")

from cryosparc.dataset import CSDAT_FORMAT, Dataset

from frostpick.errors import InputError
from frostpick_jobs.formats import read_picks
from frostpick_jobs.formats.micrograph_list import read_micrograph_list
from frostpick_jobs.formats.star.particles import read_particles
from frostpick_jobs.hosts.cryosparc.read.exposures import (
    Exposures,
    as_micrographs,
    read_exposures,
)
from frostpick_jobs.hosts.cryosparc.read.particle_labels import match_rows, read_labels, table
from frostpick_jobs.hosts.cryosparc.read.prune_rows import ParticleInput
from frostpick_jobs.hosts.cryosparc.read.sources import ProjectFiles

FILES = ProjectFiles(None, None)  # type: ignore[arg-type]
SLOT = "micrograph_blob"
#: uid, path, rows and columns, pixel size, exposure group.
EXPOSURES = [
    (2**63 + 11, "J1/imported/a.mrc", (100, 160), 1.5, 4),
    (7, "J1/imported/grid B/b_é.mrc", (300, 200), 0.75, 5),
]
#: uid, row of its exposure, fractions of x and y, figure of merit, image of the stack.
PARTICLES = [
    (2**64 - 1, 1, 0.25, 0.5, 0.875, 11),
    (12, 0, 0.5, 0.125, -0.5, 0),
    (13, 1, 1.0, 0.0, 0.25, 3),
]


@dataclass(frozen=True)
class CsStyle:
    """How a program writes a data set; the defaults are CryoSPARC 4's.

    Parameters
    ----------
    text
        Type of text: ``S``, ``U``, ``O`` with strings, ``bytes`` for objects that are bytes.
    real, whole
        Types of numbers.
    file
        ``numpy``, ``stream`` (compressed, of the client), or ``memory``.
    mark
        In front of paths.
    optional
        Whether there is what a reader can do without.
    others, turned
        Fields that nobody asked for; the fields in the opposite order.
    by_path
        Particles name their micrographs by path alone.
    """

    text: str = "S"
    real: str = "<f4"
    whole: str = "<u4"
    file: str = "numpy"
    mark: str = ""
    optional: bool = True
    others: bool = True
    turned: bool = False
    by_path: bool = False


STYLES = {
    "CryoSPARC 3 and 4": CsStyle(),
    "CryoSPARC 5, cryosparc-tools": CsStyle(text="O", file="stream"),
    "cryosparc-tools, saved for version 3": CsStyle(text="O", file="memory"),
    "exported": CsStyle(mark=">"),
    "exported, a stream": CsStyle(text="O", file="stream", mark=">"),
    "numpy's text": CsStyle(text="U"),
    "bytes in a script": CsStyle(text="bytes", file="memory"),
    "f8 and i8 of a script": CsStyle(real="<f8", whole="<i8"),
    "i4": CsStyle(whole="<i4"),
    "big-endian": CsStyle(real=">f4", whole=">u4"),
    "required fields only": CsStyle(optional=False, others=False),
    "another order": CsStyle(turned=True),
    "micrographs of uid 0": CsStyle(by_path=True),
    "micrographs of uid 0, exported": CsStyle(by_path=True, mark=">"),
    "micrographs of uid 0, bytes": CsStyle(by_path=True, text="bytes", file="memory"),
}

Columns = dict[str, tuple[str, list[Any]]]


def dataset(folder: Path, columns: Columns, style: CsStyle) -> Dataset:
    """Return columns (type and values) as a program would have saved them, loaded again."""
    names = list(reversed(columns)) if style.turned else list(columns)
    kinds: list[tuple[Any, ...]] = []
    for name in names:
        kind, values = columns[name]
        if kind == "text":
            wide = max(len(value.encode()) for value in values) + 1
            kind = {"S": f"S{wide}", "U": f"<U{wide}"}.get(style.text, "O")
        kinds.append((name, kind, (2,)) if isinstance(values[0], tuple) else (name, kind))
    rows = np.zeros(len(columns["uid"][1]), kinds)
    for name in names:
        kind, values = columns[name]
        if kind == "text" and style.text in ("S", "bytes"):
            values = [value.encode() for value in values]
        rows[name] = values
    path = folder / "rows.cs"
    if style.file == "memory":
        return Dataset(rows)
    if style.file == "stream":
        Dataset(rows).save(path, format=CSDAT_FORMAT)
    else:
        with path.open("wb") as handle:
            np.save(handle, rows, allow_pickle=False)
    return Dataset.load(path)


def exposure_columns(style: CsStyle) -> Columns:
    uid, path, shape, pixel, group = (list(one) for one in zip(*EXPOSURES, strict=True))
    columns: Columns = {
        "uid": ("<u8", uid),
        f"{SLOT}/path": ("text", [style.mark + one for one in path]),
        f"{SLOT}/shape": (style.whole, shape),
        f"{SLOT}/psize_A": (style.real, pixel),
    }
    if style.optional:
        columns["mscope_params/exp_group_id"] = (style.whole, group)
        columns[f"{SLOT}/is_background_subtracted"] = (style.whole, [1, 0])
    if style.others:
        columns["ctf/df1_A"] = (style.real, [9000.0, 8000.0])
        columns["ctf/type"] = ("text", ["spline", "imported"])
    return columns


def particle_columns(style: CsStyle) -> Columns:
    uid, at, x, y, merit, image = (list(one) for one in zip(*PARTICLES, strict=True))
    own = [EXPOSURES[n] for n in at]
    columns: Columns = {
        "uid": ("<u8", uid),
        "location/micrograph_uid": ("<u8", [0 if style.by_path else one[0] for one in own]),
        "location/micrograph_path": ("text", [style.mark + one[1] for one in own]),
        "location/micrograph_shape": (style.whole, [one[2] for one in own]),
        "location/center_x_frac": (style.real, x),
        "location/center_y_frac": (style.real, y),
        "blob/path": ("text", [f"{style.mark}J3/extract/s_{n}.mrc" for n in at]),
        "blob/idx": (style.whole, image),
        "blob/psize_A": (style.real, [3.0] * 3),
    }
    if style.optional:
        columns["blob/sign"] = (style.real, [-1.0] * 3)
        columns["blob/shape"] = (style.whole, [(64, 64)] * 3)
        columns["pick_stats/ncc_score"] = (style.real, merit)
        columns["location/micrograph_psize_A"] = (style.real, [one[3] for one in own])
    if style.others:
        columns["alignments3D/shift"] = (style.real, [(1.0, 2.0)] * 3)
        columns["pick_stats/template_idx"] = (style.whole, [0, 1, 2])
    return columns


def exposures_of(folder: Path, style: CsStyle) -> Exposures:
    return read_exposures([dataset(folder, exposure_columns(style), style)], SLOT)


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_exposures(tmp_path: Path, style: CsStyle) -> None:
    found = exposures_of(tmp_path, style)
    assert (
        [
            (int(one.id), one.source.path, one.shape, one.pixel_size_A)  # type: ignore[attr-defined]
            for one in as_micrographs(found, FILES)
        ]
        == [row[:4] for row in EXPOSURES]
    )
    assert found.group.tolist() == [row[4] * style.optional for row in EXPOSURES]
    assert found.subtracted.tolist() == [style.optional, False]


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_particles(tmp_path: Path, style: CsStyle) -> None:
    exposures = exposures_of(tmp_path, style)
    part = dataset(tmp_path, particle_columns(style), style)
    assert match_rows(part, exposures).tolist() == [row[1] for row in PARTICLES]
    x = [row[2] * EXPOSURES[row[1]][2][1] for row in PARTICLES]
    y = [row[3] * EXPOSURES[row[1]][2][0] for row in PARTICLES]
    names = tuple(str(EXPOSURES[row[1]][0]) for row in PARTICLES)
    picked = table("J3.particles", part, exposures)
    assert (picked.micrograph, picked.x_px.tolist(), picked.y_px.tolist()) == (names, x, y)

    rows = ParticleInput.of("J3.particles", [part])
    assert rows.uid.tolist() == [row[0] for row in PARTICLES]
    placed = rows.on_micrographs(exposures, flip_y=False)
    assert (placed.micrograph_id, placed.x_px.tolist(), placed.y_px.tolist()) == (names, x, y)
    merit = rows.merit()
    assert (merit is None) == (not style.optional)
    assert merit is None or merit.tolist() == [row[4] for row in PARTICLES]

    seen = {}
    for stack in rows.stacks(FILES):
        assert stack.pixel_size_A == 3.0
        assert stack.light is (False if style.optional else None)
        assert stack.shape == ((64, 64) if style.optional else None)
        path = stack.source.path  # type: ignore[attr-defined]
        for n, at in enumerate(stack.row.tolist()):
            seen[at] = (path, int(stack.index[n]), float(stack.x_px[n]), float(stack.y_px[n]))
    assert [seen[n] for n in range(3)] == [
        (f"J3/extract/s_{row[1]}.mrc", row[5], x[n], y[n]) for n, row in enumerate(PARTICLES)
    ]


def changed(columns: Columns, name: str, value: Any) -> Columns:
    """Return columns with the second value of one changed; without it where that is None."""
    kind, values = columns[name]
    if value is None:
        return {key: column for key, column in columns.items() if key != name}
    return columns | {name: (kind, [values[0], value, *values[2:]])}


NAN, INF = float("nan"), float("inf")
#: What is wrong with the second row, or with all where a field is gone (None).
WRONG_EXPOSURES = {
    "no path": (f"{SLOT}/path", "", "exposure 7: its image has no path"),
    "a mark alone": (f"{SLOT}/path", ">", "exposure 7: its image has no path"),
    "path gone": (f"{SLOT}/path", None, "its image has no path .*2 of 2"),
    "no shape": (f"{SLOT}/shape", (300, 0), "exposure 7: its image has no shape"),
    "shape gone": (f"{SLOT}/shape", None, "its image has no shape"),
    "size 0": (f"{SLOT}/psize_A", 0.0, "exposure 7: its image has no pixel size"),
    "size below 0": (f"{SLOT}/psize_A", -1.0, "exposure 7: its image has no pixel size"),
    "size nan": (f"{SLOT}/psize_A", NAN, "exposure 7: its image has no pixel size"),
    "size inf": (f"{SLOT}/psize_A", INF, "exposure 7: its image has no pixel size"),
    "twice": ("uid", 2**63 + 11, "come twice"),
}
WRONG_PLACES = {
    "x nan": ("location/center_x_frac", NAN, "particle 12: location/center_x_frac is nan"),
    "y inf": ("location/center_y_frac", INF, "particle 12: location/center_y_frac is inf"),
    "x gone": ("location/center_x_frac", None, "no field location/center_x_frac"),
    "y gone": ("location/center_y_frac", None, "no field location/center_y_frac"),
}
WRONG_STACKS = {
    "no path": ("blob/path", "", "1 of 3 particles without an image"),
    "a mark alone": ("blob/path", ">", "1 of 3 particles without an image"),
    "path gone": ("blob/path", None, "no field blob/path"),
    "index gone": ("blob/idx", None, "no field blob/idx"),
    "size 0": ("blob/psize_A", 0.0, "1 of 3 particles without a pixel size"),
    "size nan": ("blob/psize_A", NAN, "1 of 3 particles without a pixel size"),
    "size inf": ("blob/psize_A", INF, "1 of 3 particles without a pixel size"),
    "size gone": ("blob/psize_A", None, "3 of 3 particles without a pixel size"),
}


@pytest.mark.parametrize("name,value,said", WRONG_EXPOSURES.values(), ids=WRONG_EXPOSURES)
def test_wrong_exposures(tmp_path: Path, name: str, value: Any, said: str) -> None:
    style = CsStyle()
    rows = dataset(tmp_path, changed(exposure_columns(style), name, value), style)
    with pytest.raises(InputError, match=said):
        read_exposures([rows], SLOT)


@pytest.mark.parametrize("name,value,said", WRONG_PLACES.values(), ids=WRONG_PLACES)
def test_wrong_places(tmp_path: Path, name: str, value: Any, said: str) -> None:
    style = CsStyle()
    exposures = exposures_of(tmp_path, style)
    part = dataset(tmp_path, changed(particle_columns(style), name, value), style)
    with pytest.raises(InputError, match=said):
        read_labels({"J3.particles": part}, exposures, as_micrographs(exposures, FILES))
    with pytest.raises(InputError, match=said):
        ParticleInput.of("J3.particles", [part]).on_micrographs(exposures, flip_y=False)


@pytest.mark.parametrize("name,value,said", WRONG_STACKS.values(), ids=WRONG_STACKS)
def test_wrong_stacks(tmp_path: Path, name: str, value: Any, said: str) -> None:
    style = CsStyle()
    part = dataset(tmp_path, changed(particle_columns(style), name, value), style)
    with pytest.raises(InputError, match=said):
        ParticleInput.of("J3.particles", [part]).stacks(FILES)


def test_pixels_where_fractions_belong(tmp_path: Path) -> None:
    style = CsStyle()
    columns = particle_columns(style)
    columns["location/center_x_frac"] = ("<f4", [50.0, 80.0, 200.0])
    part = dataset(tmp_path, columns, style)
    with pytest.raises(InputError, match=r"center_x_frac is 50 to 200; expected fractions"):
        table("J3.particles", part, exposures_of(tmp_path, style))
    # one that is far off, as a bad alignment makes it, is not the fault of all
    columns["location/center_x_frac"] = ("<f4", [0.25, 80.0, 1.0])
    part = dataset(tmp_path, columns, style)
    assert len(table("J3.particles", part, exposures_of(tmp_path, style))) == 3


def test_what_a_row_can_do_without(tmp_path: Path) -> None:
    """Optional numbers that are none count as not given, for that row alone."""
    style, columns = CsStyle(), particle_columns(CsStyle())
    for name in ("blob/sign", "pick_stats/ncc_score", "location/micrograph_psize_A"):
        columns = changed(columns, name, NAN)
    columns = changed(columns, "location/center_x_frac", NAN)  # boxes need no place
    rows = ParticleInput.of("J3.particles", [dataset(tmp_path, columns, style)])
    found = {
        at: (stack.light, stack.position_pixel_A, float(stack.x_px[n]))
        for stack in rows.stacks(FILES)
        for n, at in enumerate(stack.row.tolist())
    }
    assert found[0] == (False, 0.75, 50.0) and found[2] == (False, 0.75, 200.0)
    assert found[1][:2] == (None, None) and np.isnan(found[1][2])
    merit = rows.merit()
    assert merit is not None and merit[0] == 0.875 and np.isnan(merit[1])
    merit = ParticleInput.of(
        "J3.particles",
        [dataset(tmp_path, changed(particle_columns(style), "pick_stats/ncc_score", INF), style)],
    ).merit()
    assert merit is not None and np.isnan(merit[1])


def test_a_micrograph_of_uid_0_is_no_answer_for_rows_without_one(tmp_path: Path) -> None:
    """0 stands for no micrograph, also where one has it."""
    style = CsStyle()
    columns = exposure_columns(style) | {"uid": ("<u8", [0, 7])}
    exposures = read_exposures([dataset(tmp_path, columns, style)], SLOT)
    places = particle_columns(CsStyle(by_path=True))
    assert match_rows(dataset(tmp_path, places, style), exposures).tolist() == [1, 0, 1]
    nowhere = changed(places, "location/micrograph_path", "J9/other.mrc")
    assert match_rows(dataset(tmp_path, nowhere, style), exposures).tolist() == [1, -1, 1]


@pytest.mark.parametrize("kind", ["numpy", "stream", "group"])
@pytest.mark.parametrize(
    "read", [read_picks, read_micrograph_list, lambda path: read_particles(path, 1.0)]
)
def test_in_a_folder_they_are_called_by_their_name(tmp_path: Path, kind: str, read: Any) -> None:
    path = tmp_path / "rows.cs"
    if kind == "group":
        path = tmp_path / "particles.csg"
        path.write_text(
            "created: 2026-01-08 10:11:12.000001\ngroup:\n  name: particles\nresults:\n"
            "  blob:\n    metafile: '>particles.cs'\n    num_items: 3\n"
        )
    else:
        dataset(tmp_path, particle_columns(CsStyle()), CsStyle(file=kind))
    with pytest.raises(InputError, match=r"a data set of CryoSPARC \(\.cs.*csparc2star"):
        read(path)
