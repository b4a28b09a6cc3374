"""Part ``count``: the work, the machine's rates, and how near to them picking and training come."""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path

import torch

from frostpick.models.registry import build_network
from frostpick.picking.plan import plan_picking
from frostpick.picking.work import pick_micrographs
from frostpick.runtime.reporter import SilentReporter
from frostpick.settings import PickSettings, TrainSettings
from frostpick.training.picker.recipe import Recipe
from frostpick.training.picker.setup import choose_network
from frostpick.training.tiles import TileGeometry
from frostpick.types import LocalFile, Micrograph
from frostpick_jobs import api
from speed.files import (
    PIXEL_A,
    SMALL_DIAMETER_A,
    make_files,
    make_model,
    make_simulated,
)
from speed.work import Work, micrograph_work, network_on_micrograph, training_step_work
from speed.yardstick import convolution_rate, copy_rate


def count(options: argparse.Namespace) -> None:
    """Print work, possible and achieved times, in CPU seconds of one thread."""
    torch.set_num_threads(1)
    rates = {"float32": convolution_rate(), "bfloat16": convolution_rate(torch.bfloat16)}
    memory = copy_rate()
    for name, rate in rates.items():
        print(f"convolution yardstick, {name:9s}{rate / 1e9:8.1f} GMAC a CPU second")
    print(f"copy yardstick                  {memory / 1e9:8.1f} GB a CPU second")
    _picking(options, 2 * rates["float32"], memory)
    _training(2 * rates["float32"], memory)


def _print(name: str, work: Work, flop_rate: float, byte_rate: float) -> None:
    least = work.seconds(flop_rate, byte_rate)
    print(f"  {name:24s}{work.flop / 1e9:8.2f} GFLOP {work.bytes / 1e6:8.0f} MB {least:8.4f} s")


def _against(least: float, achieved: float) -> None:
    share = least / achieved
    print(f"possible {least:.3f} s, achieved {achieved:.3f} s: {share:.0%} of the possible")


def _picking(options: argparse.Namespace, flop_rate: float, byte_rate: float) -> None:
    model, side = make_model(options.network), options.side
    working = round(side * model.card.px_per_diameter / options.diameter)
    parts = micrograph_work(side, working)
    parts["network"] = network_on_micrograph(model.network, working)
    print(f"\n{side} x {side} float32 at a diameter of {options.diameter:g} px, {options.network}:")
    print("                               work     bytes moved    least CPU time at those rates")
    total = Work(0.0, 0.0)
    for name, work in parts.items():
        _print(name, work, flop_rate, byte_rate)
        total += work
    least = sum(work.seconds(flop_rate, byte_rate) for work in parts.values())
    settings = PickSettings(diameter=options.diameter * PIXEL_A, device="cpu", threads=1)
    plan = plan_picking(model, settings)
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder), 4, (side, side), options.diameter)
        files = sorted(Path(folder).glob("*.mrc"))
        spent = [_pick_cpu(model, plan, files[:k]) for k in (1, 4)]
    achieved = (spent[1] - spent[0]) / 3
    _print("all", total, flop_rate, byte_rate)
    print(
        f"possible {least:.3f} s, achieved {achieved:.3f} s: {least / achieved:.0%} of the possible"
    )
    print("(the yardstick is float32; with bfloat16 more than all of it is possible)")


def _pick_cpu(model, plan, files: list[Path]) -> float:  # type: ignore[no-untyped-def]
    for file in files:
        file.read_bytes()  # warm cache
    micrographs = [Micrograph(file.name, LocalFile(file), PIXEL_A) for file in files]
    start = time.process_time()
    for _ in pick_micrographs(model, micrographs, plan, SilentReporter()):
        pass
    return time.process_time() - start


def _training(flop_rate: float, byte_rate: float) -> None:
    recipe = Recipe()
    spec = choose_network(TrainSettings(), None, recipe)
    network = build_network(spec.name, spec.arguments)
    radius, guard = recipe.label_radius, recipe.guard
    px = recipe.px_per_diameter
    side = TileGeometry.of(network, recipe.outputs, radius * px, guard * px).side
    work = training_step_work(network, recipe.tiles, side)
    tiles = f"{recipe.tiles} tiles of {side} x {side}"
    print(f"\ntraining step of {spec.name}, {tiles}, whatever the micrographs' size:")
    _print("forward and backward", work, flop_rate, byte_rate)
    least, achieved = work.seconds(flop_rate, byte_rate), _step_cpu()
    print(
        f"possible {least:.3f} s, achieved {achieved:.3f} s: {least / achieved:.0%} of the possible"
    )


def _step_cpu() -> float:
    """Return CPU seconds a step: two epochs less one, of trainings through the public call."""
    steps = Recipe().epoch_steps
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "micrographs").mkdir()
        make_simulated(place / "micrographs", 4)
        names = sorted(p.name for p in (place / "micrographs").glob("*.mrc"))
        with (place / "labels.csv").open("w", newline="") as handle:
            # Where they lie does not matter to the time of a step.
            writer = csv.writer(handle)
            writer.writerow(["micrograph", "x_px", "y_px"])
            writer.writerows([n, 60 + 90 * k, 80 + 70 * k] for n in names for k in range(8))
        spent = []
        for epochs in (1, 2):
            trained = api.train(
                place / f"out{epochs}",
                micrographs=str(place / "micrographs"),
                labels=[str(place / "labels.csv")],
                diameter=SMALL_DIAMETER_A,
                steps=epochs * steps,
                threads=1,
                device="cpu",
                start_model="none",
            )
            spent.append(float(trained.training["cpu_s"]))
    return (spent[1] - spent[0]) / steps
