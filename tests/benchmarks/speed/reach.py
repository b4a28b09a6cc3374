"""Part ``train``: how long a training from nothing takes to reach Topaz's recorded AP."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from accuracy.draws import draws_of, write_labels
from accuracy.measure import measure, read_picked
from accuracy.recorded import TOPAZ, rows_of
from accuracy.sets import BenchSet, open_bench

from frostpick_jobs import api

SETS = ("apof_r", "bgal_r", "gpcrgs_r")
LABELS = "200"
#: Longest training that is tried, in epochs.
LONGEST = 20


def train(options: argparse.Namespace) -> None:
    """Train for 1, 2, ... epochs, each from nothing, until the AP is that of Topaz.

    The time of the shortest training that is good enough is what somebody waits who asks for so
    many epochs; the longer ones are not needed.
    """
    if options.bench is None:
        raise SystemExit("--part train needs the development data: give --bench BENCH")
    print(f"{LABELS} labels, draw {options.draw}, --start-model none, {options.threads} thread(s)")
    print("set        epochs     AP  asked  training CPU s  Topaz's  share (asked: 0.10)")
    for data in open_bench(options.bench, SETS):
        # Of the two recorded trainings, the one of 200 updates and 205 CPU seconds.
        topaz = rows_of(TOPAZ, data.name, LABELS)[0]
        for epochs in range(options.first_epochs, LONGEST + 1):
            ap, spent = one_training(data, epochs, options)
            share = spent / topaz["train_cpu_s"]
            print(
                f"{data.name:10s}{epochs:7d} {ap:6.3f} {topaz['ap']:6.3f} {spent:15.1f} "
                f"{topaz['train_cpu_s']:8.0f} {share:6.2f}",
                flush=True,
            )
            if ap >= topaz["ap"]:
                break


def one_training(data: BenchSet, epochs: int, options: argparse.Namespace) -> tuple[float, float]:
    """Return the AP on the test micrographs, and CPU seconds of the whole training job."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        rows = draws_of(data)[LABELS][options.draw]
        write_labels(place / "labels.csv", data.train.truth, rows)
        shared = {"diameter": data.diameter_A, "threads": options.threads, "device": "cpu"}
        start = time.process_time()
        trained = api.train(
            place / "train",
            micrographs=str(data.train.micrographs),
            labels=[str(place / "labels.csv")],
            start_model="none",
            steps=50 * epochs,
            **shared,
        )
        spent = time.process_time() - start
        assert trained.model_path is not None
        api.pick(
            place / "pick",
            micrographs=str(data.test.micrographs),
            model=trained.model_path,
            **shared,
        )
        picked = read_picked(place / "pick" / "picks.csv")
        return float(measure(data, data.test, picked, None)["ap"]), spent
