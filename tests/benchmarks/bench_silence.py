"""What becomes of a view that the start model misses, by how many labels there are, per design.

    python tests/benchmarks/bench_silence.py --cases tube_r:general-1 [--counts 0,15,60,200]

A case is a set and the model that the training starts from, a shipped name or a path; for rods or
tubes that of a corpus without them (``bench_unseen.py --part families``). Labels are drawn from
all particles of the training micrographs. Each design (``silence_designs.py``) trains and picks
the test micrographs: the mean probability of particles that are seen along their axis (folded
tilt under 30 degrees), 0 for those without a pick, the same of all others, and AP. Each run is a
file of ``--out`` and is not run again.
"""

from __future__ import annotations

import argparse
import logging
import os
import zlib
from functools import partial
from itertools import product
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from accuracy.draws import folded_tilt, write_labels
from accuracy.sets import BenchSet
from accuracy.text_table import markdown
from bench_include import picked_test
from bench_views import Row, kept
from silence_designs import DESIGNS
from unseen.sets import made_set

from frostpick.types import sigmoid
from frostpick_jobs import api

ALONG_BELOW = 30.0


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", default="tube_r:general-1")
    parser.add_argument("--counts", default="0,15,60,200")
    parser.add_argument("--designs", default=",".join(DESIGNS))
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--unseen", type=Path, default=Path(".bench/unseen/sets"))
    parser.add_argument("--out", type=Path, default=Path(".bench/silence"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    rows: list[Row] = []
    for draw, case, count, design in product(
        range(options.draws),
        options.cases.split(","),
        map(int, options.counts.split(",")),
        options.designs.split(","),
    ):
        name, start = case.split(":", 1)
        out = options.out / f"{name}-{zlib.crc32(start.encode()):08x}-{count}-{draw}-{design}"
        data = made_set(name, options.unseen).data
        make = partial(compare, data, start, count, draw, design, out)
        if count or design != "background":  # without labels as `unlabelled`
            rows += kept(out / "rows.json", make)
    print(table(rows))


def compare(data: BenchSet, start: str, count: int, draw: int, design: str, out: Path) -> list[Row]:
    """Return the figures of one training on the test micrographs, in one row."""
    rows = data.train.truth.drawable.row
    rng = np.random.default_rng([zlib.crc32(data.name.encode()), count, draw])
    out.mkdir(parents=True, exist_ok=True)
    labels = out / "labels.csv"
    if count:
        chosen = sorted(rng.choice(rows, count, replace=False).tolist())
        write_labels(labels, data.train.truth, chosen)
    with DESIGNS[design]():
        api.train(
            out / "train",
            micrographs=str(data.train.micrographs),
            labels=[str(labels)] if count else [],
            start_model=start,
            seed=draw,
            diameter=data.diameter_A,
            threads=1,
            device="cpu",
        )
    found = picked_test(data, str(out / "train" / "model"), out / "picks")[1]
    probability = sigmoid(found.found_at)
    along = folded_tilt(found.particles) < ALONG_BELOW
    row = {
        "set": data.name,
        "start": Path(start).parent.parent.name if "/" in start else start,
        "labels": count,
        "design": design,
        "along the axis": float(probability[along].mean()),
        "others": float(probability[~along].mean()),
        "AP": found.average_precision(),
        "particles along": int(along.sum()),
    }
    return [row]


def table(rows: list[Row]) -> str:
    """Return the means over draws."""
    keys = dict.fromkeys((r["set"], r["start"], r["labels"], r["design"]) for r in rows)
    figures = ("along the axis", "others", "AP")
    lines = []
    for key in keys:
        own = [r for r in rows if (r["set"], r["start"], r["labels"], r["design"]) == key]
        line = [*map(str, key), str(len(own)), str(own[0]["particles along"])]
        for figure in figures:
            values = [r[figure] for r in own]
            spread = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
            line.append(f"{np.mean(values):.3f}{spread}")
        lines.append(line)
    header = ("set", "start", "labels", "design", "draws", "particles along", *figures)
    return markdown(header, lines)


if __name__ == "__main__":
    main()
