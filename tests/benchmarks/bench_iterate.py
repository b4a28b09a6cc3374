"""Accuracy after each round of iterative training on the development sets.

    python tests/benchmarks/bench_iterate.py --bench BENCH --start-model none \\
        --counts 15,50 --draws 5 --rounds 3 [--network deepem] [--pruner none] [--no-plain]
        [--shard 0/2] [--table]

Each run trains in rounds with the published labels and scores every round's model, the last
training, and a plain training on the same labels. From the truth, which no round sees: the
share of the sure picks that are right, and how the tilts of the particles that a round
finds differ from those of all particles. One file a run in ``--out``; what is there is not
run again.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

# Threads that spin while they wait burn the CPU time that is measured; torch reads this on import.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from accuracy.code_version import code_version
from accuracy.draws import draws_of, folded_tilt
from accuracy.matching import match_picks
from accuracy.own_sets import OWN, own_set
from accuracy.sets import BENCH, BenchSet, open_bench
from accuracy.text_table import markdown, number

from frostpick.iterating.iterate import IterationResult, iterate_picker
from frostpick.iterating.pruner_score import PrunerScore
from frostpick.iterating.views import divergence
from frostpick.models.picking_model import PickingModel
from frostpick.models.pruner.model import load_pruner
from frostpick.models.shipped import load_model
from frostpick.picking.pick import MicrographPicks
from frostpick.picking.plan import plan_picking
from frostpick.picking.work import pick_micrographs
from frostpick.runtime.atomic import write_text
from frostpick.runtime.reporter import SilentReporter
from frostpick.settings import IterateSettings, PickSettings, TrainSettings
from frostpick.training.picker.train import train_picker
from frostpick.types import Labels, LocalFile, Micrograph, Picks

#: Parts of the engine that no figure here depends on.
ASIDE = ("report", "simulate")
#: Bins of the folded tilt, 0 to 90 degrees.
TILTS = np.linspace(0.0, 90.0, 7)


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bench", type=Path, help="development data; without it: own sets")
    parser.add_argument("--out", type=Path, default=Path(".bench/iterate"))
    parser.add_argument("--start-model", default="none")
    parser.add_argument(
        "--network", default="resnet8", help="trained where nothing is started from"
    )
    parser.add_argument("--pruner", default="pruner", help="that gives a second opinion, or none")
    parser.add_argument(
        "--no-plain", action="store_true", help="no plain training (bench_accuracy.py has them)"
    )
    parser.add_argument("--picking-rule", help="disc-nms or four-rotations")
    parser.add_argument("--sets", help="comma list; all simulated ones without it")
    parser.add_argument("--counts", default="15,50")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=0, help="0: as the product does")
    parser.add_argument("--shard", default="0/1", help="i/n: this process's part of the work")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    parser.add_argument("--any-code", action="store_true", help="take results of other versions")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    if not options.table:
        run_missing(options)
    print(table(load(options)))


def run_missing(options: argparse.Namespace) -> None:
    """Carry out this process's part of the runs, the first draw of everything first."""
    if options.bench is None:
        names = options.sets.split(",") if options.sets else list(OWN)
        sets = [own_set(name, options.out / "sets") for name in names]
    else:
        simulated = [name for name, info in BENCH.items() if info.simulated]
        sets = open_bench(options.bench, options.sets.split(",") if options.sets else simulated)
    draws = {data.name: draws_of(data) for data in sets}
    runs = [
        (draw, count, data)
        for draw in range(options.draws)
        for count in options.counts.split(",")
        for data in sets
        if draw < len(draws[data.name][count])
    ]
    part, parts = (int(word) for word in options.shard.split("/"))
    for draw, count, data in runs[part::parts]:
        path = options.out / "results" / f"{_name(options, data.name, count, draw)}.json"
        if path.exists():
            continue
        figures = one_run(options, data, draws[data.name][count][draw])
        told = {"set": data.name, "count": count, "draw": draw, "start": options.start_model}
        told |= {"network": options.network, "code": code_version(ASIDE)}
        write_text(path, json.dumps({**told, **figures}, indent=1) + "\n")
        aps = ", ".join(f"{one['ap']:.3f}" for one in figures["rounds"])
        sys.stderr.write(
            f"{path.stem}: {aps}; best {figures['best']}, last {figures['last']:.3f}\n"
        )


