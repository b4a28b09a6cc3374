"""Part ``pick``: what one more small micrograph costs the command ``frostpick pick``."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from speed.files import SMALL, SMALL_DIAMETER_A, link_many, make_model, make_simulated
from speed.yardstick import convolution_rate

#: CPU seconds of Topaz 0.3.20 a 752 x 720 micrograph, recorded with the development data of
#: 2026-11-20: 0.4 to preprocess and 1.7 to extract.
TOPAZ_S = 2.1
WANTED = 30.0
DISTINCT = 8
RUN = "from frostpick_jobs.cli.main import main; main()"


def pick(options: argparse.Namespace) -> None:
    """Time jobs of different length and fit a line: start-up, and the cost of a micrograph."""
    lengths = [int(word) for word in options.lengths.split(",")]
    with tempfile.TemporaryDirectory(prefix="bench-pick-") as folder:
        place = Path(folder)
        (place / "raw").mkdir()
        make_simulated(place / "raw", DISTINCT)
        files = sorted((place / "raw").glob("*.mrc"))
        model = place / "model"
        make_model(options.network).save(model)
        rows = []
        for repeat in range(options.repeats):
            for length in lengths:
                micrographs = place / f"mics_{length}"
                if repeat == 0:
                    link_many(files, micrographs, length)
                before = convolution_rate()
                spent = job_cpu(micrographs, place / f"out_{repeat}_{length}", str(model), options)
                rate = (before + convolution_rate()) / 2
                rows.append((length, spent, rate))
                print(
                    f"{length:5d} micrographs {spent:8.2f} CPU s, yardstick {rate / 1e9:.0f} GMAC/s"
                )
    report(rows)


def job_cpu(micrographs: Path, out: Path, model: str, options: argparse.Namespace) -> float:
    """Return CPU seconds, of the user and the system, of one job in a process of its own."""
    words = ["pick", "--micrographs", str(micrographs), "-o", str(out), "--model", model]
    words += ["--diameter", str(SMALL_DIAMETER_A), "--device", "cpu"]
    words += ["--threads", str(options.threads)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environ = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words], env=environ, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"frostpick pick failed: {done.stderr.strip()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def fit_line(lengths: list[int], seconds: list[float]) -> tuple[float, float, float]:
    """Return start-up, seconds a micrograph, and the latter's standard error (least squares)."""
    x, y = np.array(lengths, np.float64), np.array(seconds)
    slope, start = np.polyfit(x, y, 1)
    left = y - start - slope * x
    freedom = max(1, len(x) - 2)
    error = np.sqrt(left @ left / freedom / np.sum((x - x.mean()) ** 2))
    return float(start), float(slope), float(error)


def report(rows: list[tuple[int, float, float]]) -> None:
    """Print the fit, and the ratio to Topaz's recorded time."""
    start, slope, error = fit_line([r[0] for r in rows], [r[1] for r in rows])
    rate = float(np.mean([r[2] for r in rows]))
    print(f"\nfrostpick pick, {SMALL[1]} x {SMALL[0]} float16, torch {torch.__version__}")
    print(f"start-up                   {start:8.2f} CPU s")
    print(f"each micrograph            {slope:8.4f} +- {error:.4f} CPU s")
    print(f"in yardstick's work        {slope * rate / 1e9:8.2f} GMAC (float32, 3 x 3, 64 to 64)")
    ratio = TOPAZ_S / slope
    word = "reached" if ratio >= WANTED else "not reached"
    print(f"Topaz 0.3.20, recorded     {TOPAZ_S:8.2f} CPU s, on another day")
    print(f"times faster               {ratio:8.1f} (asked: {WANTED:g}; {word})")
    print(f"No yardstick was recorded beside Topaz; here it is {rate / 1e9:.0f} GMAC a CPU second.")
