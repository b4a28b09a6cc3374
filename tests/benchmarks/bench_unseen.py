"""Proteins of every shape that no model has seen: AP, worst set, worst view, gap to the ceiling.

    python tests/benchmarks/bench_unseen.py [--model general] [--before MODEL] [--bench BENCH]

Eleven proteins, assembled from the test structures, each in red and in white noise, are simulated
once by code of their own (``unseen/proteins.py``), and the matched filter with the true structure
is run on them once. Each run is a file of ``--out``/results: what is there is not run again, so
that an interrupted benchmark goes on; ``--shard 0/2`` and ``--shard 1/2`` share the work, and
``--table`` only prints. ``--counts``: ``none`` (the start model as it is), ``0`` (its own picks,
no label), 15, 50, 200 labels, and ``all`` of all training micrographs, which is a set's
ceiling. With ``--before`` a second start model stands beside. With ``--bench`` the development
data follow in rows of their own; they count in no mean.

``--part families`` pretrains at a reduced budget with the layouts of some shapes left out of the
corpus (``unseen/families.py``) and judges each shape by models that never saw it.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from pathlib import Path

# Threads that spin while they wait burn the CPU time of others; torch reads this on import.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from accuracy.execute import Session, carry_out
from accuracy.runs import Run, shard
from accuracy.summary import load_results
from unseen.families import FOLDS, SEEDS, families_table, judged, members, pretrained
from unseen.gathered import gather
from unseen.matched_filter import filter_set
from unseen.plan import (
    OLD,
    chosen_counts,
    chosen_sets,
    draws_with_all,
    open_old,
    planned,
)
from unseen.sets import SETS, UnseenSet, made_set, place_of
from unseen.tables import pages

from frostpick.errors import FrostpickError


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="general", help="a shipped name, or a model's path")
    parser.add_argument("--before", help="a second one, beside it")
    parser.add_argument("--counts", default="none,15", help="of none,0,15,50,200,all")
    parser.add_argument("--draws", type=int, default=1, help="draws of 15, 50 and 200 labels")
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
    sessions = [session_of(options, model) for model in models]
    if not options.table:
        runs = planned(names, chosen_counts(options.counts), options.draws)
        for one in sessions:
            run_missing(one, shard(runs, options.shard), options)
    own, filters = [n for n in names if n in SETS], {}
    sets = {n: one for n in own if (one := there(n, options)) is not None}
    for name, one in sets.items():
        if not options.table or filtered(name, options):
            filters[name] = filter_set(one, options.out / "filter")
    results = load_results(options.out, options.any_code)
    tags = [one.start_tag for one in sessions]
    found = gather(
        results, tags, sets, filters, options.out / "picks", [n for n in names if n in OLD]
    )
    return pages(found)


def families(options: argparse.Namespace) -> list[str]:
    """Pretrain the models of all folds, run them without labels, and return the table."""
    mine = members(options.seeds)
    folder, tags = options.out / "families", {}
    names = [n for n in chosen_sets(options.sets, None)]
    number, total = (int(word) for word in options.shard.split("/"))
    for k, member in enumerate(mine):
        path = folder / member.name / "model/model.safetensors"
        if not options.table and k % total == number:
            path = pretrained(member, folder, options.threads)
        if not path.exists():
            continue
        one = session_of(options, str(path))
        tags[member] = one.start_tag
        if not options.table and k % total == number:
            judge = [n for n in names if not FOLDS[member.fold] or judged(n, member.fold)]
            run_missing(one, planned(judge, ["none"], 1), options)
    return [
        "AP without labels, reduced budget; means over seeds\n\n"
        + families_table(load_results(options.out, options.any_code), tags)
    ]


def session_of(options: argparse.Namespace, model: str) -> Session:
    """Return what all runs of a start model share."""
    scorer = (options.bench or Path("nowhere")) / "score.py"
    out = options.out.absolute()
    return Session(out, model, options.threads, options.device, scorer, keep_picks=True)


def there(name: str, options: argparse.Namespace) -> UnseenSet | None:
    """Return a set, made where it is missing; with ``--table`` None where it is missing."""
    if options.table and not place_of(name, options.out / "sets").exists():
        return None
    return made_set(name, options.out / "sets")


def filtered(name: str, options: argparse.Namespace) -> bool:
    """Tell whether the matched filter has been run on a set."""
    from unseen.matched_filter import kept_at

    return kept_at(name, options.out / "filter").exists()


def run_missing(session: Session, runs: list[Run], options: argparse.Namespace) -> None:
    """Carry out the runs that have no result yet."""
    kept = {
        (r["set"], r["labels"], r["draw"])
        for r in load_results(session.out, options.any_code)
        if r["start"] == session.start_tag and r["kind"] == "main"
    }
    for number, run in enumerate(runs, 1):
        if (run.set, run.labels, run.draw) in kept:
            continue
        began = time.monotonic()
        if run.set in SETS:
            data = made_set(run.set, session.out / "sets").data
        else:
            data = open_old(options.bench, run.set)
        draws = draws_with_all(data)
        if run.draw >= len(draws.get(run.labels, [[]])):
            continue
        try:
            result = carry_out(session, data, run, draws)
        except FrostpickError as error:
            # The others still count; the table shows what is missing.
            sys.stderr.write(f"{number}/{len(runs)} {run}: {error}\n")
            continue
        took = time.monotonic() - began
        sys.stderr.write(f"{number}/{len(runs)} {run}: AP {result['ap']:.3f}, {took:.0f} s\n")


if __name__ == "__main__":
    main()
