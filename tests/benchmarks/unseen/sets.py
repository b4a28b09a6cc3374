"""The sets: every protein in two noise laws, written once in the layout of the development data."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
from accuracy.sets import BenchSet, SetInfo, open_set
from numpy.typing import NDArray
from PIL import Image

from frostpick.runtime.atomic import write_text
from unseen.beads import STRUCTURES
from unseen.micrograph import Made, simulate
from unseen.noise import Law
from unseen.proteins import protein

#: Micrographs of a half.
MICROGRAPHS = 8
HALVES = ("train", "test")
#: Modules that the micrographs depend on.
SOURCES = (
    "beads contacts extents junk micrograph noise nucleic optics places proteins sets symmetry"
)
COLUMNS = (
    *("image_name", "x_coord", "y_coord", "rot", "tilt", "psi", "protein", "edge", "kind"),
    *("species", "extent", "hollow"),
)


@dataclass(frozen=True)
class Conditions:
    """How a protein is imaged.

    Parameters
    ----------
    pixel_A
        So that a diameter has 25 to 40 pixels.
    snr_r, snr_w
        Signal to noise ratio of either law (`micrograph.simulate`), set so that the matched
        filter with the true structure has an AP of .93 to .99.
    """

    pixel_A: float
    snr_r: float
    snr_w: float


CONDITIONS = {
    "tube": Conditions(5.5, 0.13, 0.11),
    "capped": Conditions(5.0, 0.105, 0.11),
    "ring": Conditions(5.5, 0.14, 0.115),
    "rod": Conditions(6.0, 0.17, 0.15),
    "plate": Conditions(6.0, 0.19, 0.17),
    "yshape": Conditions(5.0, 0.1, 0.12),
    "lshape": Conditions(5.0, 0.085, 0.115),
    "cage": Conditions(6.0, 0.082, 0.14),
    "membrane": Conditions(3.5, 0.06, 0.11),
    "dna": Conditions(4.5, 0.095, 0.11),
    "species": Conditions(4.5, 0.095, 0.085),
}
LAWS: tuple[Law, ...] = ("r", "w")
#: Every set by name: protein and noise law.
SETS: dict[str, tuple[str, Law]] = {f"{p}_{law}": (p, law) for law in LAWS for p in CONDITIONS}


@dataclass(frozen=True)
class UnseenSet:
    """A set and what only its simulator knows.

    Parameters
    ----------
    extent, hollow
        ``(n,)`` of every row of the test truth.
    species
        ``(n,)`` text of every row of the test truth.
    meta
        What `micrograph.simulate` says of each test micrograph, by name.
    """

    data: BenchSet
    protein: str
    law: Law
    extent: NDArray[np.float64]
    hollow: NDArray[np.float64]
    species: NDArray[np.str_]
    meta: dict[str, dict[str, Any]]


def snr(name: str) -> float:
    """Return the signal to noise ratio of a set."""
    base, law = SETS[name]
    return CONDITIONS[base].snr_r if law == "r" else CONDITIONS[base].snr_w


@cache
def _sources_digest() -> bytes:
    total = hashlib.sha256()
    for module in SOURCES.split():
        text = (Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8")
        if module == "sets":
            # The conditions of the set itself count, not those of the others.
            text = ""
        total.update(text.encode())
    for file in ("complexes.npz", "complexes.tsv"):
        total.update((STRUCTURES / file).read_bytes())
    return total.digest()


def version(name: str) -> str:
    """Return 8 hexadecimal digits over all that a set's micrographs depend on."""
    base, law = SETS[name]
    own = f"{base} {law} {CONDITIONS[base].pixel_A} {snr(name)} {MICROGRAPHS}"
    return hashlib.sha256(_sources_digest() + own.encode()).hexdigest()[:8]


def place_of(name: str, folder: Path) -> Path:
    """Return where a set lies; the version of its sources is part of the name."""
    return folder / f"{name}-{version(name)}"


def made_set(name: str, folder: Path) -> UnseenSet:
    """Simulate a set where it is not yet there, and open it; another process may do the same."""
    place = place_of(name, folder)
    if not place.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as half_done:
            _write(name, Path(half_done) / name)
            with contextlib.suppress(OSError):  # another process was first
                (Path(half_done) / name).rename(place)
    return open_unseen(name, place)


def _write(name: str, folder: Path) -> None:
    base, law = SETS[name]
    one = protein(base)
    for half in HALVES:
        made = {
            f"{name}_{half}_{k:03d}": simulate(
                one, CONDITIONS[base].pixel_A, law, snr(name), half, k
            )
            for k in range(MICROGRAPHS)
        }
        write_half(folder / half, made, name)
    # Last: the longest dimension, and what the set was made of.
    content = {
        "diameter_A": one.diameter_A,
        "pixel_A": CONDITIONS[base].pixel_A,
        "structures": one.names,
        "symmetry": one.symmetry,
    }
    write_text(folder / "set.json", json.dumps(content, indent=1) + "\n")


def write_half(folder: Path, made: dict[str, Made], name: str) -> None:
    """Write micrographs, masks, truth and conditions of one half of a set."""
    for part in ("micrographs", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    meta = []
    with (folder / "coords.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for key, one in made.items():
            with mrcfile.new(folder / "micrographs" / f"{key}.mrc") as mrc:
                mrc.set_data(one.image.astype(np.float16))
                mrc.voxel_size = one.meta["pixel_A"]
            Image.fromarray(one.mask).save(folder / "masks" / f"{key}.png")
            meta.append({"name": key, "dataset": name, **one.meta})
            for row in one.rows:
                shown = {k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()}
                writer.writerow({"image_name": key, "protein": name, **shown})
    write_text(folder / "meta.json", json.dumps(meta, indent=1) + "\n")


def open_unseen(name: str, place: Path) -> UnseenSet:
    """Open a set that is there."""
    base, law = SETS[name]
    about = json.loads((place / "set.json").read_text(encoding="utf-8"))
    info = SetInfo(name, "coords.csv", about["pixel_A"], about["diameter_A"], True)
    data = open_set(name, place, info)
    with (place / "test/coords.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    meta = json.loads((place / "test/meta.json").read_text(encoding="utf-8"))
    return UnseenSet(
        data,
        base,
        law,
        np.array([row["extent"] for row in rows], float),
        np.array([row["hollow"] for row in rows], float),
        np.array([row["species"] for row in rows], np.str_),
        {row["name"]: row for row in meta},
    )
