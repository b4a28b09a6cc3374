"""Accuracy and F1 of pruning on the development sets, and Topaz's picks made cleaner.

    python tests/benchmarks/bench_pruning.py --bench BENCH [--labels 0,20,50,100] [--draws 5]
        [--variants default,one-loss,from-nothing] [--topaz] [--shard 0/2] [--table]

Labels are drawn from ``train/noisy_picks.csv``, so many good and so many bad ones; accuracy
and F1 are those of ``test/noisy_picks.csv`` (half true) at the score 0. No micrograph is in
both. Beside them: the recorded classifiers of BASELINES.md. One file a run in ``--out``;
what is there is not run again.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import time
from collections import defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from accuracy.code_version import code_version

from frostpick.images import read_image
from frostpick.models.box_networks import build_box_network
from frostpick.models.pruner import Pruner, load_pruner
from frostpick.pruning.boxes import Boxes, BoxGeometry, boxes_of_micrograph
from frostpick.pruning.score import BoxScorer
from frostpick.runtime.atomic import write_text
from frostpick.runtime.reporter import SilentReporter
from frostpick.training.pruner import BoxLabels, TuneRecipe, tune_pruner
from frostpick.training.pruner_losses import LossWeights

SETS = {"apof_r": (5.0, 128.0), "bgal_r": (5.0, 176.0), "gpcrgs_r": (4.0, 124.0)}
VARIANTS = ("default", "one-loss", "from-nothing")
#: Topaz's default score, of which the recorded picks are all above.
TOPAZ_DEFAULT, MATCH = -6.0, 0.25


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(".bench/pruning"))
    parser.add_argument("--pruner", default="pruner")
    parser.add_argument("--labels", default="0,20,50,100", help="of each kind")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--variants", default="default", help=f"of {', '.join(VARIANTS)}")
    parser.add_argument("--topaz", action="store_true", help="prune the recorded Topaz picks too")
    parser.add_argument("--shard", default="0/1")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    torch.set_num_threads(1)
    start = load_pruner(options.pruner)
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
        path = options.out / f"{stem}_{start.digest[:12]}_{code_version()[:12]}.json"
        if not path.exists() and not options.table and number % parts == part:
            result = measure(options.bench, start, *run, topaz=options.topaz)
            write_text(path, json.dumps(result, indent=1) + "\n")
        if path.exists():
            found.append(json.loads(path.read_text()))
    print(table(found))


def measure(
    bench: Path, start: Pruner, name: str, variant: str, count: int, draw: int, *, topaz: bool
) -> dict[str, object]:
    """Fit to ``count`` labels of each kind and score the test picks."""
    began = time.process_time()
    pruner = _without_training(start, draw) if variant == "from-nothing" else start
    recipe = TuneRecipe(folds=0)
    if variant == "one-loss":
        recipe = replace(recipe, losses=LossWeights(second=0.0, agreement=0.0))
    if count:
        boxes, good, group = noisy_boxes(bench, name, "train", start.side)
        rng = np.random.default_rng(draw)
        kinds = (np.flatnonzero(good), np.flatnonzero(~good))
        at = np.concatenate([rng.permutation(kind)[:count] for kind in kinds])
        labels = BoxLabels(boxes.data[torch.from_numpy(at)], good[at], group[at])
        pruner = tune_pruner(pruner, labels, SilentReporter(), seed=draw, recipe=recipe).pruner
    boxes, good, _ = noisy_boxes(bench, name, "test", start.side)
    kept = BoxScorer(pruner)(boxes).score >= 0
    hits = int((kept & good).sum())
    result: dict[str, object] = {
        "set": name,
        "variant": variant,
        "labels": count,
        "draw": draw,
        "accuracy": float((kept == good).mean()),
        "f1": 2 * hits / (int(kept.sum()) + int(good.sum())),
        "cpu_s": time.process_time() - began,
    }
    return {**result, **(topaz_picks(bench, name, pruner) if topaz else {})}


@cache
def noisy_boxes(
    bench: Path, name: str, split: str, side: int
) -> tuple[Boxes, np.ndarray, np.ndarray]:
    """Return boxes of ``noisy_picks.csv``, whether each is a particle, and its micrograph."""
    folder = bench / "simulated" / name / split
    rows = defaultdict(list)
    for row in csv.DictReader((folder / "noisy_picks.csv").open()):
        values = (float(row["x_coord"]), float(row["y_coord"]), int(row["label"]))
        rows[row["image_name"]].append(values)
    parts, good, group = [], [], []
    for number, (image, found) in enumerate(sorted(rows.items())):
        table = np.array(found)
        parts.append(_boxes(folder, image, table[:, 0], table[:, 1], name, side))
        good.append(table[:, 2] == 1)
        group.append(np.full(len(table), number))
    return Boxes.concat(parts, side), np.concatenate(good), np.concatenate(group)


def topaz_picks(bench: Path, name: str, pruner: Pruner) -> dict[str, float]:
    """Return precision and recall of the recorded picks, before and after pruning.

    A pick is right that is the best one within a quarter of the diameter of a particle;
    picks on cut particles do not count. ``at_93``: the precision where 93 % of the recall
    is left.
    """
    pixel, diameter = SETS[name]
    folder = bench / "simulated" / name / "test"
    truth, picks = defaultdict(list), defaultdict(list)
    for row in csv.DictReader((folder / "coords.csv").open()):
        if row["kind"] == "particle":
            place = (float(row["x_coord"]), float(row["y_coord"]), float(row["edge"]))
            truth[row["image_name"]].append(place)
    for row in csv.DictReader((bench / "topaz_picks" / f"{name}_test.csv").open()):
        if float(row["score"]) > TOPAZ_DEFAULT:
            place = (float(row["x_px"]), float(row["y_px"]), float(row["score"]))
            picks[Path(row["micrograph"]).stem].append(place)
    scorer = BoxScorer(pruner)
    right, cut, score = [], [], []
    for image, particles in truth.items():
        table = np.array(sorted(picks[image], key=lambda row: -row[2])).reshape(-1, 3)
        mine = np.array(particles)
        boxes = _boxes(folder, image, table[:, 0], table[:, 1], name, pruner.side)
        score.append(scorer(boxes).score)
        used: set[int] = set()
        for x, y, _ in table:
            distance = np.hypot(mine[:, 0] - x, mine[:, 1] - y) * pixel / diameter
            free = [int(k) for k in np.argsort(distance) if k not in used]
            hit = free[0] if free and distance[free[0]] <= MATCH else None
            used |= set() if hit is None else {hit}
            right.append(hit is not None and mine[hit, 2] == 0)
            cut.append(hit is not None and mine[hit, 2] != 0)
    hits, ignored, scores = np.array(right), np.array(cut), np.concatenate(score)
    total = sum(edge == 0 for particles in truth.values() for *_, edge in particles)

    def of(kept: np.ndarray) -> tuple[float, float]:
        kept = kept & ~ignored
        return float(hits[kept].mean()), float(hits[kept].sum() / total)

    before, after = of(np.ones(len(hits), bool)), of(scores >= 0)
    ranked = np.sort(scores[hits])[::-1]
    at_93 = of(scores >= ranked[int(np.ceil(0.93 * len(ranked))) - 1])
    return {
        "topaz_precision": before[0],
        "topaz_recall": before[1],
        "pruned_precision": after[0],
        "pruned_recall": after[1],
        "precision_at_93": at_93[0],
    }


def table(found: list[dict[str, float | str]]) -> str:
    """Return accuracy / F1 by variant and number of labels, mean over the draws."""
    lines = ["| variant | labels | " + " | ".join(SETS) + " | mean |", "|---|---|" + "---|" * 4]
    for key in dict.fromkeys((one["variant"], one["labels"]) for one in found):
        cells = []
        for name in SETS:
            runs = [
                (one["accuracy"], one["f1"])
                for one in found
                if (one["variant"], one["labels"]) == key and one["set"] == name
            ]
            cells.append(np.mean(runs, 0) if runs else np.full(2, np.nan))
        cells.append(np.mean(cells, 0))
        text = " | ".join(f"{a:.3f} / {f:.3f}" for a, f in cells)
        lines.append(f"| {key[0]} | {key[1]} + {key[1]} | {text} |")
    for one in found:
        if "topaz_precision" in one and one["draw"] == 0:
            lines.append(
                f"Topaz picks, {one['set']}, {one['labels']} labels: precision "
                f"{one['topaz_precision']:.3f} -> {one['pruned_precision']:.3f} at recall "
                f"{one['topaz_recall']:.3f} -> {one['pruned_recall']:.3f}; at 93 % of the recall "
                f"{one['precision_at_93']:.3f}"
            )
    return "\n".join(lines)


def _boxes(folder: Path, image: str, x: np.ndarray, y: np.ndarray, name: str, side: int) -> Boxes:
    pixel, diameter = SETS[name]
    data = read_image(folder / "micrographs" / f"{image}.mrc", image).data
    parts = boxes_of_micrograph(data, x, y, pixel, BoxGeometry(diameter, side))
    return Boxes.concat(list(parts), side)


def _without_training(start: Pruner, seed: int) -> Pruner:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_box_network(start.card.network.name, start.card.network.arguments)
    return Pruner.build(start.card, network.state_dict())


if __name__ == "__main__":
    main()
