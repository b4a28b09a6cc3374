"""Positions that do not fit their images: how often each fault is told, and false alarms.

    python tests/benchmarks/bench_places.py --bench BENCH [--sets apof_r,real]

For every set, all positions of at most eight micrographs (at most 400), and draws of 15 and of 5
positions on at most three: as they are (none may be told), and with each fault (the reading that
mends it must be told, and no other). `places.md` has the results.
"""

from __future__ import annotations

import argparse
import csv
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.images import read_image
from frostpick.picking.places import Looked, Verdict, judge, look

Places = NDArray[np.float64]
#: Draws of positions as they are, and with each fault, by how many positions are drawn.
DRAWS = {0: (1, 1), 15: (20, 5), 5: (20, 5)}
MICROGRAPHS, POSITIONS, DRAWN_ON = 8, 400, 3
#: A ratio that is told may be off by this part.
TOLERANCE = 0.02


@dataclass(frozen=True)
class Fault:
    """What is done to positions on an image of ``(ny, nx)`` pixels, and what must be told."""

    change: Callable[[Places, tuple[int, int]], Places]
    kind: str
    ratio: float = 1.0

    def is_told(self, verdict: Verdict) -> bool:
        """Tell whether a verdict is the right one."""
        if verdict.reading is None or verdict.reading.kind != self.kind:
            return False
        return abs(verdict.reading.ratio / self.ratio - 1) < TOLERANCE


def _scaled(ratio: float) -> Fault:
    return Fault(lambda xy, shape: xy / ratio, "scaled", ratio)


FAULTS = {
    "upside down": Fault(
        lambda xy, shape: np.column_stack([xy[:, 0], shape[0] - 1 - xy[:, 1]]), "mirrored"
    ),
    "exchanged": Fault(lambda xy, shape: xy[:, ::-1], "exchanged"),
    "binned 2": _scaled(2.0),
    "binned 4": _scaled(4.0),
    "binned 2.7": _scaled(2.7),
    "unbinned 2": _scaled(0.5),
}


@dataclass(frozen=True)
class PlacedSet:
    """Micrographs and positions on them, by the name of the file."""

    folder: Path
    pixel_A: float
    diameter_A: float
    xy: Mapping[str, Places]


def open_sets(bench: Path) -> Iterator[tuple[str, PlacedSet]]:
    """Yield every set of the development data: truth, picks half of which are false, Topaz's."""
    for name, pixel, diameter in (
        ("apof_r", 5.0, 128.0),
        ("bgal_r", 5.0, 176.0),
        ("gpcrgs_r", 4.0, 124.0),
        ("barrel_r", 5.0, 173.0),
    ):
        for split in ("train", "test"):
            folder = bench / "simulated" / name / split
            images = folder / "micrographs"
            yield f"{name} {split}", PlacedSet(images, pixel, diameter, read(folder / "coords.csv"))
            noisy = folder / "noisy_picks.csv"
            if noisy.exists() and split == "test":
                yield f"{name} half false", PlacedSet(images, pixel, diameter, read(noisy))
        topaz = bench / "topaz_picks" / f"{name}_test.csv"
        if topaz.exists():
            yield f"{name} Topaz", PlacedSet(images, pixel, diameter, read(topaz))
    real = bench / "real"
    for split in ("train", "test"):
        folder = real / "apoferritin" / split
        positions = read(folder / "particles.csv")
        yield f"real apoferritin {split}", PlacedSet(folder / "micrographs", 1.55, 120.0, positions)
    folder = real / "t20s_arctica"
    yield (
        "real t20s",
        PlacedSet(folder / "micrographs", 7.84, 150.0, read(folder / "autopicks.csv")),
    )


def read(path: Path) -> dict[str, Places]:
    """Return positions by micrograph; of a truth file the particles alone."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with path.open() as handle:
        for row in csv.DictReader(handle):
            if row.get("kind", "particle") != "particle":
                continue
            name = row.get("micrograph") or row["image_name"] + ".mrc"
            x, y = row.get("x_px") or row["x_coord"], row.get("y_px") or row["y_coord"]
            found[name].append((float(x), float(y)))
    return {name: np.array(rows) for name, rows in sorted(found.items())}


def draw(xy: Mapping[str, Places], count: int, seed: list[int]) -> dict[str, Places]:
    """Return ``count`` positions on a few micrographs, or many where ``count`` is 0."""
    rng = np.random.default_rng(seed)
    names = list(xy)[:MICROGRAPHS]
    if count:
        every = list(xy)
        names = [every[n] for n in rng.permutation(len(every))[:DRAWN_ON]]
    rows = [(name, row) for name in names for row in range(len(xy[name]))]
    kept = rng.permutation(len(rows))[: count or POSITIONS]
    found: dict[str, list[int]] = defaultdict(list)
    for at in np.sort(kept).tolist():
        found[rows[at][0]].append(rows[at][1])
    return {name: xy[name][at] for name, at in found.items()}


def measure(name: str, data: PlacedSet) -> list[str]:
    """Return a row of the table: what was told of how many."""
    images: dict[str, Looked] = {}

    def placed(positions: Mapping[str, Places], fault: Fault | None) -> Verdict:
        looked = []
        for one, xy in positions.items():
            if one not in images:
                image = read_image(data.folder / one, one).data
                images[one] = look(image, data.pixel_A, data.diameter_A, np.zeros((0, 2)), one)
            shape = images[one].shape
            looked.append(replace(images[one], xy=fault.change(xy, shape) if fault else xy))
        return judge(looked)

    cells = [name]
    for count, (right, wrong) in DRAWS.items():
        seed = zlib.crc32(name.encode())
        draws = [draw(data.xy, count, [n, seed]) for n in range(max(right, wrong))]
        alarms = sum(placed(one, None).reading is not None for one in draws[:right])
        cells.append(f"{alarms} of {right}")
        told, other = [], 0
        for fault in FAULTS.values():
            verdicts = [placed(one, fault) for one in draws[:wrong]]
            told.append(sum(map(fault.is_told, verdicts)))
            other += sum(v.reading is not None for v in verdicts) - told[-1]
        cells.append(" ".join(map(str, told)) + f" of {wrong}" + (f", {other} wrong" * bool(other)))
    return cells


def main() -> None:
    """Print the table, a row as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--bench", type=Path, required=True, help="development data")
    parser.add_argument("--sets", default="", help="comma list of parts of their names; all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"told: {', '.join(FAULTS)}\n")
    heads = ["all: alarms", "told", "15: alarms", "told", "5: alarms", "told"]
    print(f"| set | {' | '.join(heads)} |\n|{' --- |' * 7}")
    for name, data in open_sets(options.bench):
        if any(part in name for part in options.sets.split(",")):
            print(f"| {' | '.join(measure(name, data))} |", flush=True)


if __name__ == "__main__":
    main()
