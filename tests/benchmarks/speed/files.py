"""Files and models that the speed benchmark makes for itself."""

from __future__ import annotations

import os
from pathlib import Path

import mrcfile
import numpy as np

from frostpick.models.picking_model import PickingModel

PIXEL_A = 1.0
#: Rows, columns and pixel size of the development data's simulated micrographs.
SMALL, SMALL_PIXEL_A, SMALL_DIAMETER_A = (720, 752), 5.0, 155.0


def make_files(folder: Path, count: int, shape: tuple[int, int], diameter_px: float) -> None:
    """Write float32 noise with dark discs on a jittered lattice."""
    for number in range(count):
        rng = np.random.default_rng(number)
        image = rng.standard_normal(shape, dtype=np.float32)
        for y, x in disc_corners(rng, shape, diameter_px):
            disc = _disc(diameter_px)
            image[y:, x:][: disc.shape[0], : disc.shape[1]] -= 0.4 * disc
        with mrcfile.new(folder / f"m{number:02d}.mrc") as file:
            file.set_data(image)
            file.voxel_size = PIXEL_A


def make_small_type_files(
    folder: Path, count: int, shape: tuple[int, int], diameter_px: float
) -> dict[str, list[tuple[float, float]]]:
    """Write 8-bit files of the same, a quarter the size; return the disc centres (x, y) by name.

    One noise image is rolled about, for a thousand of them are to cost little.
    """
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(shape, dtype=np.float32)
    disc = _disc(diameter_px)
    centres: dict[str, list[tuple[float, float]]] = {}
    for number in range(count):
        image = np.roll(noise, tuple(rng.integers(0, shape, 2)), (0, 1))
        name = f"m{number:02d}"
        centres[name] = []
        for y, x in disc_corners(rng, shape, diameter_px):
            image[y:, x:][: disc.shape[0], : disc.shape[1]] -= 0.4 * disc
            middle = (disc.shape[0] - 1) / 2
            centres[name].append((x + middle, y + middle))
        with mrcfile.new(folder / f"{name}.mrc") as file:
            file.set_data(np.clip(np.rint(image * 24), -127, 127).astype(np.int8))
            file.voxel_size = PIXEL_A
    return centres


def disc_corners(
    rng: np.random.Generator, shape: tuple[int, int], diameter_px: float
) -> list[tuple[int, int]]:
    """Return row and column of the upper left corners of the discs, none of them cut."""
    step, corners = 1.7 * diameter_px, []
    for top in np.arange(10, shape[0] - 2 * diameter_px, step).astype(int):
        for left in np.arange(10, shape[1] - 2 * diameter_px, step).astype(int):
            dy, dx = rng.integers(0, int(diameter_px / 2), 2)
            corners.append((int(top + dy), int(left + dx)))
    return corners


def _disc(diameter_px: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    radius = diameter_px / 2
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return (np.hypot(y, x) < radius).astype(np.float32)


def make_simulated(folder: Path, count: int) -> None:
    """Simulate float16 micrographs of the development data's size into a folder."""
    from frostpick.simulate import (
        SimulationSettings,
        random_protein,
        simulate_micrograph,
        write_mrc,
    )

    settings = SimulationSettings(
        micrographs=count,
        size=max(SMALL),
        seed=904_003,
        pixel_size_A=SMALL_PIXEL_A,
        diameter_A=SMALL_DIAMETER_A,
    )
    protein = random_protein(settings)
    for index in range(count):
        image = simulate_micrograph(protein, settings, index).image[: SMALL[0], : SMALL[1]]
        write_mrc(folder / f"m{index:02d}.mrc", image.astype(np.float16), SMALL_PIXEL_A)


def link_many(files: list[Path], folder: Path, count: int) -> None:
    """Give the files many names: hard links, the same pages in the cache."""
    folder.mkdir(parents=True)
    for number in range(count):
        os.link(files[number % len(files)], folder / f"mic_{number:05d}.mrc")


def usual_network() -> str:
    """Return what most users pick with: the shipped network, untrained weights without one."""
    from frostpick.models.shipped import shipped_names

    return "general" if "general" in shipped_names() else "resnet8"


def make_model(network: str) -> PickingModel:
    """Return a model by name or path, or an untrained network that gives a usual number of picks.

    Parameters
    ----------
    network
        ``resnet8``, ``conv127``, ...: untrained; else what `load_model` takes.
    """
    import torch

    from frostpick.models.card import CalibrationSpec, ModelCard, NetworkSpec
    from frostpick.models.registry import build_network
    from frostpick.models.shipped import load_model

    if not network.startswith(("resnet", "conv")):
        return load_model(network)
    torch.manual_seed(0)
    card = ModelCard(
        network=NetworkSpec(name=network),
        calibration=CalibrationSpec(slope=1.0, offset=-3.0, fitted_on="nothing"),
    )
    return PickingModel(card, build_network(network, {}).eval().requires_grad_(False))
