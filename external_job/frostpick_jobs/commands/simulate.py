"""``simulate`` on files: micrographs, and their truth as STAR and CSV."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frostpick.errors import MicrographError, Wording, option
from frostpick.images import read_image
from frostpick.runtime.atomic import atomic_write
from frostpick.simulate import (
    Protein,
    SimulatedMicrograph,
    SimulatedTruth,
    SimulationSettings,
    random_protein,
    simulate_micrograph,
    write_mrc,
)
from frostpick.simulate.micrograph import name_of
from frostpick.simulate.truth import PARTICLE
from frostpick_jobs.formats import StarTable, write_star_blocks
from frostpick_jobs.job.own_files import OwnFiles

log = logging.getLogger(__name__)

#: Where the files of the data set are noted, below its folder.
NOTES = ".frostpick/simulated"
#: Columns of labels, and how many a user would mark.
LABEL_COLUMNS, FIFTEEN = ("micrograph", "x_px", "y_px"), 15
CSV_COLUMNS = ("micrograph", "x_px", "y_px", "rot", "tilt", "psi", "edge", "kind")
STAR_COLUMNS = {
    "rlnCoordinateX": "x_px",
    "rlnCoordinateY": "y_px",
    "rlnAngleRot": "rot",
    "rlnAngleTilt": "tilt",
    "rlnAnglePsi": "psi",
}


@dataclass(frozen=True)
class SimulatedFiles:
    """Where the files of a simulated data set are.

    Parameters
    ----------
    micrographs
        Folder of the ``.mrc`` files.
    particles_csv, particles_star
        Every particle, those cut by the border (``edge``) included.
    decoys_csv
        Everything else that was drawn on purpose: what a picker must not take.
    fifteen_csv
        Fifteen whole particles of one micrograph, where one has so many: such labels as a user
        would mark.
    """

    micrographs: Path
    particles_csv: Path
    particles_star: Path
    decoys_csv: Path
    fifteen_csv: Path


def write_dataset(
    folder: Path,
    settings: SimulationSettings,
    indices: Sequence[int] | None = None,
    *,
    overwrite: bool = False,
) -> SimulatedFiles:
    """Simulate micrographs into a folder.

    A file that holds the same micrograph already is left alone: a new one, even of the
    same content, is another one to a training or picking that is to go on with it.

    Parameters
    ----------
    folder
        Gets ``micrographs/*.mrc``, ``particles.star``, ``particles.csv``, ``decoys.csv``,
        ``fifteen.csv``.
    settings
        What to simulate.
    indices
        Which micrographs of the data set; all when None.
    overwrite
        Replace files that are there and were not simulated into this folder.

    Raises
    ------
    InputError
        Such a file is there, and ``overwrite`` is not set.
    """
    files = SimulatedFiles(
        folder / "micrographs",
        folder / "particles.csv",
        folder / "particles.star",
        folder / "decoys.csv",
        folder / "fifteen.csv",
    )
    chosen = range(settings.micrographs) if indices is None else indices
    _refuse_foreign(folder, files, chosen, overwrite)
    truth: dict[str, SimulatedTruth] = {}
    for number, one in enumerate(_simulate(random_protein(settings), settings, chosen), 1):
        name = f"{one.name}.mrc"
        if not _holds(files.micrographs / name, one):
            write_mrc(files.micrographs / name, one.image, one.pixel_size_A)
        truth[name] = one.truth
        log.info("simulated %d of %d: %s", number, len(chosen), name)
    _write_csv(files.particles_csv, {n: t.particles for n, t in truth.items()})
    _write_csv(files.decoys_csv, {n: t.keep(t.kind != "particle") for n, t in truth.items()})
    _write_fifteen(files.fifteen_csv, truth, settings.seed)
    _write_star(files.particles_star, {n: t.particles for n, t in truth.items()})
    log.info(
        Wording(
            "%d micrographs of %d px at %g A a pixel, particles of %g A "
            f"({option('diameter')} %g); in %s"
        ),
        len(chosen),
        settings.size,
        settings.pixel_size_A,
        settings.diameter_A,
        settings.diameter_A,
        folder,
    )
    return files


def _refuse_foreign(
    folder: Path, files: SimulatedFiles, chosen: Sequence[int], overwrite: bool
) -> None:
    """Refuse to write over what was not simulated here, and note what will be."""
    tables = (files.particles_csv, files.particles_star, files.decoys_csv, files.fifteen_csv)
    planned = [*tables, *(files.micrographs / f"{name_of(index)}.mrc" for index in chosen)]
    own = OwnFiles(folder, folder / NOTES)
    # From before there were notes: nothing else writes this table.
    of_before = not (folder / NOTES).exists() and _header(files.decoys_csv) == CSV_COLUMNS
    own.check(planned, overwrite=overwrite or of_before)
    own.note(*planned)


def _header(path: Path) -> tuple[str, ...]:
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            return tuple(next(csv.reader(handle), ()))
    except (OSError, UnicodeDecodeError):
        return ()


def _simulate(
    protein: Protein, settings: SimulationSettings, indices: Sequence[int]
) -> Iterator[SimulatedMicrograph]:
    for index in indices:
        yield simulate_micrograph(protein, settings, index)


def _holds(path: Path, one: SimulatedMicrograph) -> bool:
    """Tell whether a file is this micrograph, to the last bit of its pixels."""
    if not path.is_file():
        return False
    try:
        found = read_image(path, one.name)
    except MicrographError:
        return False
    known = found.pixel_size_A is not None and np.isclose(found.pixel_size_A, one.pixel_size_A)
    return bool(known and np.array_equal(found.data, one.image))


def _write_csv(path: Path, truth: dict[str, SimulatedTruth]) -> None:
    with atomic_write(path, "w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        for name, t in truth.items():
            columns = (t.x_px, t.y_px, t.rot, t.tilt, t.psi)
            for k in range(len(t)):
                numbers = [f"{column[k]:.3f}" for column in columns]
                writer.writerow([name, *numbers, int(t.edge[k]), t.kind[k]])


def _write_fifteen(path: Path, truth: dict[str, SimulatedTruth], seed: int) -> None:
    """Write labels drawn at random among whole particles, of one micrograph if it has enough."""
    whole = {name: t.keep((t.kind == PARTICLE) & ~t.edge) for name, t in truth.items()}
    rng, left = np.random.default_rng(seed), FIFTEEN
    with atomic_write(path, "w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(LABEL_COLUMNS)
        for name in sorted(whole, key=lambda name: len(whole[name]) < FIFTEEN):  # stable
            t = whole[name]
            for k in rng.permutation(len(t))[:left].tolist():
                writer.writerow([name, f"{t.x_px[k]:.3f}", f"{t.y_px[k]:.3f}"])
            left -= min(left, len(t))


def _write_star(path: Path, truth: dict[str, SimulatedTruth]) -> None:
    columns: dict[str, list[str]] = {
        "rlnMicrographName": [name for name, t in truth.items() for _ in range(len(t))]
    }
    for label, field in STAR_COLUMNS.items():
        values = (value for t in truth.values() for value in getattr(t, field))
        columns[label] = [f"{value:.3f}" for value in values]
    write_star_blocks(path, [StarTable("particles", columns)])
