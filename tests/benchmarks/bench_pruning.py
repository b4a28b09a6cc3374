"""Accuracy and F1 of pruning on the development sets, Topaz's picks made cleaner, and speed.

    python tests/benchmarks/bench_pruning.py --bench BENCH [--labels 0,20,50,100] [--draws 5]
        [--variants default,one-loss,one-head,from-nothing] [--topaz] [--shard 0/2] [--table]
    python tests/benchmarks/bench_pruning.py --part stages --bench BENCH --labels 0,100 --draws 2
        [--stages as-shipped,one-head] [--seeds 2022] [--micrographs 800] [--steps 1500]
    python tests/benchmarks/bench_pruning.py --part jobs --bench BENCH
    python tests/benchmarks/bench_pruning.py --part speed [--boxes 100000] [--threads 1]

Labels are drawn from ``train/noisy_picks.csv``, so many good and so many bad ones; accuracy
and F1 are those of ``test/noisy_picks.csv`` (half true) at the score 0, of one look and of
the mean of four rotations. No micrograph is in both. Variants: of the fit, its losses without
the agreement of the heads; head A alone; a network that was never trained. ``no-picker``: without
labels, the pruner's own network alone. ``stages``: the same of pruners whose simulated stage is
trained here, short, with one head or fewer losses. ``jobs``: whole pruning jobs on Topaz's
picks. One file a run in ``--out``; what is there is not run again. Results: ``pruning.md``.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from pruning.code_version import pruning_version
from pruning.figures import box_figures, topaz_figures
from pruning.jobs import jobs
from pruning.sets import SETS, noisy_boxes
from pruning.speed import speed
from pruning.stages import STAGES, stages

from frostpick.models.pruner.model import Pruner, load_pruner
from frostpick.models.pruner.registry import build_box_network
from frostpick.pruning.box_scorer import BoxScorer
from frostpick.runtime.atomic import write_text
from frostpick.runtime.reporter import SilentReporter
from frostpick.training.pruner.losses import LossWeights
from frostpick.training.pruner.train import BoxLabels, TuneRecipe, tune_pruner

VARIANTS = ("default", "no-picker", "one-loss", "one-head", "from-nothing")
FIGURES = ("accuracy", "f1", "ece")


def main() -> None:
    """Run what is missing and print the table."""
    options = parse()
    logging.basicConfig(level=logging.WARNING)
    if options.part == "speed":
        speed(options)
        return
    torch.set_num_threads(options.threads)
    if options.part == "jobs":
        jobs(options)
        return
    if options.part == "accuracy":
        accuracy(options, load_pruner(options.pruner))
        return
    for name, start in stages(options):
        print(name, flush=True)
        accuracy(options, start)


def accuracy(options: argparse.Namespace, start: Pruner) -> None:
    """Run what is missing of one pruner and print its table."""
    runs = [
        (name, variant, int(count), draw)
        for variant in options.variants.split(",")
        for count in options.labels.split(",")
        for draw in range(options.draws if int(count) else 1)
        for name in SETS
    ]
    part, parts = map(int, options.shard.split("/"))
    found = []
    for number, run in enumerate(runs):
        stem = "_".join(map(str, run))
        path = options.out / f"{stem}_{start.digest[:12]}_{pruning_version()}.json"
        if not path.exists() and not options.table and number % parts == part:
            result = measure(options.bench, start, *run, topaz=options.topaz)
            write_text(path, json.dumps(result, indent=1) + "\n")
        if path.exists():
            found.append(json.loads(path.read_text()))
    print(table(found))
    print(topaz_lines(found))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--part", choices=("accuracy", "stages", "jobs", "speed"), default="accuracy"
    )
    parser.add_argument("--bench", type=Path, help="development data, for accuracy")
    parser.add_argument("--out", type=Path, default=Path(".bench/pruning"))
    parser.add_argument("--pruner", default="pruner")
    parser.add_argument("--labels", default="0,20,50,100", help="of each kind")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--variants", default="default", help=f"of {', '.join(VARIANTS)}")
    parser.add_argument("--topaz", action="store_true", help="prune the recorded Topaz picks too")
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("--seeds", default="2022", help="of stages")
    parser.add_argument("--micrographs", type=int, default=800, help="of stages")
    parser.add_argument("--steps", type=int, default=1500, help="of stages")
    parser.add_argument("--shard", default="0/1")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--boxes", type=int, default=100_000, help="of speed")
    parser.add_argument("--scratch", type=Path, help="folder for the stack of speed")
    options = parser.parse_args()
    if options.part != "speed" and options.bench is None:
        parser.error(f"--part {options.part} needs --bench, the folder of the development data")
    return options


def measure(
    bench: Path, start: Pruner, name: str, variant: str, count: int, draw: int, *, topaz: bool
) -> dict[str, object]:
    """Fit to ``count`` labels of each kind and score the test picks."""
    test = noisy_boxes(bench, name, "test", start.side)
    train = noisy_boxes(bench, name, "train", start.side)
    began = time.process_time()
    pruner = start
    if variant == "from-nothing":
        pruner = _without_training(start, draw)
    if variant == "one-head":
        pruner = _one_head(start)
    if variant == "no-picker":
        card = start.card.model_copy(update={"picker": None})
        pruner = start.refitted(card, start.network.state_dict())
    recipe = TuneRecipe(folds=0)
    if variant == "one-loss":
        recipe = replace(recipe, losses=LossWeights(second=0.0, agreement=0.0))
    if count:
        rng = np.random.default_rng(draw)
        kinds = (np.flatnonzero(train.good), np.flatnonzero(~train.good))
        at = np.concatenate([rng.permutation(kind)[:count] for kind in kinds])
        labels = BoxLabels(train.boxes.data[torch.from_numpy(at)], train.good[at], train.group[at])
        pruner = tune_pruner(pruner, labels, SilentReporter(), seed=draw, recipe=recipe).pruner
    fit_s = time.process_time() - began
    once, four = (BoxScorer(pruner, rotations=looks)(test.boxes).score for looks in (1, 4))
    figures = {
        f"{name}_{looks}": value
        for looks, score in ((1, once), (4, four))
        for name, value in zip(FIGURES, box_figures(score, test.good), strict=True)
    }
    wrong = {
        str(kind): int(((once >= 0) != test.good)[test.source == kind].sum())
        for kind in np.unique(test.source)
    }
    result = {"set": name, "variant": variant, "labels": count, "draw": draw, "fit_cpu_s": fit_s}
    result |= figures | {"wrong": wrong, "boxes": len(once)}
    if topaz:
        for looks in (1, 4):
            scorer = BoxScorer(pruner, rotations=looks)
            found = topaz_figures(bench, name, start.side, lambda b, s=scorer: s(b).score)
            result[f"topaz_{looks}"] = found
    return result


def table(found: list[dict[str, float | str]]) -> str:
    """Return accuracy / F1 by variant, labels and looks: mean over draws, deviation of the mean.

    Last the expected calibration error, mean of sets and draws.
    """
    lines = [
        "| variant | labels | looks | draws | "
        + " | ".join(SETS)
        + " | mean | sd over draws | ECE |",
        "|---|---|---|---|" + "---|" * 6,
    ]
    for key in dict.fromkeys((one["variant"], one["labels"]) for one in found):
        mine = [one for one in found if (one["variant"], one["labels"]) == key]
        draws = sorted({one["draw"] for one in mine})
        whole = [d for d in draws if sum(one["draw"] == d for one in mine) == len(SETS)]
        for looks in (1, 4):
            names = [f"{name}_{looks}" for name in FIGURES]
            values = np.array(
                [
                    [
                        [one[n] for n in names]
                        for name in SETS
                        for one in mine
                        if one["set"] == name and one["draw"] == draw
                    ]
                    for draw in whole
                ]
            )  # (draws, sets, figures)
            if not len(values):
                continue
            each = [f"{a:.3f} / {f:.3f}" for a, f, _ in values.mean(0)]
            overall = values.mean(1)
            mean = "{:.3f} / {:.3f}".format(*overall.mean(0)[:2])
            spread = f"{overall[:, 0].std(ddof=1):.3f}" if len(whole) > 1 else "-"
            lines.append(
                f"| {key[0]} | {key[1]} + {key[1]} | {looks} | {len(whole)} | {' | '.join(each)} "
                f"| {mean} | {spread} | {overall[:, 2].mean():.3f} |"
            )
    return "\n".join(lines)


def topaz_lines(found: list[dict[str, object]]) -> str:
    """Return what became of Topaz's picks, mean over the draws that were asked for them."""
    lines = []
    keys = dict.fromkeys((o["variant"], o["labels"], o["set"]) for o in found if "topaz_1" in o)
    for variant, count, name in keys:
        mine = [o for o in found if (o["variant"], o["labels"], o["set"]) == (variant, count, name)]
        for looks in (1, 4):
            rows = [o[f"topaz_{looks}"] for o in mine if f"topaz_{looks}" in o]
            mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
            lines.append(
                f"Topaz, {name}, {variant}, {count} labels, {looks} looks, {len(rows)} draws: "
                f"precision {mean['topaz_precision']:.3f}, recall {mean['topaz_recall']:.3f}"
            )
            for kind, words in (("images", "by the images alone"), ("merit", "with its score")):
                each = " ".join(f"{row[f'{kind}_at_93']:.3f}" for row in rows)
                lines.append(
                    f"    {words}: at 0 {mean[f'{kind}_precision']:.3f}, "
                    f"{mean[f'{kind}_recall']:.3f}; at auto {mean[f'{kind}_auto_precision']:.3f}, "
                    f"{mean[f'{kind}_auto_recall']:.3f}; at 93 % of the recall "
                    f"{mean[f'{kind}_at_93']:.3f} ({each})"
                )
    return "\n".join(lines)


def _without_training(start: Pruner, seed: int) -> Pruner:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_box_network(start.card.network.name, start.card.network.arguments)
    card = start.card.model_copy(update={"picker": None})
    return Pruner.build(card, network.state_dict())


def _one_head(start: Pruner) -> Pruner:
    """Return the same backbone with head A alone."""
    spec = start.card.network
    arguments = {**spec.arguments, "heads": 1}
    card = start.card.model_copy(
        update={"network": spec.model_copy(update={"arguments": arguments})}
    )
    wanted = build_box_network(spec.name, arguments).state_dict()
    return start.refitted(card, {k: v for k, v in start.tensors().items() if k in wanted})


if __name__ == "__main__":
    main()
