"""Bead models of known protein complexes, and which of them a model may be trained on."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent
BEADS, TABLE = FOLDER / "complexes.npz", FOLDER / "complexes.tsv"
#: ``corpus``: what models are trained on; ``test``: what they are judged on.
Part = Literal["corpus", "test"]


@dataclass(frozen=True)
class Chain:
    """One part of a complex.

    Parameters
    ----------
    name
        Name of the PDB entry and number of the part: ``1A2K.1``.
    positions_A
        ``(n, 3)`` float64, beads in Angstrom, their weighted mean at the origin.
    weights
        ``(n,)`` float64, scattering weight of each.
    """

    name: str
    positions_A: NDArray[np.float64]
    weights: NDArray[np.float64]


def names(part: Part) -> tuple[str, ...]:
    """Return the PDB names of the complexes of a part, in the order of the table."""
    with TABLE.open(encoding="utf-8", newline="") as handle:
        rows = csv.DictReader(handle, delimiter="\t")
        return tuple(row["pdb"] for row in rows if row["part"] == part)


@cache
def chains(part: Part) -> tuple[Chain, ...]:
    """Return all chains of a part, two a complex, in the order of the table."""
    found = []
    with np.load(BEADS, allow_pickle=False) as arrays:
        for pdb in names(part):
            positions = arrays[f"{pdb}_xyz"].astype(np.float64)
            weights = arrays[f"{pdb}_w"].astype(np.float64)
            chain = arrays[f"{pdb}_chain"]
            for number in np.unique(chain):
                own = chain == number
                middle = np.average(positions[own], axis=0, weights=weights[own])
                found.append(Chain(f"{pdb}.{number}", positions[own] - middle, weights[own]))
    return tuple(found)
