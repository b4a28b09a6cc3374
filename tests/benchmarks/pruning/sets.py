"""Boxes of the simulated development sets, cut once a process and shared by all draws."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from frostpick.images import read_image
from frostpick.pruning.boxes import Boxes, BoxGeometry, boxes_of_micrograph

#: Pixel size and diameter in Angstrom.
SETS = {"apof_r": (5.0, 128.0), "bgal_r": (5.0, 176.0), "gpcrgs_r": (4.0, 124.0)}
#: Topaz's default score, above which all recorded picks are.
TOPAZ_DEFAULT = -6.0


@dataclass(frozen=True)
class NoisyBoxes:
    """Boxes of ``noisy_picks.csv``, in the order of its micrographs.

    Parameters
    ----------
    boxes
        Working boxes.
    good
        ``(n,)`` bool, whether each is a particle.
    group
        ``(n,)`` int64, number of its micrograph.
    source
        ``(n,)`` text, what it shows.
    """

    boxes: Boxes
    good: np.ndarray
    group: np.ndarray
    source: np.ndarray


@dataclass(frozen=True)
class TopazPicks:
    """The recorded picks of a test micrograph, best first, and its particles.

    Parameters
    ----------
    boxes
        Working boxes of the picks.
    xy
        ``(n, 2)`` float64, in pixels.
    merit
        ``(n,)`` float64, Topaz's score.
    particles
        ``(m, 3)`` float64: x, y and whether it is cut by the border.
    """

    boxes: Boxes
    xy: np.ndarray
    merit: np.ndarray
    particles: np.ndarray


@cache
def noisy_boxes(bench: Path, name: str, split: str, side: int) -> NoisyBoxes:
    """Cut the boxes of ``noisy_picks.csv``."""
    folder = bench / "simulated" / name / split
    rows = defaultdict(list)
    for row in csv.DictReader((folder / "noisy_picks.csv").open()):
        rows[row["image_name"]].append(row)
    parts, good, group, source = [], [], [], []
    for number, (image, found) in enumerate(sorted(rows.items())):
        xy = np.array([(float(row["x_coord"]), float(row["y_coord"])) for row in found])
        parts.append(_boxes(folder, image, xy, name, side))
        good += [int(row["label"]) == 1 for row in found]
        group += [number] * len(found)
        source += [row["source"] for row in found]
    boxes = Boxes.concat(parts, side)
    return NoisyBoxes(boxes, np.array(good), np.array(group), np.array(source))


@cache
def topaz_picks(bench: Path, name: str, side: int) -> list[TopazPicks]:
    """Cut the boxes of Topaz's recorded picks, a list over the test micrographs."""
    folder = bench / "simulated" / name / "test"
    truth, picks = particles_of(folder), defaultdict(list)
    for row in csv.DictReader((bench / "topaz_picks" / f"{name}_test.csv").open()):
        if float(row["score"]) > TOPAZ_DEFAULT:
            place = (float(row["x_px"]), float(row["y_px"]), float(row["score"]))
            picks[Path(row["micrograph"]).stem].append(place)
    found = []
    for image, particles in truth.items():
        best_first = sorted(picks[image], key=lambda row: -row[2])
        rows = np.array(best_first).reshape(-1, 3)
        xy, merit = rows[:, :2], rows[:, 2]
        boxes = _boxes(folder, image, xy, name, side)
        found.append(TopazPicks(boxes, xy, merit, np.array(particles, np.float64)))
    return found


def particles_of(folder: Path) -> dict[str, list[tuple[float, float, float]]]:
    """Return x, y and whether it is cut by the border of each particle, by micrograph."""
    found = defaultdict(list)
    with (folder / "coords.csv").open() as handle:
        for row in csv.DictReader(handle):
            if row["kind"] == "particle":
                place = (float(row["x_coord"]), float(row["y_coord"]), float(row["edge"]))
                found[row["image_name"]].append(place)
    return found


def _boxes(folder: Path, image: str, xy: np.ndarray, name: str, side: int) -> Boxes:
    pixel, diameter = SETS[name]
    data = read_image(folder / "micrographs" / f"{image}.mrc", image).data
    geometry = BoxGeometry(diameter, side)
    return Boxes.concat(list(boxes_of_micrograph(data, xy[:, 0], xy[:, 1], pixel, geometry)), side)
