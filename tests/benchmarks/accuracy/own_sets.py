"""Two small sets of our own simulator, for a reader without the development data.

Their seeds belong to the benchmark: no pretraining and no test uses them.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from accuracy.sets import BenchSet, SetInfo, open_set
from frostpick.runtime.atomic import write_text
from frostpick.simulate import (
    SimulatedMicrograph,
    SimulationSettings,
    random_protein,
    simulate_micrograph,
    write_mrc,
)

TRAIN, TEST = 10, 6
OWN = {
    "own_hollow": SimulationSettings(
        micrographs=TRAIN + TEST,
        size=736,
        seed=904_001,
        pixel_size_A=5.0,
        diameter_A=130.0,
        particles_per_micrograph=110,
        family="hollow",
        symmetry="O",
    ),
    "own_lobed": SimulationSettings(
        micrographs=TRAIN + TEST,
        size=736,
        seed=904_002,
        pixel_size_A=5.0,
        diameter_A=170.0,
        particles_per_micrograph=70,
        family="lobed",
        symmetry="C1",
        views="preferred",
    ),
}
COLUMNS = ("image_name", "x_coord", "y_coord", "rot", "tilt", "psi", "edge", "kind")


def own_set(name: str, folder: Path) -> BenchSet:
    """Simulate a set where it is not yet there, and open it.

    Parameters
    ----------
    folder
        Gets ``<name>/{train,test}``; a set that is complete is left alone.
    """
    settings = OWN[name]
    text = json.dumps(settings.model_dump(mode="json"), indent=1) + "\n"
    # The settings name the folder: processes that share the work never see half a set.
    place = folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    if not place.exists():
        with tempfile.TemporaryDirectory(dir=_made(folder)) as half_done:
            _simulate(Path(half_done) / name, settings)
            write_text(Path(half_done) / name / "settings.json", text)
            with contextlib.suppress(OSError):  # another process was first
                (Path(half_done) / name).rename(place)
    info = SetInfo(name, "coords.csv", settings.pixel_size_A, settings.diameter_A, True)
    return open_set(name, place, info)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _simulate(folder: Path, settings: SimulationSettings) -> None:
    protein = random_protein(settings)
    for half, indices in (("train", range(TRAIN)), ("test", range(TRAIN, TRAIN + TEST))):
        place = folder / half
        (place / "masks").mkdir(parents=True, exist_ok=True)
        (place / "micrographs").mkdir(exist_ok=True)
        made = [simulate_micrograph(protein, settings, index) for index in indices]
        for one in made:
            write_mrc(place / "micrographs" / f"{one.name}.mrc", one.image, one.pixel_size_A)
            Image.fromarray(np.asarray(one.mask, np.uint8)).save(place / f"masks/{one.name}.png")
        _write_truth(place / "coords.csv", made)
        meta = [{"name": one.name, "defocus_A": one.ctf.defocus_A, "snr": one.snr} for one in made]
        write_text(place / "meta.json", json.dumps(meta, indent=1) + "\n")


def _write_truth(path: Path, made: list[SimulatedMicrograph]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in made:
            t = one.truth
            for k in range(len(t)):
                numbers = (t.x_px[k], t.y_px[k], t.rot[k], t.tilt[k], t.psi[k])
                text = [f"{value:.3f}" for value in numbers]
                writer.writerow([one.name, *text, int(t.edge[k]), t.kind[k]])
