"""Few-shot picking by cryoMAE: the paper's ablations, shared against single windows, empty ice.

    python tests/benchmarks/bench_fewshot.py --encoder MODEL [--bench BENCH] [--seeds 3]
    python tests/benchmarks/bench_fewshot.py --encoder MODEL --windows --empties

Sets and draws of 15 exemplars on one micrograph are those of ``bench_accuracy.py``; seed ``k``
takes draw ``k``. Three more training micrographs give unlabelled windows. Each run is one file
of ``--out``; what is there is not run again. A difference, of means over sets, counts when it
exceeds twice its standard deviation over seeds. F1 is the best over all thresholds,
centres by IoU >= .5 of squares, the paper's rule. ``--windows`` scores the first test
micrograph of each set with tokens shared and with every window encoded by itself, at the same
places, with the exemplars as the model describes them and as windows, and counts the work.
``--empties`` counts what is selected on blank ice and on carbon in one job with the test
micrographs. ``--ceiling`` tells how much of a masked window can be rebuilt at all, and is
(``fewshot/ceiling.py``).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from accuracy.draws import draws_of
from accuracy.own_sets import OWN, own_set
from accuracy.sets import BENCH, BenchSet, open_bench
from fewshot.ceiling import explained
from fewshot.execute import (
    Session,
    compare_with_windows,
    exemplars_of,
    figures,
    on_empties,
    train,
)
from fewshot.flops import dense_flops, sliding_flops
from fewshot.variants import PAPER, VARIANTS, WAYS

from frostpick.models.cryomae.model import AutoencoderModel
from frostpick.models.cryomae.presets import preset
from frostpick.models.cryomae.shipped_encoder import shipped_encoder
from frostpick.models.picking_model import PickingModel
from frostpick.picking.dense import TILE
from frostpick.runtime.atomic import write_text


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing and print the table."""
    options = parse(arguments)
    logging.basicConfig(level=logging.ERROR)
    found = AutoencoderModel.load(options.encoder) if options.encoder else None
    encoder = found or shipped_encoder(options.encoder_size)
    session = Session(
        encoder, options.encoder_size, options.device, options.threads, options.micrographs
    )
    sets = (
        open_bench(options.bench, list(BENCH))
        if options.bench
        else [own_set(name, options.out / "sets") for name in OWN]
    )
    if options.sets:
        sets = [data for data in sets if data.name in options.sets.split(",")]
    for seed in range(options.seeds):
        for name in options.variants.split(","):
            for data in sets:
                run(options.out, session, data, name, seed)
    models = {data.name: _model(options.out, session, data) for data in sets}
    if options.windows:
        print(compare_windows(session, sets, models, options.window_stride))
    if options.empties:
        print(count_on_empties(session, sets, models))
    if options.ceiling:
        print(rebuilt(encoder, options.ceiling))
    print(table(load(options.out)))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bench", type=Path, help="development data; without it: own sets")
    parser.add_argument("--sets", help="names, by commas; all")
    parser.add_argument("--encoder", type=Path, help="pretrained encoder; the shipped one")
    parser.add_argument("--encoder-size", default="tiny")
    parser.add_argument("--out", type=Path, default=Path(".bench/fewshot"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--micrographs", type=int, help="test micrographs a set; all")
    parser.add_argument("--windows", action="store_true")
    parser.add_argument("--window-stride", type=int, default=1, help="in tokens")
    parser.add_argument("--empties", action="store_true")
    parser.add_argument("--ceiling", type=int, default=0, help="simulated micrographs to look at")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(arguments)


def run(out: Path, session: Session, data: BenchSet, name: str, seed: int) -> None:
    """Carry out one run unless its result is there."""
    variant = VARIANTS[name]
    kept = _place(out / "models", session, data, name, seed)
    place = out / f"{kept.name}.json"
    if place.exists():
        return
    info = kept / "training.json"
    if not info.exists():
        draw = draws_of(data)["15"][seed]
        labels = exemplars_of(data, draw, variant.exemplars, seed)
        result, cpu = train(session, data, variant, labels, seed)
        result.model.save(kept)
        told = {"train_cpu_s": cpu, "steps": result.summary["steps"], "curve": result.curve}
        write_text(info, json.dumps(told))
    scored = figures(session, data, PickingModel.load(kept), variant.low_pass)
    told = {"set": data.name, "variant": name, "seed": seed, **json.loads(info.read_text())}
    write_text(place, json.dumps({**told, **scored}, indent=1) + "\n")
    sys.stderr.write(f"{place.stem}: F1 {scored['max']['best_f1']:.3f}\n")


def _place(out: Path, session: Session, data: BenchSet, name: str, seed: int) -> Path:
    used = session.encoder if VARIANTS[name].pretrained else None
    start = used.digest[:8] if used else "none"
    return out / f"{data.name}-{name}-s{seed}-{session.preset}-{start}"


def _model(out: Path, session: Session, data: BenchSet) -> PickingModel | None:
    kept = _place(out / "models", session, data, "cryomae", 0)
    return PickingModel.load(kept) if kept.exists() else None


def load(out: Path) -> list[dict[str, object]]:
    """Return all results."""
    return [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]


def table(results: list[dict[str, object]]) -> str:
    """Return one line a variant: mean F1 by set, and the difference to cryoMAE as it is.

    ``sd`` is over seeds, of the mean over sets; ``change`` and its sd are of the seeds that have
    every set.
    """
    f1: dict[str, dict[Key, float]] = {}
    for r in results:
        key = (str(r["set"]), int(str(r["seed"])))
        for way in ("max", *(WAYS if r["variant"] == "cryomae" else ())):
            name = str(r["variant"]) if way == "max" else way
            f1.setdefault(name, {})[key] = r[way]["best_f1"]  # type: ignore[index]
    sets = sorted({name for some in f1.values() for name, _ in some})
    head = f"{'variant':14} " + " ".join(f"{name:>8}" for name in sets)
    lines = [f"{head} seeds   mean     sd  change     sd  verdict; paper"]
    for name in (*VARIANTS, *WAYS):
        if name in f1:
            lines.append(_line(name, f1[name], f1.get("cryomae", {}), sets))
    return "\n".join(lines)


#: Set and seed.
Key = tuple[str, int]


def _line(name: str, own: dict[Key, float], base: dict[Key, float], sets: list[str]) -> str:
    by_set = [[v for (found, _), v in own.items() if found == one] for one in sets]
    words = [f"{np.mean(some):8.3f}" if some else f"{'-':>8}" for some in by_set]
    means = _over_sets(own, sets)
    values = np.array(list(means.values()))
    line = f"{name:14} {' '.join(words)} {len(values):5}"
    if len(values):
        line += f" {values.mean():6.3f} {_sd(values):6.3f}"
    as_it_is = _over_sets(base, sets)
    change = np.array([means[seed] - as_it_is[seed] for seed in means if seed in as_it_is])
    if name != "cryomae" and len(change):
        line += f" {change.mean():+7.3f} {_sd(change):6.3f}  {_verdict(name, change)}"
    return line


def _over_sets(f1: dict[Key, float], sets: list[str]) -> dict[int, float]:
    """Return the mean over sets of each seed that has them all."""
    seeds = sorted({seed for _, seed in f1})
    complete = [seed for seed in seeds if all((name, seed) in f1 for name in sets)]
    return {seed: float(np.mean([f1[name, seed] for name in sets])) for seed in complete}


def _verdict(name: str, change: np.ndarray) -> str:
    if len(change) < 2:
        return "one seed"
    clear = abs(change.mean()) > 2 * _sd(change)
    if name not in PAPER:
        return "a difference" if clear else "no difference"
    base, without, where = PAPER[name]
    same = np.sign(change.mean()) == np.sign(without - base)
    word = "holds" if clear and same else "not reproduced"
    return f"{word}; {base:.3f} -> {without:.3f} (table {where})"


def _sd(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


Models = Mapping[str, PickingModel | None]


def compare_windows(session: Session, sets: list[BenchSet], models: Models, stride: int) -> str:
    """Return what shared tokens and single windows find and cost, and the work of both."""
    ways = ("shared", "windows", "windows throughout")
    lines = [f"{'set':15} {'':18} {'best F1':>8} {'AP':>6} {'CPU s':>8}  logits, r"]
    for data in sets:
        model = models[data.name]
        if model is None:
            continue
        exemplars = exemplars_of(data, draws_of(data)["15"][0], 15, 0)
        found = compare_with_windows(session, data, model, exemplars, stride)
        for way in ways:
            one = found[way]
            alike = np.corrcoef(found["shared"].logits.flatten(), one.logits.flatten())[0, 1]
            lines.append(
                f"{data.name:15} {way:18} {one.best_f1:8.3f} {one.ap:6.3f} {one.cpu_s:8.1f}  "
                f"{alike:.3f}"
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


def count_on_empties(session: Session, sets: list[BenchSet], models: Models) -> str:
    """Return how many picks a test micrograph has, and each blank and carbon one."""
    lines = ["set            selected a micrograph  blank        carbon"]
    for data in sets:
        model = models[data.name]
        if model is not None:
            found = on_empties(session, data, model)
            lines.append(
                f"{data.name:15} {found['selected_per_micrograph']:20.1f}  "
                f"{found['blank']!s:12} {found['carbon']!s}"
            )
    return "\n".join(lines)


def rebuilt(encoder: AutoencoderModel | None, micrographs: int) -> str:
    """Return how much of hidden patches there is to explain, and how much is explained."""
    if encoder is None:
        raise SystemExit("--ceiling needs an encoder; give --encoder MODEL")
    lines = ["share of the variance of hidden patches  all   median of micrographs"]
    for name, (share, median) in explained(encoder.network, micrographs).items():
        lines.append(f"{name:38} {share:6.3f} {median:6.3f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
