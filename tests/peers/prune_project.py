"""A small project to prune: discs and empty ice on two micrographs, their picks and stacks."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from made_images import draw_spots, noise, spots_on_noise, write_mrc
from tiny_pruner import DIAMETER_A, PIXEL_A

from frostpick.settings import PruneSettings
from frostpick_jobs.formats import read_star_blocks
from frostpick_jobs.hosts.folder import FolderHost
from frostpick_jobs.job.lifecycle import execute
from frostpick_jobs.tasks.prune.run import run_prune

SHAPE = (192, 224)
DISCS = {
    "a.mrc": [(50.0, 60.0), (120.0, 70.0), (170.0, 140.0)],
    "b.mrc": [(60.0, 50.0), (150.0, 120.0)],
}
EMPTY = {"a.mrc": [(60.0, 140.0), (115.0, 130.0)], "b.mrc": [(70.0, 140.0)]}
#: Rows of picks.csv: what becomes of each is known from the picture.
ROWS = [
    ("a", 50, 60, ""),
    ("b", 60, 50, ""),
    ("a", 60, 140, "not particle"),
    ("a", 120, 70, ""),
    ("b", 70, 140, "not particle"),
    ("a", 122, 71, "duplicate"),
    ("a", 115, 130, "not particle"),
    ("b", 150, 120, ""),
    ("a", 8, 60, "edge"),
    ("c", 50, 50, "not read"),
    ("a", 170, 140, ""),
]
OPTICS = """
# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnImagePixelSize #3
_rlnImageSize #4
fine            1     4.000000           48
# a comment in the middle
coarse          2     4.000000           48

"""


def write_project(folder: Path) -> None:
    """Write the two micrographs and ``picks.csv``."""
    for number, (name, discs) in enumerate(DISCS.items()):
        write_mrc(folder / "mics" / name, spots_on_noise(SHAPE, discs, 10 + number))
    lines = ["micrograph,x_px,y_px", *(f"{m},{x},{y}" for m, x, y, _ in ROWS)]
    (folder / "picks.csv").write_text("\n".join(lines) + "\n")


def settings(pruner: str, **others: object) -> PruneSettings:
    told = {"pruner": pruner, "diameter": DIAMETER_A, "pixel_size": PIXEL_A}
    # One look: to this tiny network a disc two pixels off may look better at four.
    told |= {"four_rotations": False, "border": 0.5}
    return PruneSettings(**{**told, "device": "cpu", "threads": 1, "threshold": "0", **others})


def prune(project: Path, asked: PruneSettings, out: str = "out", **inputs: object) -> FolderHost:
    given = {"picks": ["picks.csv"], "micrographs": ["mics"], **inputs}
    # one file may stand for itself
    given = {name: [one] if isinstance(one, Path) else one for name, one in given.items()}
    host = FolderHost(project / out, given, pixel_size=PIXEL_A)  # type: ignore[arg-type]
    execute(host, lambda: run_prune(host, asked))
    return host


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def positions(path: Path) -> list[tuple[str, float, float]]:
    (block,) = read_star_blocks(path).values()
    names = ("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY")
    rows = zip(*(block.columns[n] for n in names), strict=True)
    return [(m, float(x), float(y)) for m, x, y in rows]


def write_particles(project: Path) -> Path:
    """Write two stacks of light particles, binned twice, and a particles file on them."""
    (project / "Extract").mkdir()
    rows = []
    for number, name in enumerate(DISCS):
        centres = DISCS[name] + EMPTY[name]
        big = noise((2 * SHAPE[0], 2 * SHAPE[1]), 30 + number).astype(np.float32)
        draw_spots(big, 2 * np.array(DISCS[name]), 4, 16.0)
        small = big.reshape(SHAPE[0], 2, SHAPE[1], 2).mean((1, 3)) * 2
        boxes = []
        for px, py in centres:
            left, top = int(px) - 24, int(py) - 24
            boxes.append(-small[top : top + 48, left : left + 48])
        stack = f"Extract/{name}s"
        write_mrc(project / stack, np.stack(boxes).astype(np.float32))
        good = len(DISCS[name])
        rows += [
            (f"{n + 1:06d}@{stack}", f"mics/{name}", px, py, n < good)
            for n, (px, py) in enumerate(centres)
        ]
    order = np.random.default_rng(2).permutation(len(rows))
    text = OPTICS.replace("4.000000", f"{PIXEL_A:.6f}") + "data_particles\n\nloop_\n"
    text += "_rlnImageName #1\n_rlnMicrographName #2\n_rlnCoordinateX #3\n_rlnCoordinateY #4\n"
    text += "_rlnOpticsGroup #5\n_rlnSomething #6\n"
    for number, at in enumerate(order.tolist()):
        image, mic, px, py, _ = rows[at]
        text += f"{image}   {mic}  {px:.6f}\t{py:.6f}  {1 + number % 2}   0.0012300\n"
    path = project / "particles.star"
    path.write_text(text + "\n")
    (project / "truth.json").write_text(json.dumps([bool(rows[at][4]) for at in order.tolist()]))
    return path
