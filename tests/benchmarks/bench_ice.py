"""Picks a micrograph where there is no particle, and on what is there beside it.

    python tests/benchmarks/bench_ice.py --bench BENCH [--models general PATH ...]

Real pictures of six kinds of ice at two stated diameters; and of every set one job of its test
micrographs together with blank films, carbon, and copies of the test micrographs with the same
amplitude spectrum and random phases, on which any pick is false. Counts with P > .5 and at the
threshold the job chose by itself; on the test micrographs true and false picks apart, so that it
shows when nothing was won but by picking less. A run is a file of ``--out``/results and is not
run again.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time

# Threads that spin while they wait burn the CPU time that is measured; torch reads this on import.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from response.false_picks import ICE_DIAMETERS_A, Result, false_table, pick_empties, pick_ice
from response.names import open_models
from response.options import parse
from response.picking import Jobs, open_sets

from frostpick.errors import FrostpickError


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing and print the table."""
    options = parse(__doc__, ".bench/ice", arguments)
    logging.basicConfig(level=logging.ERROR)
    try:
        results = run(options)
    except FrostpickError as error:
        raise SystemExit(str(error)) from error
    print("Picks a micrograph\n\n" + false_table(results))


def run(options: argparse.Namespace) -> list[Result]:
    """Return the results of the ice and of the sets, model by model."""
    jobs = Jobs(options.out.absolute(), options.threads, options.device)
    ice = options.bench / "real" / "ice"
    if not (ice / "kinds.csv").exists():
        raise SystemExit(f"{ice}: no kinds.csv; is this the development data?")
    sets = open_sets(options.bench, options.sets.split(","), options.unseen)
    results = []
    for name, model in open_models(options.models).items():
        began = time.monotonic()
        results += [pick_ice(jobs, name, model, ice, one) for one in ICE_DIAMETERS_A]
        results += [pick_empties(jobs, name, model, data) for data in sets]
        sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    return results


if __name__ == "__main__":
    main()
