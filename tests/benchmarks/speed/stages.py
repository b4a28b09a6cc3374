"""Part ``stages``: time and memory of picking large micrographs, by stage."""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speed.files import PIXEL_A, make_files, make_model


def stages(options: argparse.Namespace) -> None:
    """Make the files, then measure in a fresh process."""
    if options.measure:
        measure(options)
        return
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder), options.large, (options.side, options.side), options.diameter)
        arguments = ["--part", "stages", "--diameter", options.diameter]
        arguments += ["--threads", options.threads, "--network", options.network]
        command = [sys.executable, sys.argv[0], *map(str, arguments), "--measure", folder]
        subprocess.run(command, check=True, env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ})


def measure(options: argparse.Namespace) -> None:
    """Pick the files of a folder twice over: as a job does, and by stage."""
    import torch

    from frostpick.picking.inference import prepared_for_inference
    from frostpick.picking.pick import MicrographPicks
    from frostpick.picking.plan import plan_picking
    from frostpick.picking.work import pick_micrographs
    from frostpick.runtime.executors.local import LocalExecutor
    from frostpick.runtime.reporter import SilentReporter
    from frostpick.settings import PickSettings
    from frostpick.types import LocalFile, Micrograph

    settings = PickSettings(
        diameter=options.diameter * PIXEL_A, device="cpu", threads=options.threads
    )
    model = make_model(options.network)
    executor = LocalExecutor(settings.device, settings.threads)
    plan = plan_picking(model, settings, executor=executor)
    files = sorted(options.measure.glob("*.mrc"))
    micrographs = [Micrograph(file.name, LocalFile(file), PIXEL_A) for file in files]
    for file in files:
        file.read_bytes()  # warm cache
    spent = []
    picks = 0
    cpu = time.process_time()
    start = time.perf_counter()
    for found in pick_micrographs(model, micrographs, plan, SilentReporter(), executor):
        assert isinstance(found, MicrographPicks), found
        spent.append(time.perf_counter() - start)
        picks += len(found.picks)
        start = time.perf_counter()
    cpu = time.process_time() - cpu
    later = spent[1:] or spent
    peak_GB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"\n{len(files)} micrographs, {executor.threads} threads, CPU,")
    print(f"{plan.precision}, OMP_WAIT_POLICY {os.environ.get('OMP_WAIT_POLICY', 'not set')}")
    print(f"first micrograph          {spent[0]:8.3f} s")
    print(f"median of the others      {statistics.median(later):8.3f} s  (asked: under 4)")
    print(f"slowest of the others     {max(later):8.3f} s")
    print(f"CPU time                  {cpu / len(files):8.3f} s a micrograph")
    print(f"peak resident memory      {peak_GB:8.3f} GB (asked: under 1.5)")
    print(f"picks above the floor     {picks / len(files):8.0f} a micrograph")
    torch.set_num_threads(executor.threads)
    ready = prepared_for_inference(model, executor.devices[0], plan.precision)
    by_stage(ready, files[:5], options.diameter)


def by_stage(model, files: list[Path], diameter: float) -> None:  # type: ignore[no-untyped-def]
    """Print the median time of each stage, one after the other, nothing in parallel."""
    from frostpick.images import read_image
    from frostpick.picking.calibration import floor_logit
    from frostpick.picking.dense import score_map
    from frostpick.picking.selectors.disc_nms import find_peaks
    from frostpick.preprocess.hot_pixels import hot_pixel_bounds
    from frostpick.preprocess.normalise import full_constants, normalise
    from frostpick.preprocess.pipeline import WorkingImage
    from frostpick.preprocess.rescale import rescale

    card, constants = model.card, full_constants(model.card.preprocess)
    factor, floor = diameter / card.px_per_diameter, floor_logit(card.calibration)
    clock = Stages()
    for file in files:
        clock.run("read", file.read_bytes)
        image = clock.run("read + decode", read_image, file, file.name).data
        bounds = clock.run("bounds", hot_pixel_bounds, image)
        data, sampling = clock.run("rescale", rescale, image, factor, 1.0, bounds=bounds)
        data = clock.run("normalise", normalise, data, card.px_per_diameter, constants)
        working = WorkingImage(data, sampling)
        scores = clock.run("network", score_map, model.network, working)
        clock.run("peaks", find_peaks, scores, diameter / 2, floor, 10**6)
    print(f"\nby stage, one after the other; working image {tuple(working.data.shape)}")
    print("                    wall s    CPU s")
    for stage in clock.wall:
        wall, cpu = clock.median(clock.wall, stage), clock.median(clock.cpu, stage)
        print(f"  {stage:16s} {wall:8.4f} {cpu:8.4f}")


class Stages:
    """Wall and CPU seconds of every call, by stage; on a busy machine the CPU's are the truer."""

    def __init__(self) -> None:
        self.wall: dict[str, list[float]] = {}
        self.cpu: dict[str, list[float]] = {}

    def run(self, stage: str, work: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call and time."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = work(*arguments, **options)
        self.wall.setdefault(stage, []).append(time.perf_counter() - wall)
        self.cpu.setdefault(stage, []).append(time.process_time() - cpu)
        return result

    @staticmethod
    def median(table: dict[str, list[float]], stage: str) -> float:
        """Return the median of a stage."""
        return statistics.median(table[stage])
