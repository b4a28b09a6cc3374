"""Time and memory of picking large micrographs, by stage: ``python bench_speed.py``.

Makes its own files in a temporary folder and measures in a process of its own.

The least work for one 4096 x 4096 float32 micrograph at a diameter of 180 pixels
(working image 728 x 728, 182 x 182 scores), against which the stages are read:

========== ========================================================== ===============
read       64 MiB out of the page cache into memory                   67 MB
decode     MRC mode 2 is what a network wants: one look for NaN       67 MB
bounds     1/64 of the pixels, partially sorted                       1 MB
rescale    4096 real transforms of 4300 (2.5 n log2 n), only the 365  67 MB, 0.6 GFLOP
           frequencies that are kept, then 365 complex ones down
normalise  0.5 million pixels, some ten times over                    20 MB
network    resnet8 with 16 units: see the count that is printed       4.2 GMAC
peaks      33,000 cells: one sort, one stamp a peak                   < 1 MB
========== ========================================================== ===============

At some 10 GB/s and 100 GFLOP/s of two ordinary cores: 0.02 s to get the bytes, 0.02 s
to rescale them and 0.05 to 0.1 s for the network. The yardstick is a plain 3 x 3 convolution
timed in the same run: what the machine gives at that moment.
"""

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

import mrcfile
import numpy as np

PIXEL_A = 1.0


def make_files(folder: Path, count: int, shape: tuple[int, int], diameter_px: float) -> None:
    """Write noise with dark discs on a jittered lattice."""
    rng = np.random.default_rng(0)
    radius = diameter_px / 2
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = (np.hypot(y, x) < radius).astype(np.float32)
    for number in range(count):
        image = rng.standard_normal(shape, dtype=np.float32)
        for top in np.arange(10, shape[0] - 2 * diameter_px, 1.7 * diameter_px).astype(int):
            for left in np.arange(10, shape[1] - 2 * diameter_px, 1.7 * diameter_px).astype(int):
                dy, dx = rng.integers(0, int(diameter_px / 2), 2)
                window = image[top + dy :, left + dx :][: disc.shape[0], : disc.shape[1]]
                window -= 0.4 * disc
        with mrcfile.new(folder / f"m{number:02d}.mrc") as file:
            file.set_data(image)
            file.voxel_size = PIXEL_A


def measure(options: argparse.Namespace) -> None:
    """Pick the files of a folder twice over: by stage, and as a job does."""
    import torch

    from frostpick.config import PickSettings
    from frostpick.inference.pick import MicrographPicks, on_device, pick_micrographs
    from frostpick.inference.plan import plan_picking
    from frostpick.runtime.reporter import SilentReporter
    from frostpick.types import LocalFile, Micrograph

    settings = PickSettings(
        diameter=options.diameter * PIXEL_A, device="cpu", threads=options.threads
    )
    model = make_model(options.network)
    plan = plan_picking(model, settings)
    files = sorted(options.measure.glob("*.mrc"))
    micrographs = [Micrograph(file.name, LocalFile(file), PIXEL_A) for file in files]
    for file in files:
        file.read_bytes()  # warm cache
    spent = []
    picks = 0
    cpu = time.process_time()
    start = time.perf_counter()
    for found in pick_micrographs(model, micrographs, plan, SilentReporter()):
        assert isinstance(found, MicrographPicks), found
        spent.append(time.perf_counter() - start)
        picks += len(found.picks)
        start = time.perf_counter()
    cpu = time.process_time() - cpu
    later = spent[1:] or spent
    peak_GB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\n{len(files)} micrographs, {plan.threads} threads, {plan.readers} reader(s), CPU")
    print(f"OMP_WAIT_POLICY           {os.environ.get('OMP_WAIT_POLICY', 'not set'):>8s}")
    print(f"first micrograph          {spent[0]:8.3f} s")
    print(f"median of the others      {statistics.median(later):8.3f} s  (target: under 4)")
    print(f"slowest of the others     {max(later):8.3f} s")
    print(f"CPU time                  {cpu / len(files):8.3f} s a micrograph")
    print(f"peak resident memory      {peak_GB:8.3f} GB (target: under 1.5)")
    print(f"picks above the floor     {picks / len(files):8.0f} a micrograph")
    torch.set_num_threads(plan.threads)
    by_stage(on_device(model, plan.device), files[:5], options.diameter)


