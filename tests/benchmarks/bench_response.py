"""The score of rings, discs, rods, tubes, shells and particles of every size.

    python tests/benchmarks/bench_response.py [--models general ...] [--plot curves.png]

Objects of outer size .4 to 1.3 of the stated diameter, alone and among full-size particles, on
micrographs made here (`response`): the median score at their places, the share with P > .5, and
the sizes with a median of at least 0. All models see the same micrographs. No data is needed;
about 20 seconds a model.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from pathlib import Path

# Threads that spin while they wait burn the CPU time that is measured; torch reads this on import.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from response.micrographs import DIAMETER_A, PIXEL_A, Contrast, scenes
from response.names import open_models
from response.objects import KINDS
from response.plot import draw_curves
from response.score import Scorer
from response.table import Answer, response_table, target_lines

from frostpick.errors import FrostpickError
from frostpick.models.picking_model import PickingModel


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", nargs="+", default=["general"], help="shipped names or paths")
    parser.add_argument("--each", type=int, default=20, help="objects of a kind and size")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--contrast", choices=["fair", "density"], default="fair", help="see response/micrographs"
    )
    parser.add_argument("--plot", type=Path, help="write the curves as a PNG")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(arguments)


def answers_of(
    models: dict[str, PickingModel],
    each: int,
    *,
    seed: int = 0,
    contrast: Contrast = "fair",
    threads: int = 1,
    device: str = "cpu",
) -> list[Answer]:
    """Return what each model says to lone objects and to those among neighbours."""
    torch.set_num_threads(threads)
    scorers = {
        name: Scorer(model, DIAMETER_A, threads=threads, device=device)
        for name, model in models.items()
    }
    found = []
    for neighbours in (False, True):
        lists: dict[str, dict[tuple[str, float], list[float]]] = {
            name: defaultdict(list) for name in models
        }
        for scene in scenes(each, neighbours, seed=seed, contrast=contrast):
            x, y = [o.x for o in scene.objects], [o.y for o in scene.objects]
            for name, scorer in scorers.items():
                values = scorer.at(scene.image, PIXEL_A, x, y)
                for one, value in zip(scene.objects, values.tolist(), strict=True):
                    lists[name][one.kind, one.size].append(value)
        for name, scores in lists.items():
            arrays = {key: np.array(values) for key, values in scores.items()}
            found.append(Answer(name, neighbours, arrays))
    return found


def main(arguments: list[str] | None = None) -> None:
    """Print the table, and draw it where asked."""
    options = parse(arguments)
    began = time.monotonic()
    try:
        models = open_models(options.models)
        answers = answers_of(
            models,
            options.each,
            seed=options.seed,
            contrast=options.contrast,
            threads=options.threads,
            device=options.device,
        )
    except FrostpickError as error:
        raise SystemExit(str(error)) from error
    print(
        f"Median score and share with P > .5 of {options.each} objects by outer size in stated "
        "diameters\n"
    )
    print(response_table(answers, KINDS) + "\n")
    print(target_lines(answers, KINDS))
    if options.plot:
        draw_curves(answers, KINDS, options.plot)
    sys.stderr.write(f"{time.monotonic() - began:.0f} s\n")


if __name__ == "__main__":
    main()
