"""Picks of noise, by inverted contrast and by the truth.

    python tests/benchmarks/bench_null.py --bench BENCH [--unseen SETS] [--runs RUNS]

Of every set the test micrographs are picked as they are and with inverted contrast. The truth says
how many picks with P > .5, .27 and .12 lie on background, neither at a particle nor on junk; the
decoys say how many are expected there. ``--labels``: ``none`` is the shipped model; ``0``, ``15``
and ``200`` are models that ``bench_unseen.py`` trained and kept below ``RUNS`` on those versions
of the sets. ``--half train`` takes the micrographs that these models learned from. Then real
pictures of ice of six kinds. A run is a file of ``--out``/results and is not run again; the sets
are only read.
"""

from __future__ import annotations

import argparse
import csv
import logging
import os
import sys
import time
from functools import partial
from pathlib import Path

# Threads that spin while they wait burn the CPU time that is measured; torch reads this on import.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from accuracy.sets import BenchSet
from null_picks.measure import CUTS, Result, against_truth, figures, picked_twice, score_of
from null_picks.table import ice_table, sets_table, sums_table
from response.picking import Jobs
from unseen.plan import OLD, open_old
from unseen.sets import SETS, open_unseen

from frostpick.errors import FrostpickError
from frostpick.models.model_file import WEIGHTS
from frostpick.models.picking_model import PickingModel
from frostpick.models.shipped import load_model
from frostpick.picking.noise import expected_noise

#: Nominal pixel size of the ice pictures, and the diameters stated on them, in Angstrom.
ICE_PIXEL_A, ICE_DIAMETERS_A = 8.0, (120.0, 160.0, 250.0)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bench", type=Path, required=True, help="development data")
    parser.add_argument("--unseen", type=Path, default=Path(".bench/unseen/sets"))
    parser.add_argument("--runs", type=Path, default=Path(".bench/unseen/runs"))
    parser.add_argument("--model", default="general", help="the one without labels")
    parser.add_argument("--labels", default="none", help="of none,0,15,200")
    parser.add_argument("--sets", help="comma list; all")
    parser.add_argument("--half", choices=["test", "train"], default="test")
    parser.add_argument("--out", type=Path, default=Path(".bench/null"))
    parser.add_argument("--no-ice", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing and print the tables."""
    options = parse(arguments)
    logging.basicConfig(level=logging.ERROR)
    torch.set_num_threads(1)
    try:
        results = run_sets(options)
        ice = [] if options.no_ice else run_ice(options)
    except FrostpickError as error:
        raise SystemExit(str(error)) from error
    print("Sums over sets\n\n" + sums_table(results) + "\n\nSet by set\n\n" + sets_table(results))
    if ice:
        print("\nReal ice\n\n" + ice_table(ice))


def places(options: argparse.Namespace) -> dict[str, Path | None]:
    """Return the folders of the sets by name; None for development data.

    Of several versions of a set the one that ``--runs`` has, where it has one.
    """
    asked = options.sets.split(",") if options.sets else [*SETS, *OLD]
    found: dict[str, Path | None] = {}
    for name in asked:
        if name in OLD:
            found[name] = None
            continue
        versions = sorted(options.unseen.glob(f"{name}-*"))
        known = [one for one in versions if (options.runs / one.name).exists()]
        if not versions:
            raise SystemExit(f"{options.unseen}: no set {name}; make it with bench_unseen.py")
        found[name] = (known or versions)[-1]
    return found


def model_of(options: argparse.Namespace, name: str, tag: str, labels: str) -> Path | str | None:
    """Return the model of a set and count of labels; None where none is kept."""
    if labels == "none":
        return str(options.model)
    kept = options.runs / tag / "models"
    models = [one for one in kept.glob(f"{name}-{labels}-d0-plain-*") if (one / WEIGHTS).exists()]
    # of several versions of the code, the one that was trained last
    return max(models, key=lambda one: (one / WEIGHTS).stat().st_mtime) if models else None


def run_sets(options: argparse.Namespace) -> list[Result]:
    """Return the results of all sets and counts of labels."""
    jobs, results = Jobs(options.out.absolute()), []
    for labels in options.labels.split(","):
        for name, folder in places(options).items():
            tag = name if folder is None else folder.name
            path = model_of(options, name, tag, labels)
            if path is None:
                continue
            began, model = time.monotonic(), load_model(str(path))
            run = f"{tag}-{options.half}-{labels}-{model.digest.removeprefix('sha256:')[:8]}"
            make = partial(of_set, options, model, name, folder, labels)
            results.append(jobs.kept(run, make))
            sys.stderr.write(f"{run}: {time.monotonic() - began:.0f} s\n")
    return results


def of_set(
    options: argparse.Namespace, model: PickingModel, name: str, folder: Path | None, labels: str
) -> Result:
    """Return the rows of a set."""
    data: BenchSet
    data = open_old(options.bench, name) if folder is None else open_unseen(name, folder).data
    split = data.test if options.half == "test" else data.train
    rows = against_truth(model, split, data.pixel_A, data.diameter_A)
    return {"set": name, "labels": labels, "half": options.half, "rows": rows}


def run_ice(options: argparse.Namespace) -> list[Result]:
    """Return the counts on the real ice pictures, by kind."""
    jobs, model = Jobs(options.out.absolute()), load_model(options.model)
    digest, folder = model.digest.removeprefix("sha256:")[:8], options.bench / "real" / "ice"
    return [
        jobs.kept(f"ice-{diameter:g}-{digest}", partial(of_ice, model, folder, diameter))
        for diameter in ICE_DIAMETERS_A
    ]


def of_ice(model: PickingModel, folder: Path, diameter_A: float) -> Result:
    """Return the counts at a stated diameter."""
    with (folder / "kinds.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    kinds = {row["micrograph"].removesuffix(".mrc"): row["kind"] for row in rows}
    files = [folder / f"{name}.mrc" for name in kinds]
    samples = [one for _, one in picked_twice(model, files, ICE_PIXEL_A, diameter_A)]
    told = {}
    for kind in dict.fromkeys(kinds.values()):
        mine = [one for one in samples if kinds[one.micrograph_id] == kind]
        told[kind] = [{"p": p, **figures(expected_noise(mine, score_of(p)))} for p in CUTS]
    return {"diameter_A": diameter_A, "kinds": told}


if __name__ == "__main__":
    main()