def by_stage(model, files: list[Path], diameter: float) -> None:  # type: ignore[no-untyped-def]
    """Print the median time of each stage, one after the other, nothing in parallel."""
    from frostpick.images import read_image
    from frostpick.inference.calibration import floor_logit
    from frostpick.inference.dense import score_map
    from frostpick.inference.peaks import find_peaks
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
    macs = count_macs(model.network, tuple(working.data.shape))
    rate = yardstick()
    network = clock.median(clock.cpu, "network")
    print(f"\nnetwork: {macs / 1e9:.2f} GMAC; yardstick: {rate / 1e9:.1f} GMAC a CPU second")
    print("(3 x 3 convolution, 64 to 64 channels); network / yardstick for as many: ", end="")
    print(f"{network * rate / macs:.2f}")


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


def count_macs(network, shape: tuple[int, int]) -> float:  # type: ignore[no-untyped-def]
    """Return the multiply-adds of one pass over a padded working image."""
    import torch

    total = 0.0

    def hook(layer, _, output) -> None:  # type: ignore[no-untyped-def]
        nonlocal total
        total += output.numel() * layer.weight[0].numel()

    handles = [
        layer.register_forward_hook(hook)
        for layer in network.modules()
        if isinstance(layer, torch.nn.Conv2d)
    ]
    field = network.receptive_field - 1
    with torch.inference_mode():
        network(torch.zeros(1, 1, shape[0] + field, shape[1] + field))
    for handle in handles:
        handle.remove()
    return total or float("nan")


def yardstick() -> float:
    """Return multiply-adds a CPU second of a plain convolution at this moment."""
    import torch

    x = torch.randn(1, 64, 184, 184).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(64, 64, 3, 3).contiguous(memory_format=torch.channels_last)
    best = float("inf")
    with torch.inference_mode():
        for _ in range(8):
            start = time.process_time()
            torch.nn.functional.conv2d(x, weight)
            best = min(best, time.process_time() - start)
    return 182 * 182 * 64 * 64 * 9 / best


def make_model(network: str):  # type: ignore[no-untyped-def]
    """Return the blob model, or an untrained network calibrated to give a usual number of picks."""
    import torch

    from frostpick.models.card import CalibrationSpec, ModelCard, NetworkSpec
    from frostpick.models.networks import build_network
    from frostpick.models.picking_model import PickingModel
    from frostpick.models.shipped import load_model

    if network == "blob":
        return load_model("blob")
    torch.manual_seed(0)
    card = ModelCard(
        network=NetworkSpec(name=network),
        calibration=CalibrationSpec(slope=1.0, offset=-3.0, fitted_on="nothing"),
    )
    return PickingModel(card, build_network(network, {}).eval().requires_grad_(False))


def main() -> None:
    """Make the files, then measure in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--micrographs", type=int, default=10)
    parser.add_argument("--size", type=int, nargs=2, default=(4096, 4096), metavar=("NY", "NX"))
    parser.add_argument("--diameter", type=float, default=180.0, help="in pixels")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--network", default="resnet8", help="resnet8, conv127, ... or blob")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options)
        return
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder), options.micrographs, tuple(options.size), options.diameter)
        arguments = ["--diameter", options.diameter, "--threads", options.threads]
        arguments += ["--network", options.network, "--measure", folder]
        command = [sys.executable, __file__, *map(str, arguments)]
        # Threads that spin while they wait take the processors from each other on a busy machine.
        environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
        subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    main()
