"""Few-shot picking by cryoMAE: the paper's ablations, and shared against single windows.

    python tests/benchmarks/bench_fewshot.py --encoder MODEL [--bench BENCH] [--seeds 3]
    python tests/benchmarks/bench_fewshot.py --encoder MODEL --windows

Sets and draws of 15 exemplars on one micrograph are those of ``bench_accuracy.py``; seed ``k``
takes draw ``k``. Each run is one file of ``--out``; what is there is not run again. A
difference counts when it exceeds twice the standard deviation of the difference over sets and
seeds. F1 is the best over all thresholds, centres by IoU >= .5 of squares, the paper's rule.
``--windows`` scores the first test micrograph of each set with every window encoded by itself,
every second token, and with tokens shared, at the same places, and counts the work.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from accuracy.draws import draws_of
from accuracy.own_sets import OWN, own_set
from accuracy.sets import BENCH, BenchSet, open_bench
from fewshot.execute import Session, exemplars_of, figures, train
from fewshot.variants import PAPER, VARIANTS

from frostpick.inference.dense import TILE
from frostpick.models.mae.flops import dense_flops, sliding_flops
from frostpick.models.mae.model import AutoencoderModel
from frostpick.models.mae.presets import preset
from frostpick.models.mae.shipped_encoder import shipped_encoder
from frostpick.models.picking_model import PickingModel
from frostpick.runtime.atomic import write_text


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing and print the table."""
    options = parse(arguments)
    logging.basicConfig(level=logging.ERROR)
    found = AutoencoderModel.load(options.encoder) if options.encoder else None
    encoder = found or shipped_encoder(options.preset)
    session = Session(encoder, options.preset, options.device, options.threads)
    sets = (
        open_bench(options.bench, list(BENCH))
        if options.bench
        else [own_set(name, options.out / "sets") for name in OWN]
    )
    for seed in range(options.seeds):
        for name in options.variants.split(","):
            for data in sets:
                run(options.out, session, data, name, seed)
    if options.windows:
        print(compare_windows(options.out, session, sets))
    print(table(load(options.out)))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bench", type=Path, help="development data; without it: own sets")
    parser.add_argument("--encoder", type=Path, help="pretrained encoder; the shipped one")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--out", type=Path, default=Path(".bench/fewshot"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--windows", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(arguments)


def run(out: Path, session: Session, data: BenchSet, name: str, seed: int) -> None:
    """Carry out one run unless its result is there."""
    variant = VARIANTS[name]
    start = session.encoder.digest[:8] if session.encoder and variant.pretrained else "none"
    place = out / f"{data.name}-{name}-s{seed}-{session.preset}-{start}.json"
    if place.exists():
        return
    trained = variant.like or name
    kept = out / "models" / f"{data.name}-{trained}-s{seed}-{session.preset}-{start}"
    info = kept / "training.json"
    if not info.exists():
        draw = draws_of(data)["15"][seed]
        labels = exemplars_of(data, draw, variant.exemplars, seed)
        result, cpu = train(session, data, VARIANTS[trained], labels, seed)
        result.model.save(kept)
        write_text(info, json.dumps({"train_cpu_s": cpu, "steps": result.summary["steps"]}))
    scored = figures(session, data, PickingModel.load(kept), stride=variant.stride)
    told = {"set": data.name, "variant": name, "seed": seed, **json.loads(info.read_text())}
    write_text(place, json.dumps({**told, **scored}, indent=1) + "\n")
    sys.stderr.write(f"{place.stem}: F1 {scored['iou50']['best_f1']:.3f}\n")


def load(out: Path) -> list[dict[str, object]]:
    """Return all results."""
    return [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]


def table(results: list[dict[str, object]]) -> str:
    """Return one line a variant: mean F1, and the difference to cryoMAE as it is."""
    f1 = {(r["variant"], r["set"], r["seed"]): r["iou50"]["best_f1"] for r in results}  # type: ignore[index]
    lines = [
        f"{'variant':14} {'runs':>4} {'F1':>6} {'sd':>6} {'change':>7} {'sd':>6}  verdict; paper"
    ]
    for name in VARIANTS:
        own = {key[1:]: value for key, value in f1.items() if key[0] == name}
        if not own:
            continue
        values = np.array(list(own.values()))
        both = [k for k in own if ("cryomae", *k) in f1]
        change = np.array([own[k] - f1[("cryomae", *k)] for k in both])
        line = f"{name:14} {len(values):4} {values.mean():6.3f} {_sd(values):6.3f}"
        if name != "cryomae" and len(change):
            line += f" {change.mean():+7.3f} {_sd(change):6.3f}  {_verdict(name, change)}"
        lines.append(line)
    return "\n".join(lines)


def _verdict(name: str, change: np.ndarray) -> str:
    base, without, where = PAPER[name]
    clear = len(change) > 1 and abs(change.mean()) > 2 * _sd(change)
    same = np.sign(change.mean()) == np.sign(without - base)
    word = "reproduced" if clear and same else "not reproduced"
    return f"{word}; {base:.3f} -> {without:.3f} (table {where})"


def _sd(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def compare_windows(out: Path, session: Session, sets: list[BenchSet]) -> str:
    """Return F1 and CPU seconds of shared tokens and of single windows, and the work of both."""
    lines = ["set              F1 shared  windows   CPU s shared  windows"]
    for data in sets:
        kept = sorted((out / "models").glob(f"{data.name}-cryomae-s0-{session.preset}-*"))
        if not kept:
            continue
        model = PickingModel.load(kept[0])
        shared, single = (
            figures(session, data, model, stride=2, windows=alone, limit=1)
            for alone in (False, True)
        )
        lines.append(
            f"{data.name:15} {shared['iou50']['best_f1']:10.3f} {single['iou50']['best_f1']:8.3f}"
            f" {shared['cpu_per_micrograph']:14.1f} {single['cpu_per_micrograph']:8.1f}"
        )
    size = preset(session.preset)
    for window in (200.0, 400.0):
        once = dense_flops(size, (4096, 4096), window, TILE)
        every = sliding_flops(size, (4096, 4096), window, 28.0)
        lines.append(
            f"4096 x 4096, window {window:.0f} px, stride 28: {every / 1e12:.2f} TFLOP, shared "
            f"{once / 1e12:.3f} TFLOP, {every / once:.0f} times less"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
