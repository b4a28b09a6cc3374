"""Accuracy beside Topaz, a fixed filter and the matched filter, in one table.

    python tests/benchmarks/bench_accuracy.py [--bench BENCH] [--start-model general]

With ``--bench`` the sets are those of the development data::

    BENCH/simulated/<set>/{train,test}/{micrographs/*.mrc, coords.csv, masks/*.png, meta.json}
    BENCH/real/apoferritin/{train,test}/{micrographs/*.mrc, particles.csv}
    BENCH/score.py        optional: every run is checked against it

Without it two small sets are simulated, with one draw of 15 and of 200 labels. Each run is
one file of ``--out``/results, named by set, count of labels, draw, start model and version of
the code: what is there is not run again, so an interrupted benchmark goes on, and processes
with ``--shard 0/2`` and ``--shard 1/2`` share the work. ``--table`` only prints. Picking and
training go through `frostpick_jobs.api` with the diameter and the start model given and
nothing else; draws of labels are those of ``accuracy/draws.json``. AP and F1: centres at most
a quarter of the diameter apart, pooled over the test micrographs. A table of its own has the
best F1 of 15 labels at IoU >= .5 of squares, the rule of few-shot pickers.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from pathlib import Path

# Threads that spin while they wait burn the CPU time that is measured; torch reads this on import.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from accuracy.draws import draws_of
from accuracy.execute import Session, carry_out
from accuracy.few_labels import F1, few_labels_table
from accuracy.own_sets import OWN, own_set
from accuracy.robust_table import empties_table, half_views_table, robustness_table
from accuracy.runs import (
    COUNTS,
    MAIN,
    ROBUSTNESS,
    main_runs,
    only,
    robustness_runs,
    shard,
)
from accuracy.sets import BENCH, BenchSet, open_bench
from accuracy.summary import Result, load_results
from accuracy.table import (
    junk_table,
    main_table,
    overall_table,
    sources,
    views_table,
)
from accuracy.targets import targets_table

from frostpick.errors import FrostpickError


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bench", type=Path, help="development data; without it: own sets")
    parser.add_argument("--out", type=Path, default=Path(".bench/accuracy"))
    parser.add_argument("--part", choices=["main", "robustness"], default="main")
    parser.add_argument(
        "--start-model", default="general", help="none, a shipped name, or a model's path"
    )
    parser.add_argument(
        "--counts", help="none and counts of labels; all, or none,15,200 of the own sets"
    )
    parser.add_argument("--draws", type=int, help="at most so many of each; all, or 1 of own sets")
    parser.add_argument("--only", help="sets/counts/draws, each a comma list or empty")
    parser.add_argument("--shard", default="0/1", help="i/n: this process's part of the work")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--any-code", action="store_true", help="take results of other versions")
    options = parser.parse_args(arguments)
    if options.bench is None:
        # A subset that any reader can wait for.
        options.counts, options.draws = options.counts or "none,15,200", options.draws or 1
    options.counts = options.counts or ",".join(COUNTS)
    return options


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing and print the tables."""
    options = parse(arguments)
    logging.basicConfig(level=logging.WARNING)
    if not options.table:
        try:
            run_missing(options)
        except FrostpickError as error:
            raise SystemExit(str(error)) from error
    results = load_results(options.out, options.any_code)
    print("\n\n".join(pages(results, options.part)))


def open_sets(options: argparse.Namespace) -> list[BenchSet]:
    """Open the sets of the command line."""
    if options.bench is None:
        return [own_set(name, options.out / "sets") for name in OWN]
    return open_bench(options.bench, list(BENCH))


def run_missing(options: argparse.Namespace) -> None:
    """Carry out this process's part of the runs that have no result yet."""
    sets = {data.name: data for data in open_sets(options)}
    draws = {name: draws_of(data) for name, data in sets.items()}
    scorer = (options.bench or Path("nowhere")) / "score.py"
    session = Session(
        options.out.absolute(), options.start_model, options.threads, options.device, scorer
    )
    plan = main_runs if options.part == "main" else robustness_runs
    counts = options.counts.split(",")
    runs = plan(list(sets.values()), draws, counts, options.draws, options.start_model)
    mine = shard(only(runs, options.only), options.shard)
    kept = {tuple(r[k] for k in KEY) for r in load_results(session.out, options.any_code)}
    for number, run in enumerate(mine, 1):
        start = "blob" if run.kind == "blob" else session.start_tag
        if (run.set, run.labels, run.draw, run.kind, start) in kept:
            continue
        began = time.monotonic()
        try:
            result = carry_out(session, sets[run.set], run, draws[run.set])
        except FrostpickError as error:
            # The others still count; the table shows what is missing.
            sys.stderr.write(f"{number}/{len(mine)} {run}: {error}\n")
            continue
        text = f"AP {result['ap']:.3f}" if "ap" in result else "done"
        sys.stderr.write(f"{number}/{len(mine)} {run}: {text}, {time.monotonic() - began:.0f} s\n")


#: What tells one result from another.
KEY = ("set", "labels", "draw", "kind", "start")


def pages(results: list[Result], part: str) -> list[str]:
    """Return the tables of a part."""
    kinds = MAIN if part == "main" else ("main", *ROBUSTNESS)
    results = [r for r in results if r["kind"] in kinds]
    if not results:
        return ["no results; run without --table, or look at other versions with --any-code"]
    if part == "robustness":
        parts = [("Prior and pixel size", robustness_table), ("Empty micrographs", empties_table)]
        parts += [("Labels from half of the views", half_views_table)]
        return [f"{title}\n\n{make(results)}" for title, make in parts]
    checked = sum(bool(r.get("checked_by_score_py")) for r in results)
    first = f"{len(results)} runs, {checked} of them checked by score.py; CPU seconds\n\n"
    # The targets are about the development data alone.
    starts = dict.fromkeys(r["start"] for r in results if r["kind"] == "main" and r["set"] in BENCH)
    few = "15 labels of one micrograph (fewshot --method auto), best F1 at IoU >= .5 of squares\n\n"
    junk = "False picks per micrograph at the recall of Topaz's best F1\n\n" + junk_table(results)
    return [
        first + main_table(results),
        "Simulated sets together\n\n" + overall_table(results),
        *([few + few_labels_table(results)] if any(F1 in r for r in results) else []),
        *([junk] if starts else []),
        "Recall at the default threshold by view\n\n" + views_table(results),
        *(targets_table(results, start) for start in starts),
        sources(),
    ]


if __name__ == "__main__":
    main()
