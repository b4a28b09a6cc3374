"""Part ``memory``: the most host memory of a training on many large micrographs."""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from speed.files import PIXEL_A, link_many, make_small_type_files

DISTINCT = 8
WANTED_GB = 4.0
#: Trains in a process of its own and prints what it took: no other memory is in the figure.
CHILD = """
import json, resource, sys
from frostpick_jobs import api
asked = json.loads(sys.argv[1])
out = api.train(asked["out"], micrographs=asked["micrographs"], labels=[asked["labels"]],
                diameter=asked["diameter"], steps=asked["steps"], threads=asked["threads"],
                device="cpu", start_model="none", pixel_size=asked["pixel_size"])
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"peak_GB": used.ru_maxrss * 1024 / 1e9, "cpu_s": used.ru_utime + used.ru_stime,
                  "images": out.training["labelled_micrographs"]}))
"""


def memory(options: argparse.Namespace) -> None:
    """Train one epoch on ``--micrographs`` files, all of them labelled; print the peak."""
    shape = (options.side, options.side)
    with tempfile.TemporaryDirectory(prefix="bench-memory-", dir=options.scratch) as folder:
        place = Path(folder)
        (place / "raw").mkdir()
        distinct = min(DISTINCT, options.micrographs)
        centres = make_small_type_files(place / "raw", distinct, shape, options.diameter)
        files = sorted((place / "raw").glob("*.mrc"))
        link_many(files, place / "micrographs", options.micrographs)
        with (place / "labels.csv").open("w", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(["micrograph", "x_px", "y_px"])
            for number in range(options.micrographs):
                x, y = centres[files[number % distinct].stem][0]
                writer.writerow([f"mic_{number:05d}.mrc", x, y])
        asked = {
            "micrographs": str(place / "micrographs"),
            "labels": str(place / "labels.csv"),
            "out": str(place / "out"),
            "diameter": options.diameter * PIXEL_A,
            "pixel_size": PIXEL_A,
            "steps": 50,
            "threads": options.threads,
        }
        done = subprocess.run(
            [sys.executable, "-c", CHILD, json.dumps(asked)],
            check=True,
            env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},
            stdout=subprocess.PIPE,
            text=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"\n{found['images']} labelled micrographs of {options.side} x {options.side}, 8-bit,")
    print(f"{distinct} of them distinct, at a diameter of {options.diameter:g} px")
    print(f"most resident memory {found['peak_GB']:.2f} GB{_verdict(options, found['peak_GB'])}")
    print(f"CPU time of one epoch, reading included: {found['cpu_s']:.0f} s")


def _verdict(options: argparse.Namespace, peak_GB: float) -> str:
    """Return what the bound says, where the job is as large as the one it is meant for."""
    if options.micrographs < 1000 or options.side < 4096:
        return ""
    word = "reached" if peak_GB < WANTED_GB else "not reached"
    return f" (asked: under {WANTED_GB:g}; {word})"
