"""Part ``speed``: a whole ``frostpick prune`` job on a stack of many boxes."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import mrcfile
import numpy as np

from frostpick.models.pruner.model import load_pruner
from frostpick.models.pruner.picker_score import OUTPUTS
from pruning.macs import macs_per_box

#: Boxes that differ, and boxes written at a time.
DISTINCT = 2000
PIXEL_A, DIAMETER_A = 5.0, 160.0
WANTED_S, WANTED_GB, WANTED_MACS = 300.0, 2.0, 1e8
#: The job in a process of its own. Its peak is that of its own memory map: the resource usage of a
#: new process begins at what its parent held, which has just written the stack.
CHILD = """
import json, resource, sys, time
from frostpick_jobs.cli.main import main
began = time.perf_counter()
try:
    main()
except SystemExit as end:
    if end.code:
        raise
used = resource.getrusage(resource.RUSAGE_SELF)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({"peak_GB": int(status["VmHWM"].split()[0]) * 1024 / 1e9,
                  "cpu_s": used.ru_utime + used.ru_stime,
                  "wall_s": time.perf_counter() - began}))
"""


def speed(options: argparse.Namespace) -> None:
    """Prune ``--boxes`` boxes of 64 x 64 pixels at the working scale; print time and memory."""
    pruner = load_pruner(options.pruner)
    own = macs_per_box(pruner.network, pruner.side) / 1e6
    word = 0.0
    if pruner.picker is not None:
        word = macs_per_box(pruner.picker, pruner.picker.input_side(OUTPUTS)) / 1e6
    print(
        f"{own + word:.1f} million multiply-adds a box and look, {word:.1f} of them the picker's "
        f"(asked: at most {WANTED_MACS / 1e6:.0f})"
    )
    with tempfile.TemporaryDirectory(prefix="bench-prune-", dir=options.scratch) as folder:
        stack = Path(folder) / "boxes.mrcs"
        _write(stack, options.boxes, pruner.side)
        command = ["prune", "--particles", str(stack), "--diameter", str(DIAMETER_A)]
        command += ["--pruner", options.pruner, "--threads", str(options.threads)]
        command += ["--device", "cpu", "-o", str(Path(folder) / "out")]
        done = subprocess.run(
            [sys.executable, "-c", CHILD, *command],
            check=True,
            env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
            stdout=subprocess.PIPE,
            text=True,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"{options.boxes} boxes, {options.threads} threads, the whole job:")
    print(
        f"{found['cpu_s']:.0f} CPU s, {found['wall_s']:.0f} s of wall time (asked: 100000 under "
        f"{WANTED_S:.0f} on 2 cores), most resident memory {found['peak_GB']:.2f} GB (asked: "
        f"under {WANTED_GB:g})"
    )


def _write(path: Path, count: int, side: int) -> None:
    """Write noise with a light disc in every second box, ``DISTINCT`` of them over and over."""
    rng = np.random.default_rng(0)
    boxes = rng.standard_normal((DISTINCT, side, side), dtype=np.float32)
    y, x = np.mgrid[:side, :side] - side // 2
    boxes[::2] += 0.7 * (np.hypot(y, x) < 0.5 * DIAMETER_A / PIXEL_A)
    with mrcfile.new_mmap(path, (count, side, side), mrc_mode=2) as file:
        for start in range(0, count, DISTINCT):
            stop = min(count, start + DISTINCT)
            file.data[start:stop] = boxes[: stop - start]
        file.set_image_stack()
        file.voxel_size = PIXEL_A
