"""The inputs of all cases: simulated micrographs, and picks of them in every format."""

from __future__ import annotations

import csv
import os
import random
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import mrcfile
import numpy as np

from comparing.environments import Environment

PIXEL_A, DIAMETER_A, SIDE, BOX = 4.0, 150.0, 512, 56
DIAMETER = f"{DIAMETER_A:g}"
COUNT, FEW = 5, 2
#: Set on every input: file times are in the keys of stored results.
TIME = 1_577_836_800
CONFIG = f"""pixel_size_A: {PIXEL_A}
diameter_A: {DIAMETER_A}
particles_per_micrograph: 30
"""
OPTICS = f"""# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographPixelSize #3
_rlnImagePixelSize #4
_rlnImageSize #5
_rlnVoltage #6
one 1 {PIXEL_A:.6f} {PIXEL_A:.6f} {BOX} 300.000000

"""
MICROGRAPHS_HEAD = "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n"
COORDINATES_HEAD = "\ndata_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n"


@dataclass(frozen=True)
class Pick:
    """One row of a table of picks."""

    micrograph: str
    x: float
    y: float
    true: bool = True
    score: float = 0.0


def make_data(environment: Environment, folder: Path) -> None:
    """Simulate with one tree; both trees get these files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "simulate.yaml").write_text(CONFIG, encoding="utf-8")
    words = ["--micrographs", str(COUNT), "--size", str(SIDE), "--seed", "3"]
    words += ["--config", "simulate.yaml", "-o", "simulated"]
    subprocess.run(
        [environment.venv / "bin" / "frostpick", "simulate", *words],
        cwd=folder,
        env=environment.variables(folder),
        stderr=subprocess.DEVNULL,
        check=True,
    )
    shutil.move(folder / "simulated" / "micrographs", folder / "micrographs")
    shutil.move(folder / "simulated" / "particles.csv", folder / "truth.csv")
    shutil.rmtree(folder / "simulated")
    names = sorted(path.name for path in (folder / "micrographs").iterdir())
    (folder / "few").mkdir()
    for name in names[:FEW]:
        shutil.copy(folder / "micrographs" / name, folder / "few")
    _write_picks(folder, names)
    _write_relion(folder / "relion", folder / "micrographs", names, _truth(folder))
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (TIME, TIME))


def _write_picks(folder: Path, names: list[str]) -> None:
    dice = random.Random(7)
    truth = _truth(folder)
    noisy = [Pick(t.micrograph, t.x, t.y, True, dice.gauss(3, 1)) for t in truth]
    for _ in range(len(truth)):
        x, y = (dice.uniform(20, SIDE - 20) for _ in "xy")
        noisy.append(Pick(dice.choice(names), x, y, False, dice.gauss(1, 1)))
    dice.shuffle(noisy)
    _write_csv(folder / "labels.csv", truth[::2])
    _write_csv(folder / "fifteen.csv", [t for t in truth if t.micrograph == names[0]][:15])
    _write_csv(folder / "noisy.csv", noisy)
    _write_csv(folder / "scored.csv", noisy, scores=True)
    marked = [n for n in noisy if n.micrograph in names[:FEW]]
    _write_csv(folder / "good.csv", [n for n in marked if n.true][:20])
    _write_csv(folder / "bad.csv", [n for n in marked if not n.true][:20])
    for kind in ("box", "star", "topaz"):
        (folder / kind).mkdir()
    topaz = ["image_name\tx_coord\ty_coord\tscore"]
    for name in names:
        mine = [n for n in noisy if n.micrograph == name]
        stem = Path(name).stem
        rows = "".join(f"{n.x:.6f} {n.y:.6f}\n" for n in mine)
        (folder / "star" / f"{stem}.star").write_text(COORDINATES_HEAD + rows + "\n")
        left = [(round(n.x - BOX / 2), round(n.y - BOX / 2)) for n in mine]
        (folder / "box" / f"{stem}.box").write_text(
            "".join(f"{x}\t{y}\t{BOX}\t{BOX}\n" for x, y in left)
        )
        topaz += [f"{stem}\t{n.x / 2:.0f}\t{n.y / 2:.0f}\t{n.score:.4f}" for n in mine]
    (folder / "topaz" / "picks.txt").write_text("\n".join(topaz) + "\n")


def _write_relion(folder: Path, images: Path, names: list[str], truth: list[Pick]) -> None:
    """Write a project folder: micrographs, manual picks, and extracted particles with shifts."""
    (folder / "Micrographs").mkdir(parents=True)
    picked, job = folder / "AutoPick/job005/Micrographs", "AutoPick/job005"
    picked.mkdir(parents=True)
    (folder / "Extract/job006").mkdir(parents=True)
    listed = "\ndata_coordinate_files\n\nloop_\n_rlnMicrographName #1\n"
    listed += "_rlnMicrographCoordinates #2\n"
    heads = ("ImageName", "MicrographName", "CoordinateX", "CoordinateY", "OriginXAngst")
    heads += ("OriginYAngst", "OpticsGroup", "CtfFigureOfMerit")
    particles = OPTICS + "data_particles\n\nloop_\n"
    particles += "".join(f"_rln{head} #{n}\n" for n, head in enumerate(heads, 1))
    dice, good, bad = random.Random(8), particles, particles
    for name in names:
        shutil.copy(images / name, folder / "Micrographs")
        stem = Path(name).stem
        mine = [t for t in truth if t.micrograph == name]
        empty = [Pick(name, dice.uniform(30, 480), dice.uniform(30, 480), False) for _ in mine]
        rows = "".join(f"{p.x:.6f} {p.y:.6f}\n" for p in mine[::2])
        (picked / f"{stem}_autopick.star").write_text(COORDINATES_HEAD + rows + "\n")
        listed += f"Micrographs/{name} {job}/Micrographs/{stem}_autopick.star\n"
        with mrcfile.open(images / name) as handle:
            image = np.pad(handle.data.astype(np.float32), BOX, mode="edge")
        boxes = []
        for number, p in enumerate([*mine, *empty], 1):
            x, y = int(p.x) + BOX // 2, int(p.y) + BOX // 2
            boxes.append(-image[y : y + BOX, x : x + BOX])
            stack = f"Extract/job006/{stem}.mrcs"
            row = f"{number:06d}@{stack} Micrographs/{name} {int(p.x)} {int(p.y)} "
            row += f"{-4 * (p.x % 1):.4f} {-4 * (p.y % 1):.4f} 1 0.0{number}\n"
            particles += row
            if number <= 8:
                good += row
            if number > len(mine) and number <= len(mine) + 8:
                bad += row
        with mrcfile.new(folder / stack) as handle:
            handle.set_data(np.stack(boxes).astype(np.float32))
            handle.voxel_size = PIXEL_A
    rows = "".join(f"Micrographs/{name} 1\n" for name in names)
    (folder / "micrographs.star").write_text(OPTICS + MICROGRAPHS_HEAD + rows + "\n")
    first = "".join(f"Micrographs/{name} 1\n" for name in names[:FEW])
    (folder / "few.star").write_text(OPTICS + MICROGRAPHS_HEAD + first + "\n")
    (folder / job / "autopick.star").write_text(listed + "\n")
    (folder / job / "coords_suffix_autopick.star").write_text("micrographs.star\n")
    for file, text in (("particles", particles), ("good", good), ("bad", bad)):
        (folder / f"{file}.star").write_text(text + "\n")


def _truth(folder: Path) -> list[Pick]:
    with open(folder / "truth.csv", encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["edge"] == "0"]
    return [Pick(row["micrograph"], float(row["x_px"]), float(row["y_px"])) for row in rows]


def _write_csv(path: Path, picks: list[Pick], scores: bool = False) -> None:
    lines = ["micrograph,x_px,y_px" + (",score" if scores else "")]
    for p in picks:
        more = f",{p.score:.4f}" if scores else ""
        lines.append(f"{p.micrograph},{p.x:.3f},{p.y:.3f}{more}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
