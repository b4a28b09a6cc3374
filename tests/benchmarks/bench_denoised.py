"""Accuracy without labels on micrographs that were denoised or filtered before picking.

    python tests/benchmarks/bench_denoised.py --bench BENCH --denoisers FOLDER \\
        --models general general-1 [--sets bgal_r,real] [--looks raw,fine] [--table]

The test micrographs of each development set as they are, denoised by the networks of
``python -m frostpick.pretraining.picker.train_denoiser FOLDER``, and filtered; picked by each
model and its diameter alone. The real set, of small pixels, is brought to about 6 A a pixel first.
One file a run in ``--out``; what is there is not run again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

# Threads that spin while they wait burn the CPU time that is measured; torch reads this on import.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from accuracy.code_version import code_version
from accuracy.measure import measure, read_picked
from accuracy.sets import BENCH, BenchSet, Split, open_bench
from accuracy.text_table import markdown, number
from numpy.typing import NDArray

from frostpick.images import read_image
from frostpick.models.shipped import load_model
from frostpick.pretraining.picker.denoiser import Denoiser, load_denoiser
from frostpick.pretraining.picker.filters import binned, binned_sampling, gaussian_low_pass, wiener
from frostpick.runtime.atomic import write_text
from frostpick.simulate import write_mrc
from frostpick_jobs import api

Image = NDArray[np.float32]

#: The looks, in the order of the table.
LOOKS = ("raw", "fine", "broad", "twice", "half", "wiener", "gauss30")
#: A set of smaller pixels, in Angstrom, is binned until they are larger.
SMALLEST_A = 4.0
#: Parts of the engine that the picks do not depend on; those that make the looks stay in.
ASIDE = ("report", "simulate", "pruning", "training")


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bench", type=Path, required=True, help="development data")
    parser.add_argument("--denoisers", type=Path, required=True, help="folder of the denoisers")
    parser.add_argument("--models", nargs="+", default=["general"])
    parser.add_argument("--sets", help="comma list; all without it")
    parser.add_argument("--looks", default=",".join(LOOKS))
    parser.add_argument("--out", type=Path, default=Path(".bench/denoised"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    looks = options.looks.split(",")
    unknown = set(looks) - set(LOOKS)
    if unknown:
        raise SystemExit(f"--looks {', '.join(sorted(unknown))}, expected {', '.join(LOOKS)}")
    names = options.sets.split(",") if options.sets else list(BENCH)
    results = []
    for model in options.models:
        for data in open_bench(options.bench, names):
            for look in looks:
                path = result_path(options, model, data.name, look)
                if path.exists():
                    results.append(json.loads(path.read_text()))
                elif not options.table:
                    results.append(one_run(options, model, data, look))
                    write_text(path, json.dumps(results[-1], indent=1) + "\n")
                    sys.stderr.write(f"{path.stem}: {results[-1]['ap']:.3f}\n")
    print(table(results, looks))


def result_path(options: argparse.Namespace, model: str, data: str, look: str) -> Path:
    """Return the file of a run: named by all that it depends on."""
    digest = load_model(model).digest.removeprefix("sha256:")[:8]
    weights = hashlib.sha256()
    for file in sorted(options.denoisers.glob("*.safetensors")):
        weights.update(file.read_bytes())
    parts = (data, look, digest, weights.hexdigest()[:8], code_version(ASIDE))
    return Path(options.out / "results" / f"{'-'.join(parts)}.json")


def one_run(options: argparse.Namespace, model: str, data: BenchSet, look: str) -> dict[str, Any]:
    """Make the look of the test micrographs, pick, and measure."""
    make = maker(look, options.denoisers)
    (options.out / "work").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out / "work") as folder:
        began = time.process_time()
        looked, split = written(data, make, Path(folder) / "looked")
        spent = (time.process_time() - began) / len(split.names)
        api.pick(
            Path(folder) / "pick",
            micrographs=str(split.micrographs),
            model=model,
            diameter=data.diameter_A,
            threads=options.threads,
            device="cpu",
        )
        picked = read_picked(Path(folder) / "pick" / "picks.csv")
    figures = measure(looked, split, picked, None)
    kept = ("ap", "best_f1", "auto_precision", "auto_recall", "selected", "particles")
    told = {"model": model, "set": data.name, "look": look, "look_cpu_s": spent}
    return {**told, "code": code_version(ASIDE), **{k: figures[k] for k in kept}}


def maker(look: str, folder: Path) -> Callable[[Image, float], Image]:
    """Return what gives an image of a pixel size in Angstrom the look."""

    def network(name: str) -> Denoiser:
        return load_denoiser(folder / f"{name}.safetensors")

    if look == "raw":
        return lambda image, _: image
    if look in ("fine", "broad"):
        one = network(look)
        return lambda image, _: one(image)
    if look == "twice":  # both, one after the other: the smoothest
        fine, broad = network("fine"), network("broad")
        return lambda image, _: broad(fine(image))
    if look == "half":  # as users mix the raw image in
        fine = network("fine")
        return lambda image, _: np.float32(0.5) * (fine(image) + image)
    if look == "wiener":
        return lambda image, _: wiener(image)
    return lambda image, pixel_A: gaussian_low_pass(image, max(2.0, 30.0 / pixel_A))


def written(
    data: BenchSet, make: Callable[[Image, float], Image], folder: Path
) -> tuple[BenchSet, Split]:
    """Write the test micrographs in their look; return the set and its half at the new size."""
    step = max(1, int(np.ceil(SMALLEST_A / data.pixel_A)))
    sampling = binned_sampling(data.test.shape, data.pixel_A, step)
    pixel_A = data.pixel_A * step
    (folder / "micrographs").mkdir(parents=True)
    for name in data.test.names:
        image = read_image(data.test.micrographs / f"{name}.mrc", name).data
        look = make(binned(image.astype(np.float32), step), pixel_A)
        write_mrc(folder / "micrographs" / f"{name}.mrc", look, pixel_A)
    truth = data.test.truth
    yx = sampling.from_parent(np.stack([truth.y_px, truth.x_px], axis=1))
    truth = replace(truth, x_px=yx[:, 1], y_px=yx[:, 0])
    split = replace(
        data.test, folder=folder, shape=sampling.shape, truth=truth, masks=None, defocus_A={}
    )
    return replace(data, pixel_A=pixel_A, test=split), split


def table(results: list[dict[str, Any]], looks: list[str]) -> str:
    """Return AP by model and set, a column a look."""
    found = {(r["model"], r["set"], r["look"]): r["ap"] for r in results}
    rows = [
        [model, name, *(number(found.get((model, name, look))) for look in looks)]
        for model, name in dict.fromkeys((r["model"], r["set"]) for r in results)
    ]
    return markdown(["model", "set", *looks], rows)


if __name__ == "__main__":
    main()