def _name(options: argparse.Namespace, data: str, count: str, draw: int) -> str:
    start = options.start_model
    if start != "none":
        start = load_model(start).digest.removeprefix("sha256:")[:8]
    how = f"{options.network}-{options.picking_rule or 'own'}-{start}-r{options.rounds}"
    pruner = options.pruner
    if pruner != "none":
        pruner = load_pruner(pruner).digest.removeprefix("sha256:")[:8]
    how += f"-{pruner}{'-no_plain' if options.no_plain else ''}"
    return f"{data}-{count}-d{draw}-{how}-{code_version(ASIDE)}"


def one_run(options: argparse.Namespace, data: BenchSet, rows: Any) -> dict[str, Any]:
    """Train in rounds and once plainly, pick the test micrographs with every model, and measure."""
    told = {"diameter": data.diameter_A, "threads": options.threads, "device": options.device}
    told["picking_rule"] = options.picking_rule
    if options.start_model == "none":  # a start brings its own network
        told["network"] = options.network
    settings = IterateSettings(rounds=options.rounds, start_model=options.start_model, **told)
    start = None if options.start_model == "none" else load_model(options.start_model)
    micrographs, labels = _micrographs(data, "train"), _labels(data, rows)
    verifier = None
    if options.pruner != "none":
        device = torch.device(options.device)
        verifier = PrunerScore(load_pruner(options.pruner), data.diameter_A, device)
    with tempfile.TemporaryDirectory() as folder:
        spool, reporter = Path(folder), SilentReporter()
        result = iterate_picker(
            micrographs,
            labels,
            settings,
            start=start,
            spool=spool / "a",
            reporter=reporter,
            verifier=verifier,
        )
        # From nothing a plain training is round 0, whose one pass it is.
        plain = result.rounds[0].model if start is None else None
        if start is not None and not options.no_plain:
            plain = train_picker(
                micrographs,
                labels,
                TrainSettings(start_model=options.start_model, **told),
                start=start,
                spool=spool / "b",
                reporter=reporter,
            ).model
    rounds = [
        {**figures_of(options, data, one.model), **row, **purity(data, result, index)}
        for index, (one, row) in enumerate(zip(result.rounds, result.table, strict=True))
    ]
    return {
        "rounds": rounds,
        "best": result.best,
        "last": figures_of(options, data, result.model)["ap"],
        "plain": figures_of(options, data, plain)["ap"] if plain else None,
    }


def figures_of(options: argparse.Namespace, data: BenchSet, model: PickingModel) -> dict[str, Any]:
    """Return AP on the test half, and the divergence of the tilts found from all tilts."""
    plan = plan_picking(model, PickSettings(device=options.device, threads=options.threads))
    found = pick_micrographs(model, _micrographs(data, "test"), plan, SilentReporter())
    picks: dict[str, Picks] = {
        one.micrograph_id.removesuffix(".mrc"): one.picks
        for one in found
        if isinstance(one, MicrographPicks)
    }
    test = data.test
    matched = match_picks(picks, test.truth, test.names, test.shape, data.diameter_px)
    tilt = folded_tilt(matched.particles)
    kept = matched.found_at >= model.card.threshold
    shares = [np.histogram(some, TILTS)[0] + 0.5 for some in (tilt, tilt[kept])]
    change = divergence(*(some / some.sum() for some in shares)) if len(tilt) else 0.0
    return {"ap": matched.average_precision(), "tilt_divergence": change}


