"""Compare variants of the training recipe on the development sets.

    python tests/benchmarks/bench_variants.py --bench BENCH --start-model none \\
        --variant rate1e-3:rate=0.001 --variant ge:objective=ge-binomial \\
        --counts 15,200 --draws 2 [--shard 0/2] [--table]

A variant is ``NAME:field=value,...`` with fields of `frostpick.training.picker.recipe.Recipe`
(``tuning_augmentation.x`` for those of an augmentation), objective, network, start_model. The
default runs beside them, on the same labels. Each run is one file of ``--out``; what is there is
not run again. The table says for every variant how much it gains over the default on the
same draws, and for each set what the variant that the other sets choose gives there: what is
tuned is not judged on the data it was tuned on. What was tried is kept in ``variants.md``.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# Threads that spin while they wait burn the CPU time that is measured; torch reads this on import.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from accuracy.code_version import code_version
from accuracy.draws import draws_of
from accuracy.measure import Picked, measure
from accuracy.own_sets import OWN, own_set
from accuracy.recorded import topaz_recall
from accuracy.sets import BENCH, BenchSet, open_bench
from accuracy.summary import f1_gap
from accuracy.text_table import markdown, number
from variants.choice import leave_one_out, paired_difference, set_mean
from variants.variant import DEFAULT, Variant, parse

from frostpick.models.shipped import load_model
from frostpick.picking.pick import MicrographPicks
from frostpick.picking.plan import plan_picking
from frostpick.picking.threshold import choose_threshold
from frostpick.picking.work import pick_micrographs
from frostpick.runtime.atomic import write_text
from frostpick.runtime.reporter import SilentReporter
from frostpick.settings import PickSettings
from frostpick.training.picker.train import train_picker
from frostpick.types import Labels, LocalFile, Micrograph


def main() -> None:
    """Run what is missing and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bench", type=Path, help="development data; without it: own sets")
    parser.add_argument("--out", type=Path, default=Path(".bench/variants"))
    parser.add_argument("--variant", action="append", default=[], metavar="NAME:field=value,...")
    parser.add_argument("--start-model", default="none", help="where no variant says otherwise")
    parser.add_argument("--sets", help="comma list; all simulated ones without it")
    parser.add_argument("--counts", default="200")
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--shard", default="0/1", help="i/n: this process's part of the work")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--any-code", action="store_true", help="take results of other versions")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    variants = [Variant(DEFAULT, {}), *map(parse, options.variant)]
    if not options.table:
        run_missing(options, variants)
    for count in options.counts.split(","):
        print(f"\n## {count} labels, from {options.start_model}\n")
        print(comparison(load(options, variants, count)))


def open_sets(options: argparse.Namespace) -> list[BenchSet]:
    """Open the sets of the command line."""
    if options.bench is None:
        names = options.sets.split(",") if options.sets else list(OWN)
        return [own_set(name, options.out / "sets") for name in names]
    simulated = [name for name, info in BENCH.items() if info.simulated]
    return open_bench(options.bench, options.sets.split(",") if options.sets else simulated)


def run_missing(options: argparse.Namespace, variants: list[Variant]) -> None:
    """Carry out this process's part of the runs, the first draw of all variants first."""
    sets = open_sets(options)
    draws = {data.name: draws_of(data) for data in sets}
    part, parts = (int(word) for word in options.shard.split("/"))
    runs = [
        (draw, count, data, variant)
        for draw in range(options.draws)
        for count in options.counts.split(",")
        for data in sets
        for variant in variants
        if draw < len(draws[data.name][count])
    ]
    done = {path.name.rpartition("-")[0] for path in options.out.glob("results/*.json")}
    for draw, count, data, variant in runs[part::parts]:
        path = result_path(options, variant, data.name, count, draw)
        if path.exists() or (options.any_code and path.name.rpartition("-")[0] in done):
            continue
        began = time.monotonic()
        figures = one_run(options, variant, data, draws[data.name][count][draw])
        told = {"variant": variant.name, "changes": dict(variant.changes), "set": data.name}
        figures = {**told, "count": count, "draw": draw, "code": code_version(), **figures}
        write_text(path, json.dumps(figures, indent=1) + "\n")
        seconds = time.monotonic() - began
        sys.stderr.write(f"{path.stem}: AP {figures['ap']:.3f}, {seconds:.0f} s\n")


def result_path(
    options: argparse.Namespace, variant: Variant, name: str, count: str, draw: int
) -> Path:
    """Return where a result lies: named by all that it depends on, the code last."""
    start = options.start_model
    if start != "none":
        start = load_model(start).digest.removeprefix("sha256:")[:8]
    words = (variant.name, variant.digest, start, name, count, f"d{draw}", code_version())
    folder: Path = options.out / "results"
    return folder / ("-".join(words) + ".json")


