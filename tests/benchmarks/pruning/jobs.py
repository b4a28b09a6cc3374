"""Whole pruning jobs on Topaz's recorded picks, as a user runs them, with labels of each kind."""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from pathlib import Path

import numpy as np

from frostpick.runtime.atomic import write_text
from frostpick_jobs.api import prune
from pruning.code_version import pruning_version
from pruning.figures import precision_left, right_picks
from pruning.sets import SETS, TOPAZ_DEFAULT, particles_of

#: Good labels drawn over all training micrographs, or those of the first one; and as many bad.
KINDS = ("none", "50", "50+50", "one micrograph")


def jobs(options: argparse.Namespace) -> None:
    """Run what is missing, print a line a job."""
    runs = [(name, kind) for kind in KINDS for name in SETS]
    part, parts = map(int, options.shard.split("/"))
    version = pruning_version(tasks=True)
    for number, (name, kind) in enumerate(runs):
        for merit in (True, False):
            stem = f"job_{name}_{kind}_{merit}".replace(" ", "_")
            path = options.out / f"{stem}_{version}.json"
            if not path.exists() and not options.table and number % parts == part:
                write_text(path, json.dumps(_one(options.bench, name, kind, merit=merit)) + "\n")
            if path.exists():
                told = json.loads(path.read_text())
                words = ", ".join(f"{key} {value:.3f}" for key, value in told.items())
                print(f"{name}, {kind}, {'with' if merit else 'without'} merit: {words}")


def _one(bench: Path, name: str, kind: str, *, merit: bool) -> dict[str, float]:
    """Prune one list at ``auto`` and at ``precision=0.9``, and compare with the truth."""
    _, diameter = SETS[name]
    folder = bench / "simulated" / name
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        picks = _write_topaz(bench, name, here / "picks.csv")
        labels = _write_labels(folder / "train", kind, here)
        asked = {"diameter": diameter, "figure_of_merit": merit, "device": "cpu", "threads": 1}
        mics = [folder / "test" / "micrographs", folder / "train" / "micrographs"]
        done = {
            rule: prune(
                here / "out",
                micrographs=mics if labels else mics[:1],
                picks=here / "picks.csv",
                threshold=rule,
                **labels,
                **asked,
            )
            for rule in ("precision=0.9", "auto")
        }
    right, cut, total = _truth(folder / "test", picks, name)
    precise, kept = (one.decisions.keep & ~cut for one in done.values())
    score = np.nan_to_num(done["auto"].decisions.score, nan=-99.0)
    hits = int((kept & right).sum())
    return {
        "at 93 %": precision_left(score, right, cut),
        "auto: precision": hits / max(1, int(kept.sum())),
        "recall": hits / total,
        "F1": 2 * hits / (int(kept.sum()) + total),
        "asked .9: precision": float(right[precise].mean()),
        "expected share": float(done["auto"].record["expected_good"]),
        "share": float(right[~cut].mean()),
    }


def _write_topaz(bench: Path, name: str, path: Path) -> list[tuple[str, float, float]]:
    """Write the picks as CSV, best first; return micrograph, x and y of each row."""
    rows = []
    with (bench / "topaz_picks" / f"{name}_test.csv").open() as handle:
        for row in csv.DictReader(handle):
            if float(row["score"]) > TOPAZ_DEFAULT:
                rows.append((row["micrograph"], row["x_px"], row["y_px"], row["score"]))
    rows.sort(key=lambda row: -float(row[3]))
    text = "micrograph,x_px,y_px,score\n" + "".join(",".join(row) + "\n" for row in rows)
    write_text(path, text)
    return [(Path(one).stem, float(x), float(y)) for one, x, y, _ in rows]


def _write_labels(folder: Path, kind: str, here: Path) -> dict[str, Path]:
    """Write files of good and bad labels; return them by option."""
    if kind == "none":
        return {}
    with (folder / "noisy_picks.csv").open() as handle:
        rows = sorted(csv.DictReader(handle), key=lambda row: row["image_name"])
    rng = np.random.default_rng(0)
    given = {}
    for option, label in (("labels", "1"), ("bad", "0")):
        if option == "bad" and "+" not in kind:
            continue
        mine = [row for row in rows if row["label"] == label]
        order = rng.permutation(len(mine))
        if kind == "one micrograph":
            mine = [row for row in mine if row["image_name"] == mine[0]["image_name"]]
            order = np.arange(len(mine))
        lines = [
            f"{mine[at]['image_name']},{mine[at]['x_coord']},{mine[at]['y_coord']}\n"
            for at in order[:50].tolist()
        ]
        given[option] = here / f"{option}.csv"
        write_text(given[option], "micrograph,x_px,y_px\n" + "".join(lines))
    return given


def _truth(
    folder: Path, picks: list[tuple[str, float, float]], name: str
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return which rows are right, which lie on cut particles, and the count of whole ones."""
    pixel, diameter = SETS[name]
    truth = particles_of(folder)
    right, cut = np.zeros(len(picks), np.bool_), np.zeros(len(picks), np.bool_)
    for image, particles in truth.items():
        at = np.array([n for n, row in enumerate(picks) if row[0] == image], np.int64)
        xy = np.array([picks[n][1:] for n in at.tolist()]).reshape(-1, 2)
        right[at], cut[at] = right_picks(xy, np.array(particles), diameter / pixel)
    total = sum(row[2] == 0 for particles in truth.values() for row in particles)
    return right, cut, int(total)