def purity(data: BenchSet, result: IterationResult, index: int) -> dict[str, float]:
    """Return how many of a round's picks lie on particles of the training half.

    Of those whose mean probability over four rotations is .8 or more: a stand-in for the purity
    of what verification is sure of, which is fewer and surer.
    """
    one = result.rounds[index]
    truth = data.train.truth.particles
    right = total = 0
    for number_, name in enumerate(one.found.micrographs.tolist()):
        at = (one.found.micrograph == number_) & (one.found.agreement >= 0.8)
        here = truth.name == name.removesuffix(".mrc")
        x, y = truth.x_px[here], truth.y_px[here]
        for a, b in zip(one.found.x_px[at], one.found.y_px[at], strict=True):
            right += bool(len(x)) and bool(np.hypot(x - a, y - b).min() <= data.diameter_px / 4)
            total += 1
    return {"sure": float(total), "sure_right": right / max(1, total)}


def _labels(data: BenchSet, rows: Any) -> dict[str, Labels]:
    truth, wanted = data.train.truth, set(rows)
    labels = {}
    for name in data.train.names:
        some = truth.keep(truth.name == name)
        kept = [k for k, row in enumerate(some.row) if int(row) in wanted]
        if kept:
            labels[f"{name}.mrc"] = Labels.from_xy(f"{name}.mrc", some.x_px[kept], some.y_px[kept])
    return labels


def _micrographs(data: BenchSet, half: str) -> list[Micrograph]:
    split = data.train if half == "train" else data.test
    return [
        Micrograph(f"{name}.mrc", LocalFile(split.micrographs / f"{name}.mrc"), data.pixel_A)
        for name in split.names
    ]


def load(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Read results of the options' start, network and rounds, of this code or of any."""
    found = []
    for count in options.counts.split(","):
        pattern = _name(options, "*", count, 0).replace("-d0-", "-d*-")
        if options.any_code:
            pattern = pattern.removesuffix(code_version(ASIDE)) + "*"
        for path in sorted(options.out.glob(f"results/{pattern}.json")):
            found.append(json.loads(path.read_text(encoding="utf-8")))
    return found


def table(results: list[dict[str, Any]]) -> str:
    """Return the table: means over the draws of each count and set, and of all sets."""
    rows = []
    groups = sorted({(int(r["count"]), r["set"]) for r in results})
    counts = sorted({count for count, _ in groups})
    for count, name in [*groups, *((c, "all") for c in counts)]:
        some = [r for r in results if int(r["count"]) == count and name in (r["set"], "all")]
        most = max(len(r["rounds"]) for r in some)
        after = [np.mean([_ap_after(r, k) for r in some]) for k in range(most)]
        gain = np.array([r["rounds"][r["best"]]["ap"] - r["rounds"][0]["ap"] for r in some])
        plain = [r for r in some if r["plain"] is not None]
        final = np.array([r["last"] - r["plain"] for r in plain])
        rows.append(
            [
                str(count),
                name,
                str(len(some)),
                " / ".join(number(float(value)) for value in after),
                _with_error(gain),
                number(float(np.mean([r["plain"] for r in plain]))) if plain else "",
                number(float(np.mean([r["last"] for r in some]))),
                _with_error(final) if plain else "",
                number(float(np.mean([r["rounds"][0]["sure_right"] for r in some]))),
                number(float(np.mean([r["rounds"][-1]["view_change"] for r in some]))),
            ]
        )
    header = (
        "labels",
        "set",
        "runs",
        "AP after round 0 / 1 / ...",
        "best round less round 0",
        "plain training",
        "last training",
        "last less plain",
        "right of p >= .8",
        "view change",
    )
    return markdown(header, rows)


def _ap_after(result: dict[str, Any], number_: int) -> float:
    """Return the AP of the model that is in use after a round: an unused one changes nothing."""
    return float(result["rounds"][min(number_, result["best"])]["ap"])


def _with_error(values: Any) -> str:
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return f"{float(np.mean(values)):+.4f} ± {number(error, 4)}"


if __name__ == "__main__":
    main()
