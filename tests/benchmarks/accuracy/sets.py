"""The sets: real structures simulated, real micrographs, or our own simulated ones.

Layout of a set::

    <set>/{train,test}/micrographs/*.mrc
    <set>/{train,test}/coords.csv or particles.csv
    <set>/{train,test}/masks/*.png        optional: kinds of junk by pixel
    <set>/{train,test}/meta.json          optional: defocus of each micrograph
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accuracy.truth_table import TruthTable, read_truth
from frostpick.images import read_header

#: Values of the masks, see the README of the development data and `frostpick.simulate`.
MASK_KINDS = (
    "background",
    "ice_crystal",
    "carbon",
    "aggregate",
    "fragment",
    "speck",
    "free_micelle",
)


@dataclass(frozen=True)
class SetInfo:
    """Where a set lies and the only two lengths that are known of it, in Angstrom."""

    folder: str
    table: str
    pixel_A: float
    diameter_A: float
    simulated: bool


BENCH = {
    "apof_r": SetInfo("simulated/apof_r", "coords.csv", 5.0, 128.0, True),
    "bgal_r": SetInfo("simulated/bgal_r", "coords.csv", 5.0, 176.0, True),
    "gpcrgs_r": SetInfo("simulated/gpcrgs_r", "coords.csv", 4.0, 124.0, True),
    "real": SetInfo("real/apoferritin", "particles.csv", 1.55, 120.0, False),
}


@dataclass(frozen=True)
class Split:
    """Training or test half of a set.

    Parameters
    ----------
    names
        Micrographs without extension, in the order of the files.
    shape
        Rows and columns of each of them.
    defocus_A
        By name; empty where it is not known.
    masks
        Folder of the junk masks, or None.
    """

    folder: Path
    table_path: Path
    names: tuple[str, ...]
    shape: tuple[int, int]
    truth: TruthTable
    defocus_A: Mapping[str, float] = field(default_factory=dict)
    masks: Path | None = None

    @property
    def micrographs(self) -> Path:
        """Folder of the micrographs."""
        return self.folder / "micrographs"

    def mask(self, name: str) -> NDArray[np.uint8] | None:
        """Return the junk mask of a micrograph, ``(ny, nx)`` uint8, or None."""
        from PIL import Image

        path = None if self.masks is None else self.masks / f"{name}.png"
        return np.asarray(Image.open(path), np.uint8) if path and path.exists() else None

    @property
    def mean_count(self) -> float:
        """Particles a micrograph, those cut by the border included."""
        return len(self.truth.particles) / max(1, len(self.names))


@dataclass(frozen=True)
class BenchSet:
    """A set with its two halves."""

    name: str
    pixel_A: float
    diameter_A: float
    simulated: bool
    train: Split
    test: Split

    @property
    def diameter_px(self) -> float:
        """Longest dimension of the particle in pixels."""
        return self.diameter_A / self.pixel_A


def open_set(name: str, folder: Path, info: SetInfo) -> BenchSet:
    """Read the truth of both halves of a set."""
    halves = [
        _open_split(folder / half, info.table, info.diameter_A / info.pixel_A)
        for half in ("train", "test")
    ]
    return BenchSet(name, info.pixel_A, info.diameter_A, info.simulated, *halves)


def open_bench(bench: Path, names: Sequence[str]) -> list[BenchSet]:
    """Open sets of the development data by name."""
    return [open_set(name, bench / BENCH[name].folder, BENCH[name]) for name in names]


def _open_split(folder: Path, table: str, diameter_px: float) -> Split:
    files = sorted((folder / "micrographs").glob("*.mrc"))
    if not files:
        raise SystemExit(f"{folder}/micrographs: no *.mrc files; is this the development data?")
    shape = read_header(files[0], files[0].stem).shape
    masks = folder / "masks"
    return Split(
        folder,
        folder / table,
        tuple(file.stem for file in files),
        shape,
        read_truth(folder / table, shape, diameter_px),
        _defocus(folder / "meta.json"),
        masks if masks.is_dir() else None,
    )


def _defocus(path: Path) -> dict[str, float]:
    if not path.exists():
        return {}
    return {row["name"]: float(row["defocus_A"]) for row in json.loads(path.read_text())}
