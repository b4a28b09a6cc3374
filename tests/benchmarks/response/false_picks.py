"""How much is picked where nothing is: real ice, blank films, carbon, and random phases."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft
from accuracy.empties import EMPTY, write_empties
from accuracy.matching import match_picks
from accuracy.measure import Picked
from accuracy.sets import BenchSet, Split
from accuracy.text_table import MISSING, markdown, number
from numpy.typing import NDArray

from frostpick.images import read_image
from frostpick.models.picking_model import PickingModel
from frostpick.simulate import write_mrc
from response.picking import Jobs, set_tag

#: Stated diameters on the real ice, in Angstrom at its nominal pixel size.
ICE_DIAMETERS_A = (120.0, 200.0)
Result = dict[str, Any]


def phase_randomised(rng: np.random.Generator, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an image with the amplitude spectrum and mean of another, and random phases.

    The phases are those of normal noise, whose spectrum has the symmetry of a real image's.
    """
    spectrum = scipy.fft.rfft2(image.astype(np.float64))
    other = scipy.fft.rfft2(rng.standard_normal(image.shape))
    mixed = np.abs(spectrum) * other / np.abs(other)
    mixed[0, 0] = spectrum[0, 0]
    return np.asarray(scipy.fft.irfft2(mixed, s=image.shape), np.float32)


def write_phase_copies(split: Split, pixel_A: float, folder: Path) -> None:
    """Write ``phase_<name>.mrc`` of every micrograph of a split into a folder."""
    for number_, name in enumerate(split.names):
        image = read_image(split.micrographs / f"{name}.mrc", name).data
        rng = np.random.default_rng([20261127, *name.encode(), number_])
        write_mrc(folder / f"phase_{name}.mrc", phase_randomised(rng, image), pixel_A)


def counts(picked: Picked, names: Sequence[str]) -> Result:
    """Return picks a micrograph with P > .5 and as the job selected them."""

    def per_micrograph(threshold: float) -> float:
        scores = [picked.picks[name].score for name in names if name in picked.picks]
        return sum(int((s >= threshold).sum()) for s in scores) / len(names)

    return {"even": per_micrograph(0.0), "selected": per_micrograph(picked.threshold)}


def pick_ice(jobs: Jobs, name: str, model: PickingModel, folder: Path, diameter_A: float) -> Result:
    """Return the counts on the real ice pictures, by kind; one job of all of them."""

    def make() -> Result:
        with (folder / "kinds.csv").open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle))
        picked = jobs.pick(model, folder, diameter_A)
        by_kind: dict[str, list[str]] = {}
        for row in rows:
            by_kind.setdefault(row["kind"], []).append(row["micrograph"].removesuffix(".mrc"))
        return {
            "model": name,
            "where": f"ice at {diameter_A:g} A",
            "kinds": {kind: counts(picked, names) for kind, names in by_kind.items()},
        }

    return jobs.kept(f"ice-{diameter_A:g}-{name}", make)


def pick_empties(jobs: Jobs, name: str, model: PickingModel, data: BenchSet) -> Result:
    """Return the counts on a set's test micrographs and on empty ones, picked in one job.

    Of the test micrographs the true and the other picks; of a simulated set blank films and
    carbon; of every set phase-randomised copies.
    """

    def make() -> Result:
        folder = jobs.out / "work" / f"empties-{data.name}-{name}-{os.getpid()}"
        try:
            if data.simulated:
                write_empties(data, folder)
            else:
                folder.mkdir(parents=True)
                for file in sorted(data.test.micrographs.glob("*.mrc")):
                    os.symlink(file.resolve(), folder / file.name)
            write_phase_copies(data.test, data.pixel_A, folder)
            picked = jobs.pick(model, folder, data.diameter_A)
        finally:
            for file in folder.glob("*.mrc"):
                file.unlink()
            folder.rmdir()
        empty = [] if not data.simulated else ["blank", "carbon"]
        groups = {kind: [f"{kind}_{k}" for k in range(EMPTY)] for kind in empty}
        groups["random phases"] = [f"phase_{one}" for one in data.test.names]
        kinds = _particles(data, picked) | {k: counts(picked, v) for k, v in groups.items()}
        return {"model": name, "where": data.name, "kinds": kinds}

    return jobs.kept(f"empties-{set_tag(data)}-{name}", make)


def _particles(data: BenchSet, picked: Picked) -> dict[str, Result]:
    """Return true and other picks a test micrograph."""
    test = data.test
    matched = match_picks(picked.picks, test.truth, test.names, test.shape, data.diameter_px)

    def per_micrograph(threshold: float, true: bool) -> float:
        chosen = (matched.score >= threshold) & (matched.true == true)
        return int(chosen.sum()) / len(test.names)

    return {
        text: {
            "even": per_micrograph(0.0, true),
            "selected": per_micrograph(picked.threshold, true),
        }
        for text, true in (("test: true", True), ("test: false", False))
    }


def false_table(results: Sequence[Mapping[str, Any]]) -> str:
    """Return picks a micrograph: a row a place and kind, two columns a model."""
    models = list(dict.fromkeys(r["model"] for r in results))
    by = {(r["where"], kind, r["model"]): v for r in results for kind, v in r["kinds"].items()}
    header = ["where", "kind"]
    header += [f"{model}, {rule}" for model in models for rule in ("P > .5", "own threshold")]
    rows = []
    for where, kind in dict.fromkeys((where, kind) for where, kind, _ in by):
        cells = []
        for model in models:
            found = by.get((where, kind, model))
            for rule in ("even", "selected"):
                cells.append(MISSING if found is None else number(found[rule], 1))
        rows.append([where, kind, *cells])
    return markdown(header, rows)
