"""AP, precision and recall where the diameter is stated .5 to 2 times the true one, or ``auto``.

    python tests/benchmarks/bench_diameter.py --bench BENCH [--models general PATH ...]

Picks the test micrographs of every set without a label, through `frostpick_jobs.api`, and tells
whether the job warned of the diameter, and what ``auto`` came to. A second
part: the share of the barrel's views found with P > .5 by tilt, on all of its micrographs, with
the diameter stated 1, .85 and .75 times the true one; at a tilt near 0 a view is end-on and fills
.67 of the diameter. A run is a file of ``--out``/results and is not run again.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time

# Threads that spin while they wait burn the CPU time that is measured; torch reads this on import.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from response.extent_recall import views_table
from response.names import open_models
from response.options import parse
from response.picking import Jobs, open_sets
from response.stated_diameter import (
    AUTO,
    FACTORS,
    VIEW_FACTORS,
    Result,
    diameter_table,
    even_table,
    extents_table,
    pick_stated,
    warned_table,
)

from frostpick.errors import FrostpickError

#: The set of the views' part.
BARREL = "barrel_r"


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing and print the tables."""
    options = parse(__doc__, ".bench/diameter", arguments)
    logging.basicConfig(level=logging.ERROR)
    try:
        results, views = run(options)
    except FrostpickError as error:
        raise SystemExit(str(error)) from error
    print("AP with no label, by stated over true diameter\n\n" + diameter_table(results))
    print("\nPrecision / recall of the picks with P > .5\n\n" + even_table(results))
    print("\nWarned of the diameter; auto: found over true diameter\n\n" + warned_table(results))
    print("\nRecall of the selected picks by extent of the views\n\n" + extents_table(results))
    if views:
        print("\nShare of the barrel's views with P > .5, by folded tilt in degrees\n")
        print(views_table(views))


def run(options: argparse.Namespace) -> tuple[list[Result], list[Result]]:
    """Return the results of the sets' test halves, and those of the views of the barrel."""
    jobs = Jobs(options.out.absolute(), options.threads, options.device)
    models = open_models(options.models)
    results, views = [], []
    for data in open_sets(options.bench, options.sets.split(","), options.unseen):
        for name, model in models.items():
            began = time.monotonic()
            results += [pick_stated(jobs, name, model, data, "test", f) for f in (*FACTORS, AUTO)]
            if data.name == BARREL:
                views += [
                    pick_stated(jobs, name, model, data, half, factor)
                    for factor in VIEW_FACTORS
                    for half in ("train", "test")
                ]
            sys.stderr.write(f"{data.name} {name}: {time.monotonic() - began:.0f} s\n")
    return results, views


if __name__ == "__main__":
    main()
