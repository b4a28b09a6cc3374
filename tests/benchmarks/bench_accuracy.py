"""Accuracy of training from nothing, beside recorded figures of Topaz.

Needs a folder with development data::

    BENCH/simulated/<set>/{train,test}/{micrographs/*.mrc, coords.csv}
    BENCH/real/apoferritin/{train,test}/{micrographs/*.mrc, particles.csv}
    BENCH/score.py        optional: the AP of every run is checked against it

Run ``python tests/benchmarks/bench_accuracy.py --bench BENCH [--sets apof_r,real]
[--labels 200] [--seeds 3] [--threads 2] [--csv FILE]``. AP and F1: centre within a
quarter of the diameter, pooled over the test micrographs. One run of 200 labels
takes about 90 CPU seconds. On a busy machine use ``--threads 1``: threads that wait for
each other burn CPU time.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from frostpick.config import PickSettings, TrainSettings
from frostpick.evaluation.evaluate import evaluate
from frostpick.evaluation.truth import Truth
from frostpick.images import read_header
from frostpick.inference.pick import MicrographPicks, pick_micrographs
from frostpick.inference.plan import plan_picking
from frostpick.inference.threshold import choose_threshold
from frostpick.models.picking_model import PickingModel
from frostpick.runtime.reporter import SilentReporter
from frostpick.training.train import train_picker
from frostpick.types import Labels, LocalFile, Micrograph, Picks


@dataclass(frozen=True)
class DataSet:
    """Where a set lies, pixel size and diameter in Angstrom."""

    folder: str
    table: str
    pixel_A: float
    diameter_A: float


SETS = {
    "apof_r": DataSet("simulated/apof_r", "coords.csv", 5.0, 128.0),
    "bgal_r": DataSet("simulated/bgal_r", "coords.csv", 5.0, 176.0),
    "gpcrgs_r": DataSet("simulated/gpcrgs_r", "coords.csv", 4.0, 124.0),
    "real": DataSet("real/apoferritin", "particles.csv", 1.55, 120.0),
}
#: AP, best F1 and training CPU seconds of Topaz 0.3.20 (resnet8, GE-binomial, 200 labels, the
#: true count given), one run each, from the table of the development data of 2026-11-20.
TOPAZ = {
    "apof_r": (0.854, 0.851, 188),
    "bgal_r": (0.918, 0.894, 205),
    "gpcrgs_r": (0.858, 0.886, 188),
    "real": (0.995, 0.989, 417),
}


@dataclass(frozen=True)
class Row:
    """One run. ``P``, ``R`` and ``F1 auto`` at the threshold ``auto`` of the test picks."""

    set: str
    seed: int
    ap: float
    best_f1: float
    localisation_px: float
    auto_p: float
    auto_r: float
    auto_f1: float
    ece: float
    count: float
    count_true: float
    train_cpu_s: float
    train_wall_s: float
    pick_cpu_s: float


def read_truth(bench: Path, name: str, split: str) -> pd.DataFrame:
    """Return image, x, y, edge of the particles; cut ones are found where no column tells them."""
    data = SETS[name]
    table = pd.read_csv(bench / data.folder / split / data.table)
    table = table.rename(columns={"micrograph": "image_name", "x_px": "x_coord", "y_px": "y_coord"})
    table["image_name"] = table.image_name.astype(str).str.removesuffix(".mrc")
    if "kind" in table:
        table = table[table.kind == "particle"]
    if "edge" in table:
        return table
    path = next((bench / data.folder / split / "micrographs").glob("*.mrc"))
    height, width = read_header(path, path.stem).shape
    x, y = table.x_coord, table.y_coord
    distance = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y))
    return table.assign(edge=(distance < data.diameter_A / data.pixel_A / 2).astype(int))


def micrographs_of(bench: Path, name: str, split: str) -> list[Micrograph]:
    """Return the micrographs of a set, named by their stems."""
    folder = bench / SETS[name].folder / split / "micrographs"
    files = sorted(folder.glob("*.mrc"))
    return [Micrograph(f.stem, LocalFile(f), SETS[name].pixel_A) for f in files]


def draw_labels(truth: pd.DataFrame, count: int, seed: int) -> dict[str, Labels]:
    """Return ``count`` random particles that no border cuts."""
    whole = truth[truth.edge == 0]
    drawn = whole.sample(n=min(count, len(whole)), random_state=seed)
    return {
        str(name): Labels.from_xy(str(name), part.x_coord, part.y_coord)
        for name, part in drawn.groupby("image_name")
    }


def pick_all(
    model: PickingModel, micrographs: list[Micrograph], threads: int
) -> dict[str, MicrographPicks]:
    """Pick every micrograph down to the floor."""
    plan = plan_picking(model, PickSettings(device="cpu", threads=threads))
    picked = pick_micrographs(model, micrographs, plan, SilentReporter())
    return {one.micrograph_id: one for one in picked if isinstance(one, MicrographPicks)}


def check_against(
    scorer: Any, truth: pd.DataFrame, picks: dict[str, MicrographPicks], diameter: float, ap: float
) -> None:
    """Fail when the independent scorer finds another AP."""
    rows = [
        (name, x, y, s)
        for name, one in picks.items()
        for x, y, s in zip(one.picks.x_px, one.picks.y_px, one.picks.score, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["image_name", "x_coord", "y_coord", "score"])
    shape = next(iter(picks.values())).shape
    other = scorer.evaluate(truth, table, diameter, modes=("dist",), shape=shape)["dist"]["AP"]
    if abs(other - ap) > 1e-6:
        raise SystemExit(f"AP {ap:.6f} here, {other:.6f} by the scorer")


def run(
    bench: Path, name: str, labels: int, seed: int, options: dict[str, Any], scorer: Any
) -> Row:
    """Train on one draw of labels and measure on the test micrographs."""
    data = SETS[name]
    truth = read_truth(bench, name, "train")
    settings = TrainSettings.model_validate(
        {"diameter": data.diameter_A, "device": "cpu", "seed": seed, **options}
    )
    with tempfile.TemporaryDirectory() as spool:
        result = train_picker(
            micrographs_of(bench, name, "train"),
            draw_labels(truth, labels, seed),
            settings,
            start=None,
            spool=Path(spool),
            reporter=SilentReporter(),
        )
    began = time.process_time()
    picks = pick_all(result.model, micrographs_of(bench, name, "test"), settings.threads)
    pick_cpu = (time.process_time() - began) / len(picks)
    test = read_truth(bench, name, "test")
    found = measure(test, picks, data.diameter_A / data.pixel_A)
    if scorer is not None:
        check_against(scorer, test, picks, data.diameter_A / data.pixel_A, found.ap)
    scores: list[Any] = [one.picks.score for one in picks.values()]
    at = found.at(choose_threshold(scores, "auto"))
    return Row(
        set=name,
        seed=seed,
        ap=found.ap,
        best_f1=found.best_f1,
        localisation_px=found.localisation_mean_px or float("nan"),
        auto_p=at.precision,
        auto_r=at.recall,
        auto_f1=at.f1,
        ece=found.ece if found.ece is not None else float("nan"),
        count=result.summary["estimated_per_micrograph"],
        count_true=int((truth.edge == 0).sum()) / truth.image_name.nunique(),
        train_cpu_s=result.summary["cpu_s"],
        train_wall_s=result.summary["wall_s"],
        pick_cpu_s=pick_cpu,
    )


def measure(test: pd.DataFrame, picks: dict[str, MicrographPicks], diameter_px: float) -> Any:
    """Return the evaluation of picks against the truth of a set."""
    truths = {
        str(name): Truth.from_xy(str(name), part.x_coord, part.y_coord, edge=part.edge > 0)
        for name, part in test.groupby("image_name")
    }
    found: dict[str, Picks] = {name: one.picks for name, one in picks.items()}
    shapes = {name: one.shape for name, one in picks.items()}
    return evaluate(found, truths, diameter_px, shapes)


def load_scorer(bench: Path) -> Any:
    """Return the module ``score.py`` of the development data, or None."""
    path = bench / "score.py"
    spec = importlib.util.spec_from_file_location("score", path) if path.exists() else None
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lines(rows: list[Row]) -> Iterator[str]:
    """Yield the table: one line a run, and the means beside Topaz."""
    names = [f.name for f in fields(Row)]
    yield "  ".join(f"{n:>12}" for n in names)
    for row in rows:
        yield "  ".join(
            f"{v:>12.3f}" if isinstance(v, float) else f"{v!s:>12}" for v in vars(row).values()
        )
    for name in dict.fromkeys(row.set for row in rows):
        own = [row for row in rows if row.set == name]
        ap, f1, cpu = TOPAZ[name]
        yield (
            f"{name}: AP {np.mean([r.ap for r in own]):.3f} (Topaz {ap:.3f}), best F1 "
            f"{np.mean([r.best_f1 for r in own]):.3f} ({f1:.3f}), training CPU s "
            f"{np.mean([r.train_cpu_s for r in own]):.0f} ({cpu})"
        )
    simulated = [row.ap for row in rows if row.set != "real"]
    if simulated:
        yield f"simulated sets: mean AP {np.mean(simulated):.4f} over {len(simulated)} runs"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--objective", default="nnpu")
    parser.add_argument("--network", default="resnet8")
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--expected", type=float, default=None)
    parser.add_argument("--csv", type=Path, default=None)
    asked = parser.parse_args()
    options = {
        "objective": asked.objective,
        "network": asked.network,
        "epochs": asked.epochs,
        "threads": asked.threads,
        "expected_per_micrograph": asked.expected,
    }
    scorer = load_scorer(asked.bench)
    rows: list[Row] = []
    for name in asked.sets.split(","):
        for seed in range(asked.seeds):
            rows.append(run(asked.bench, name, asked.labels, seed, options, scorer))
            sys.stderr.write(f"{rows[-1]}\n")
    print("\n".join(lines(rows)))
    if asked.csv is not None:
        pd.DataFrame([vars(row) for row in rows]).to_csv(asked.csv, index=False)


if __name__ == "__main__":
    main()
