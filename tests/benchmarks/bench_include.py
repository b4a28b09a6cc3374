"""Labels of some views or of one species, and what `--include` adds by what repeats and is missed.

    python tests/benchmarks/bench_include.py [--cases tube_r:large:general-1]

A case is a set, the labels (15 of one training micrograph, or of the next ones where it has
fewer): ``small`` or ``large`` folded tilt, parted at the median, or ``one`` species; and the model
that the training starts from. That model; a training with these labels; then the same with the
kinds that its report calls mostly not picked, where there are any (``--labels-alone``: without
this). Each picks the test micrographs: AP, and the recall of what was labelled and of what was
not, at a precision of .9. Each case is a file of ``--out``.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import os
import zlib
from collections.abc import Iterable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from accuracy.draws import folded_tilt
from accuracy.matching import Matched, match_picks
from accuracy.measure import Picked, read_picked
from accuracy.sets import BenchSet, Split
from accuracy.text_table import markdown
from bench_views import Row, fifteen, kept
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from unseen.sets import made_set

from frostpick_jobs import api

CASES = (
    "tube_r:large:general-1,lshape_r:large:general-1,lshape_r:large:general-2,"
    "rod_r:large:general-2,species_r:one:general-2"
)
#: Precision at which recall is told, and how near a member is to a particle, in diameters.
PRECISION, ON = 0.9, 0.4


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", default=CASES)
    parser.add_argument("--unseen", type=Path, default=Path(".bench/unseen/sets"))
    parser.add_argument("--out", type=Path, default=Path(".bench/include"))
    parser.add_argument("--labels-alone", action="store_true", help="include nothing")
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    rows: list[Row] = []
    more = not options.labels_alone
    file = "with_kinds.json" if more else "labels_alone.json"
    for case in options.cases.split(","):
        name, which, start = case.split(":")
        out: Path = options.out / f"{name}-{which}-{start}"
        data = made_set(name, options.unseen).data
        rows += kept(out / file, lambda: compare(data, which, start, out, more))  # noqa: B023
    columns = list(rows[0])
    print(markdown(columns, [[str(row[c]) for c in columns] for row in rows]))


def compare(data: BenchSet, which: str, start: str, out: Path, more: bool) -> list[Row]:
    """Return a row of the start, of the labels alone, and of kinds included where asked."""
    truth = data.train.truth.drawable
    rng = np.random.default_rng(zlib.crc32(f"{data.name}:{which}".encode()))
    labels = fifteen(truth.name, np.flatnonzero(labelled(data.train, which)[truth.row]), rng)
    table = out / "labels.csv"
    with table.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["micrograph", "x_px", "y_px"])
        writer.writerows((f"{truth.name[k]}.mrc", truth.x_px[k], truth.y_px[k]) for k in labels)
    rows = [
        figures(data, which, start, start, out / "start"),
        train_and_pick(data, which, start, table, out / "labels", None),
    ]
    found = out / "labels" / "repeated_objects.csv"
    record = json.loads((out / "labels" / "run.json").read_text(encoding="utf-8"))
    kinds = record.get("repeated_objects", {}).get("kinds", [])
    missed = [k for k, one in enumerate(kinds, 1) if one["picked"] < 0.5 and "named" not in one]
    if missed and more:
        text = f"{out / 'labels'}:{','.join(map(str, missed))}"
        row = train_and_pick(data, which, start, table, out / "included", text)
        rows.append({**row, "on particles": f"{on_particles(data.train, found, missed, data):.2f}"})
    return rows


def labelled(split: Split, which: str) -> NDArray[np.bool_]:
    """Return which rows of a split's truth are of the part that labels are drawn from."""
    if which == "one":
        with split.table_path.open(encoding="utf-8", newline="") as handle:
            species = np.array([row["species"] for row in csv.DictReader(handle)])
        return np.asarray(species == np.unique(species[species != ""])[0])
    tilt = folded_tilt(split.truth)
    low = tilt <= np.median(folded_tilt(split.truth.drawable))
    return low if which == "small" else ~low


def train_and_pick(
    data: BenchSet, which: str, start: str, labels: Path, out: Path, include: str | None
) -> Row:
    """Return the figures of one training on the test micrographs."""
    api.train(
        out,
        micrographs=str(data.train.micrographs),
        labels=str(labels),
        start_model=start,
        include=include,
        diameter=data.diameter_A,
        threads=1,
        device="cpu",
    )
    row = figures(data, which, start, str(out / "model"), out)
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return {**row, "labels": 15, "included": record.get("included", {}).get("labels", 0)}


def figures(data: BenchSet, which: str, start: str, model: str, out: Path) -> Row:
    """Return the figures of a model's picks of the test micrographs."""
    picked, found = picked_test(data, model, out / "picks")
    precision = np.cumsum(found.true) / np.arange(1, len(found.true) + 1)
    good = np.flatnonzero(precision >= PRECISION)
    cut = float(found.score[good[-1]]) if len(good) else np.inf
    of_labelled = labelled(data.test, which)[found.particles.row]
    return {
        "set": data.name,
        "labels of": which,
        "start": start,
        "labels": 0,
        "included": 0,
        "on particles": "",
        "AP": f"{found.average_precision():.3f}",
        "recall, labelled": f"{found.recall(cut, of_labelled):.2f}",
        "recall, the others": f"{found.recall(cut, ~of_labelled):.2f}",
        "selected, labelled": f"{found.recall(picked.threshold, of_labelled):.2f}",
        "selected, the others": f"{found.recall(picked.threshold, ~of_labelled):.2f}",
    }


def picked_test(data: BenchSet, model: str, out: Path) -> tuple[Picked, Matched]:
    """Pick the test micrographs of a set by a job; return the picks, and matched to the truth."""
    api.pick(
        out,
        micrographs=str(data.test.micrographs),
        model=model,
        diameter=data.diameter_A,
        threads=1,
        device="cpu",
    )
    picked, test = read_picked(out / "picks.csv"), data.test
    return picked, match_picks(picked.picks, test.truth, test.names, test.shape, data.diameter_px)


def on_particles(split: Split, table: Path, kinds: Iterable[int], data: BenchSet) -> float:
    """Return the share of the objects of some kinds that lie on particles."""
    with table.open(encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if int(row["kind_number"]) in set(kinds)]
    away = []
    for row in rows:
        there = split.truth.particles.on(row["micrograph"].removesuffix(".mrc"))
        tree = cKDTree(np.stack([there.x_px, there.y_px], axis=1))
        away.append(tree.query([float(row["x_px"]), float(row["y_px"])])[0])
    return float(np.mean(np.array(away) < ON * data.diameter_px))


if __name__ == "__main__":
    main()
