"""Proteins of every shape that no model has seen: AP, worst set, worst view, gap to the ceiling.

    python tests/benchmarks/bench_unseen.py [--model general] [--before MODEL] [--bench BENCH]

Eleven proteins, assembled from the test structures, each in red and in white noise, are simulated
once by code of their own (``unseen/proteins.py``), and the matched filter with the true structure
is run on them once. Each run is a file of ``--out``/runs/<set>/results: what is there is not
run again, so that an interrupted benchmark goes on; ``--shard 0/2`` and ``--shard 1/2`` share
the work, and ``--table`` only prints. ``--counts``: ``none`` (the start model as it is), ``0``
(its own picks, no label), 15, 50, 200 labels, and ``all`` of all training micrographs, which is
a set's ceiling. With ``--before`` a second start model stands beside. With ``--bench`` the
development data follow in rows of their own; they count in no mean.

``--part families`` pretrains at a reduced budget with the layouts of some shapes left out of the
corpus (``unseen/families.py``) and judges each shape by models that never saw it.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

# Threads that spin while they wait burn the CPU time of others; torch reads this on import.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from accuracy.execute import Session, carry_out
from accuracy.runs import Run, shard
from accuracy.summary import Result, load_results
from unseen.families import (
    FOLDS,
    SEEDS,
    families_table,
    judged,
    members,
    model_at,
    pretrained,
)
from unseen.gathered import gather
from unseen.matched_filter import filter_set, kept_at
from unseen.plan import (
    OLD,
    chosen_counts,
    chosen_sets,
    draws_with_all,
    open_old,
    planned,
)
from unseen.sets import SETS, made_set, place_of
from unseen.tables import pages

from frostpick.errors import FrostpickError

Thing = TypeVar("Thing")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="general", help="a shipped name, or a model's path")
    parser.add_argument("--before", help="a second one, beside it")
    parser.add_argument("--counts", default="none,15", help="of none,0,15,50,200,all")
    parser.add_argument(
        "--draws", type=int, default=1, help="draws of 15, 50 and 200 labels, seeds of own picks"
    )
    parser.add_argument("--bench", type=Path, help="development data")
    parser.add_argument("--sets", help="comma list; all")
    parser.add_argument("--out", type=Path, default=Path(".bench/unseen"))
    parser.add_argument("--part", choices=["main", "families"], default="main")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="of --part families")
    parser.add_argument("--shard", default="0/1", help="i/n: this process's part of the work")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--any-code", action="store_true", help="take results of other versions")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing and print the tables."""
    options = parse(arguments)
    logging.basicConfig(level=logging.WARNING)
    try:
        parts = families(options) if options.part == "families" else protocol(options)
    except FrostpickError as error:
        raise SystemExit(str(error)) from error
    print("\n\n".join(parts))


def protocol(options: argparse.Namespace) -> list[str]:
    """Run the models on the sets, and return the tables."""
    names = chosen_sets(options.sets, options.bench)
    models = [m for m in (options.before, options.model) if m]
    own = [n for n in names if n in SETS]
    if not options.table:
        for name in own_share(own, options.shard):
            filter_set(made_set(name, options.out / "sets"), options.out / "filter")
        runs = planned(names, chosen_counts(options.counts), options.draws)
        for model in models:
            run_missing(model, shard(runs, options.shard), options)
    # Only what is there: another process may be making the rest.
    present = [n for n in own if place_of(n, options.out / "sets").exists()]
    sets = {n: made_set(n, options.out / "sets") for n in present}
    kept = {n: one for n, one in sets.items() if kept_at(n, options.out / "filter").exists()}
    filters = {n: filter_set(one, options.out / "filter") for n, one in kept.items()}
    found = gather(
        results_of(names, options),
        [tag_of(model, options) for model in models],
        sets,
        filters,
        lambda name: runs_of(name, options) / "picks",
        [n for n in names if n in OLD],
    )
    return pages(found)


def families(options: argparse.Namespace) -> list[str]:
    """Pretrain the models of all folds, run them without labels, and return the table."""
    folder, tags = options.out / "families", {}
    names = chosen_sets(options.sets, None)
    every = members(options.seeds)
    mine = [] if options.table else own_share(every, options.shard)
    for member in every:
        if member in mine:
            pretrained(member, folder, options.threads)
        path = model_at(member, folder)
        if not path.exists():
            continue
        tags[member] = tag_of(str(path), options)
        if member in mine:
            judge = [n for n in names if not FOLDS[member.fold] or judged(n, member.fold)]
            run_missing(str(path), planned(judge, ["none"], 1), options)
    return [
        "AP without labels, reduced budget; means over seeds\n\n"
        + families_table(results_of(names, options), tags)
    ]


def runs_of(name: str, options: argparse.Namespace) -> Path:
    """Return the folder of a set's results; a set that was made anew has a new one."""
    place = options.out.absolute() / "runs"
    return place_of(name, place) if name in SETS else place / name


def results_of(names: Sequence[str], options: argparse.Namespace) -> list[Result]:
    """Return the results on some sets."""
    folders = [runs_of(name, options) for name in names]
    return [r for folder in folders for r in load_results(folder, options.any_code)]


def session_of(name: str, model: str, options: argparse.Namespace) -> Session:
    """Return what all runs of a start model on a set share."""
    scorer = (options.bench or Path("nowhere")) / "score.py"
    out = runs_of(name, options)
    return Session(out, model, options.threads, options.device, scorer, keep_picks=True)


def tag_of(model: str, options: argparse.Namespace) -> str:
    """Return a start model's name in results."""
    return Session(options.out, model, 1, "cpu", Path("nowhere")).start_tag


def own_share(things: Sequence[Thing], text: str) -> list[Thing]:
    """Return part ``i/n`` of a list, 0 <= i < n."""
    number, total = (int(word) for word in text.split("/"))
    return list(things[number::total])


def run_missing(model: str, runs: list[Run], options: argparse.Namespace) -> None:
    """Carry out the runs of a start model that have no result yet."""
    tag, names = tag_of(model, options), list(dict.fromkeys(run.set for run in runs))
    kept = {
        (r["set"], r["labels"], r["draw"])
        for r in results_of(names, options)
        if r["start"] == tag and r["kind"] == "main"
    }
    for number, run in enumerate(runs, 1):
        if (run.set, run.labels, run.draw) in kept:
            continue
        began = time.monotonic()
        if run.set in SETS:
            data = made_set(run.set, options.out / "sets").data
        else:
            data = open_old(options.bench, run.set)
        draws = draws_with_all(data)
        if run.labels in draws and run.draw >= len(draws[run.labels]):
            continue
        try:
            result = carry_out(session_of(run.set, model, options), data, run, draws)
        except FrostpickError as error:
            # The others still count; the table shows what is missing.
            sys.stderr.write(f"{number}/{len(runs)} {run}: {error}\n")
            continue
        took = time.monotonic() - began
        sys.stderr.write(f"{number}/{len(runs)} {run}: AP {result['ap']:.3f}, {took:.0f} s\n")


if __name__ == "__main__":
    main()
