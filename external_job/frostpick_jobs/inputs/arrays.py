"""Inputs of a job that are arrays: written below its folder, as files that a job can go on with.

A file whose content is the same is left as it is, so that a job that is called again does
nothing twice.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError, option
from frostpick.images.memory import InMemory, as_image
from frostpick.runtime.atomic import atomic_write, write_text
from frostpick.types import Labels, Picks
from frostpick_jobs.inputs.find import is_image
from frostpick_jobs.inputs.names import check_id

#: Folder below the job's, and the file in it that knows what the others hold.
FOLDER, NOTED = "arrays", "arrays.json"
Array = NDArray[Any]
#: What stands for files: micrographs and places on them by name, or a stack of boxes.
Arrays = Mapping[str, Array] | Mapping[str, Picks] | Array


def are_arrays(given: object) -> bool:
    """Tell whether an input is arrays, not paths."""
    return isinstance(given, (Mapping, np.ndarray))


def write_input(out: Path, name: str, given: Arrays, pixel_size_A: float | None) -> tuple[str, ...]:
    """Write an input that is arrays, and return its files.

    Parameters
    ----------
    out
        The job's folder.
    name
        Of the input: ``micrographs`` by their names, ``(ny, nx)`` numbers each; ``particles``,
        ``(n, b, b)``; else places by the names of their micrographs, `Picks` or ``(n, 2)`` x and
        y in pixels, 0-based pixel centres.
    pixel_size_A
        Of micrographs and particles, in Angstrom.

    Raises
    ------
    InputError
        An array of another shape, a name that cannot be one, or no pixel size.
    """
    folder = out / FOLDER
    if name not in ("micrographs", "particles"):
        if isinstance(given, np.ndarray):
            raise InputError(f"{name}: an array; expected one for each micrograph, by its name")
        return (_write_places(folder / f"{name}.csv", name, given),)
    if pixel_size_A is None:
        raise InputError(f"{name}: arrays tell no pixel size; give {option('pixel_size')}")
    if name == "particles":
        return _write_images(folder, {"particles.mrcs": _stack(given)}, pixel_size_A)
    if isinstance(given, np.ndarray):
        raise InputError("micrographs: an array; expected a name for each: {'m1': array}")
    images = {_file_name(one): as_image(np.asarray(image), one) for one, image in given.items()}
    return _write_images(folder, images, pixel_size_A)


def _file_name(name: str) -> str:
    if "/" in check_id(name) or name.startswith("."):
        raise InputError(f"micrograph {name!r}: expected a name without / and no dot in front")
    return name if is_image(Path(name)) else f"{name}.mrc"


def _write_images(
    folder: Path, images: Mapping[str, Array], pixel_size_A: float
) -> tuple[str, ...]:
    """Write images by the names of their files, those that are not there yet."""
    told = {name: f"{InMemory(one).fingerprint()} {pixel_size_A!r}" for name, one in images.items()}
    noted = _noted(folder)
    new = [name for name in told if noted.get(name) != told[name] or not (folder / name).is_file()]
    if new:
        folder.mkdir(parents=True, exist_ok=True)
        # first what is about to change: after a kill no file is taken for what it was before
        _note(folder, {name: one for name, one in noted.items() if name not in new})
        for name in new:
            _write_image(folder / name, images[name], pixel_size_A)
        _note(folder, {**noted, **told})
    return tuple(str(folder / name) for name in images)


def _write_image(path: Path, image: Array, pixel_size_A: float) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with mrcfile.new(temporary, image) as file:
            file.voxel_size = pixel_size_A
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _stack(given: Any) -> NDArray[np.float32]:
    boxes = np.asarray(given)
    if boxes.ndim != 3 or boxes.shape[1] != boxes.shape[2] or boxes.dtype.kind not in "biuf":
        raise InputError(
            f"particles: an array of shape {boxes.shape} and type {boxes.dtype}; expected "
            "(n, b, b) numbers"
        )
    return np.ascontiguousarray(boxes, np.float32)


def _write_places(path: Path, name: str, given: Mapping[str, Any]) -> str:
    with atomic_write(path, "w", encoding="utf-8", newline="") as handle:
        table = csv.writer(handle)
        tables = {one: _columns(name, one, places) for one, places in given.items()}
        columns = list(dict.fromkeys(key for one in tables.values() for key in one))
        table.writerow(["micrograph", *columns])
        for one, values in tables.items():
            if len(values) < len(columns):
                raise InputError(f"{name}: {one} has not the columns of the others: {columns}")
            rows = zip(*(values[key] for key in columns), strict=True)
            table.writerows([one, *row] for row in rows)
    return str(path)


def _columns(name: str, micrograph: str, places: Any) -> dict[str, list[Any]]:
    if isinstance(places, Picks):
        found = {"x_px": places.x_px.tolist(), "y_px": places.y_px.tolist()}
        if isinstance(places, Labels):
            return {**found, "sign": places.sign.tolist()}
        selected = places.selected.astype(int).tolist()
        return {**found, "score": places.score.tolist(), "selected": selected}
    xy = np.asarray(places, np.float64)
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise InputError(
            f"{name}: {micrograph} has an array of shape {xy.shape}; expected (n, 2), x and y"
        )
    return {"x_px": xy[:, 0].tolist(), "y_px": xy[:, 1].tolist()}


def _noted(folder: Path) -> dict[str, str]:
    try:
        found = json.loads((folder / NOTED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _note(folder: Path, noted: Mapping[str, str]) -> None:
    write_text(folder / NOTED, json.dumps(noted, indent=1) + "\n")