def one_run(
    options: argparse.Namespace, variant: Variant, data: BenchSet, rows: Any
) -> dict[str, Any]:
    """Train with a variant, pick the test micrographs in memory, and measure."""
    told = {"diameter": data.diameter_A, "threads": options.threads, "device": options.device}
    settings = variant.settings(options.start_model, **told)
    start = None if settings.start_model == "none" else load_model(settings.start_model)
    truth = data.train.truth
    chosen = {f"{n}.mrc": truth.keep(truth.name == n) for n in data.train.names}
    labels = {
        name: Labels.from_xy(name, some.x_px[kept], some.y_px[kept])
        for name, some in chosen.items()
        if (kept := [k for k, row in enumerate(some.row) if int(row) in set(rows)])
    }
    with tempfile.TemporaryDirectory() as spool:
        result = train_picker(
            _micrographs(data, "train"),
            labels,
            settings,
            start=start,
            spool=Path(spool),
            reporter=SilentReporter(),
            recipe=variant.recipe(),
        )
    plan = plan_picking(result.model, PickSettings(device=options.device, threads=options.threads))
    found = list(pick_micrographs(result.model, _micrographs(data, "test"), plan, SilentReporter()))
    picks = {
        one.micrograph_id.removesuffix(".mrc"): one.picks
        for one in found
        if isinstance(one, MicrographPicks)
    }
    threshold = choose_threshold([one.score for one in picks.values()], "auto")
    figures = measure(data, data.test, Picked(picks, threshold), topaz_recall(data.name))
    return {**figures, "train_cpu_s": result.summary["cpu_s"]}


def _micrographs(data: BenchSet, half: str) -> list[Micrograph]:
    split = data.train if half == "train" else data.test
    return [
        Micrograph(f"{name}.mrc", LocalFile(split.micrographs / f"{name}.mrc"), data.pixel_A)
        for name in split.names
    ]


def load(
    options: argparse.Namespace, variants: list[Variant], count: str
) -> dict[str, list[dict[str, Any]]]:
    """Read the results of the variants by name, of this code or the newest of any."""
    found: dict[str, list[dict[str, Any]]] = {}
    for variant in variants:
        newest: dict[tuple[str, int], dict[str, Any]] = {}
        start = result_path(options, variant, "", count, 0).name.partition("--")[0]
        paths = options.out.glob(f"results/{start}-*-{count}-d*-*.json")
        for path in sorted(paths, key=lambda p: p.stat().st_mtime):
            result = json.loads(path.read_text(encoding="utf-8"))
            asked = not options.sets or result["set"] in options.sets.split(",")
            if asked and (options.any_code or result["code"] == code_version()):
                newest[result["set"], result["draw"]] = result
        found[variant.name] = list(newest.values())
    return found


def comparison(results: dict[str, list[dict[str, Any]]]) -> str:
    """Return the table of variants, and that of the choice with one set left out."""
    scores: dict[str, dict[str, dict[int, float]]] = {}
    for name, some in results.items():
        for r in some:
            scores.setdefault(name, {}).setdefault(r["set"], {})[r["draw"]] = r["ap"]
    if DEFAULT not in scores:
        return "no results of the default"
    sets = sorted(scores[DEFAULT])
    rows = []
    for name in scores:
        gain, error, worst, pairs = paired_difference(scores, name, DEFAULT)
        some = results[name]
        changes = ", ".join(f"{k}={v}" for k, v in some[0]["changes"].items())
        rows.append(
            [
                name,
                changes or "-",
                *(number(set_mean(scores, name, s)) for s in sets),
                f"{gain:+.4f}" if name != DEFAULT else "-",
                number(error if name != DEFAULT else None, 4),
                f"{worst:+.4f}" if name != DEFAULT else "-",
                str(pairs),
                number(sum(map(f1_gap, some)) / len(some)),
                number(sum(r["ece"] for r in some) / len(some)),
                number(sum(r["train_cpu_s"] for r in some) / len(some), 0),
            ]
        )
    header = ("variant", "changes", *sets, "gain", "s.e.", "worst set", "pairs", "F1 gap", "ECE")
    text = markdown((*header, "train s"), rows)
    if len(sets) < 2:
        return text
    left = [
        [one.set, one.chosen, number(one.ap), number(one.default_ap)]
        for one in leave_one_out(scores, sets, DEFAULT)
    ]
    return f"{text}\n\n{markdown(('left out', 'the others choose', 'AP', 'default'), left)}"


if __name__ == "__main__":
    main()
