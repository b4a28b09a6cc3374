"""Every example in a docstring runs, in a folder with two micrographs of discs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import numpy as np
import pytest
from made_images import places_apart, spots_on_noise, write_mrc

import frostpick
import frostpick_jobs
from frostpick_jobs.tasks.pick import finish

#: 5 A a pixel: spots of a particle of about 120 A.
PIXEL_A, SHAPE, SPOTS = 5.0, (192, 224), 12


def with_examples() -> list[str]:
    """Modules whose text has an example."""
    found = []
    for package in (frostpick, frostpick_jobs):
        (folder,) = package.__path__
        if ">>>" in Path(folder, "__init__.py").read_text(encoding="utf-8"):
            found.append(package.__name__)
        for one in pkgutil.walk_packages([folder], f"{package.__name__}."):
            spec = one.module_finder.find_spec(one.name, None)
            assert spec is not None and spec.origin is not None
            if ">>>" in Path(spec.origin).read_text(encoding="utf-8"):
                found.append(one.name)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])  # most of the time
    for number in range(2):
        xy = places_apart(np.random.default_rng(number), SHAPE, SPOTS, 20, 36)
        image = spots_on_noise(SHAPE, xy, number)
        write_mrc(tmp_path / "micrographs" / f"m{number}.mrc", image, PIXEL_A)
    return tmp_path


def test_the_packages_and_the_picker_have_examples() -> None:
    assert {"frostpick", "frostpick_jobs", "frostpick.picker.picker"} <= set(with_examples())


@pytest.mark.parametrize("module", with_examples())
def test_every_example_in_a_docstring_runs(module: str, folder: Path) -> None:
    image = frostpick.read_image(folder / "micrographs" / "m0.mrc", "m0").data
    names = {"frostpick": frostpick, "frostpick_jobs": frostpick_jobs, "image": image}
    tests = doctest.DocTestFinder().find(importlib.import_module(module), extraglobs=names)
    examples = [one for one in tests if one.examples]
    assert examples
    for one in examples:
        told: list[str] = []
        result = doctest.DocTestRunner(verbose=False).run(one, out=told.append)
        assert not result.failed, "".join(told)
