"""Dark particles or light ones: what micrographs vote for, in ice and in negative stain.

    python tests/benchmarks/bench_contrast.py --bench BENCH [--sets ice,stain]

A row is a set, with the vote of each of its micrographs for the right side: the lowest, mean and
highest, how many are wrong alone, what ``auto`` makes of eight of them at a time, and how often
eight, and one, clearly contradict the wrong assumption (they should) and the right one (they must
not). `contrast.md` has the results.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from zlib import crc32

import numpy as np
import torch
from stained.micrograph import STAINS, stained

from frostpick.images import read_image
from frostpick.preprocess import contrast_vote, decide_contrast, working_scale
from frostpick.preprocess.contrast import contradicts
from frostpick.simulate import SimulationSettings, simulate_dataset

PX_PER_DIAMETER = 32.0
#: As many as vote in a job.
TOGETHER = 8
#: Proteins of the stain, of the 230 complexes: the largest, long, heavy, thin and small ones.
PROTEINS = ("4GXU", "1N2C", "2HMI", "3HMX", "1K4C", "2HQS")
Side = Literal["dark", "light"]
Votes = list[float]


def vote(image: np.ndarray, pixel_A: float, diameter_A: float) -> float:
    """Return the vote of an image as a job casts it."""
    scaled = working_scale(image, pixel_A, diameter_A, px_per_diameter=PX_PER_DIAMETER)
    return contrast_vote(scaled.data, PX_PER_DIAMETER)


def sets_in_ice(bench: Path) -> Iterator[tuple[str, Side, Votes]]:
    """Yield the development sets, also with a wrong diameter, and made-up proteins."""
    simulated = (
        ("apof_r", 5.0, 128.0),
        ("bgal_r", 5.0, 176.0),
        ("gpcrgs_r", 4.0, 124.0),
        ("barrel_r", 5.0, 173.0),
    )
    folders = [
        (f"{name} {split}", bench / "simulated" / name / split / "micrographs", pixel, diameter)
        for name, pixel, diameter in simulated
        for split in ("train", "test")
    ]
    folders += [
        (f"real apoferritin {split}", bench / f"real/apoferritin/{split}/micrographs", 1.55, 120.0)
        for split in ("train", "test")
    ]
    folders.append(("real 20S", bench / "real/t20s_arctica/micrographs", 7.84, 150.0))
    for name, folder, pixel, diameter in folders:
        images = [read_image(path, path.name).data for path in sorted(folder.glob("*.mrc"))]
        for off in (1.0, 0.7, 1.4):
            said = name if off == 1.0 else f"{name}, diameter x {off}"
            yield said, "dark", [vote(one, pixel, off * diameter) for one in images]
    for family in ("compact", "hollow", "elongated", "lobed", "membrane"):
        symmetry = "C4" if family == "membrane" else "D2"
        made = SimulationSettings(
            micrographs=TOGETHER, size=720, seed=70, family=family, symmetry=symmetry
        )
        images = [one.image for one in simulate_dataset(made)]
        yield (
            f"made up, {family}",
            "dark",
            [vote(one, made.pixel_size_A, made.diameter_A) for one in images],
        )


def real_ice(bench: Path) -> Iterator[tuple[str, Side, Votes]]:
    """Yield real ice by kind: what is dark on it is matter, particles or not."""
    folder = bench / "real/ice"
    with (folder / "kinds.csv").open() as handle:
        kinds = {Path(next(iter(row.values()))).stem: row for row in csv.DictReader(handle)}
    for path in sorted(folder.rglob("*.mrc")):
        assert path.stem in kinds
        yield f"real ice, {path.stem}", "dark", [vote(read_image(path, path.name).data, 8.0, 150.0)]


def sets_in_stain(bench: Path) -> Iterator[tuple[str, Side, Votes]]:
    """Yield eight micrographs of every protein, by how they are stained."""
    structures = np.load(bench / "structures/complexes.npz")
    for kind, how in STAINS.items():
        votes = []
        for name in PROTEINS:
            xyz = structures[f"{name}_xyz"].astype(np.float64)
            weights = structures[f"{name}_w"].astype(np.float64)
            diameter = 2.0 * float(np.linalg.norm(xyz, axis=1).max())
            pixel = diameter / PX_PER_DIAMETER
            for n in range(TOGETHER):
                seed = [crc32(f"{kind} {name}".encode()), n]
                image = stained(xyz, weights, diameter, pixel, how, seed)
                votes.append(vote(image, pixel, diameter))
        yield f"stain, {kind}", "light", votes


def row(name: str, side: Side, votes: Votes) -> str:
    """Return a row of the table."""
    right = np.array(votes) * (1 if side == "light" else -1)
    other: Side = "dark" if side == "light" else "light"
    groups = [votes[n : n + TOGETHER] for n in range(0, len(votes), TOGETHER)]
    good = sum(decide_contrast(one) == side for one in groups)
    cells = [
        name,
        side,
        str(len(votes)),
        f"{right.min():+.2f} {right.mean():+.2f} {right.max():+.2f}",
        str(int((right <= 0).sum())),
        f"{len(groups) - good} of {len(groups)}",
        f"{sum(contradicts(one, other) for one in groups)} of {len(groups)}",
        f"{sum(contradicts([one], other) for one in votes)} of {len(votes)}",
        f"{sum(contradicts(one, side) for one in groups)}",
        f"{sum(contradicts([one], side) for one in votes)}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table, a row as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--bench", type=Path, required=True, help="development data")
    parser.add_argument("--sets", default="ice,real,stain", help="comma list of parts")
    options = parser.parse_args()
    torch.set_num_threads(1)
    parts = {"ice": sets_in_ice, "real": real_ice, "stain": sets_in_stain}
    heads = ("set", "truth", "micrographs", "votes for it", "wrong alone", "auto wrong")
    doubts = ("told of 8", "told of 1", "false of 8", "false of 1")
    print(f"| {' | '.join(heads + doubts)} |\n|{' --- |' * 10}")
    for part in options.sets.split(","):
        for name, side, votes in parts[part](options.bench):
            print(row(name, side, votes), flush=True)


if __name__ == "__main__":
    main()
