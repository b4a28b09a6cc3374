"""An installation without internet, which many users run and none can change; its recipes."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import requires
from pathlib import Path

import numpy as np
import pytest
from made_images import places_apart, spots_on_noise, write_mrc
from waits import LONG

from frostpick._version import __version__
from frostpick.models.shipped import load_model

ROOT = Path(__file__).parents[2]
FACILITY = ROOT / "examples" / "facility"
#: A port that nothing listens at.
DEAD = "http://127.0.0.1:9"
OURS = [f"frostpick/models/weights/{one}/model.safetensors" for one in ("general-2", "pruner-1")]


def offline() -> dict[str, str]:
    """Return the environment of a user whose proxies lead nowhere, and whom pip's settings miss."""
    dropped = ("PIP_", "PYTHON", "FROSTPICK_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    proxies = {f"{kind}_proxy": DEAD for kind in ("http", "https", "all")}
    upper = {name.upper(): value for name, value in proxies.items()}
    return {
        **kept,
        **proxies,
        **upper,
        "no_proxy": "",
        "NO_PROXY": "",
        "PIP_CONFIG_FILE": os.devnull,
    }


def run(*words: object, env: dict[str, str], cwd: Path) -> str:
    command = list(map(str, words))
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=LONG, check=False, env=env, cwd=cwd
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, as the machine does that still has internet."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    source = folder / "source"
    names = ("plugin", "external_job", "pyproject.toml", "README.md", "LICENSE")
    source.mkdir()
    for name in names:
        here = ROOT / name
        copy = shutil.copytree if here.is_dir() else shutil.copy
        copy(here, source / name)
    alone = [] if importlib.util.find_spec("hatchling") is None else ["--no-build-isolation"]
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", *alone, "-w", folder]
    run(*pip, source, env=dict(os.environ), cwd=folder)
    return folder


@pytest.mark.slow
def test_a_wheelhouse_dead_proxies_and_a_pick(wheels: Path, tmp_path: Path) -> None:
    """The libraries are those that these tests run with: a path to them stands in for wheels."""
    place, work, home = tmp_path / "0.1.0", tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir()
    env = {**offline(), "HOME": str(home)}
    venv.create(place, symlinks=True)
    inside = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    (place / inside / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python]
    install = ["install", "--no-index", "--find-links", wheels, "--no-deps", "--ignore-installed"]
    run(*pip, *install, f"frostpick=={__version__}", env=env, cwd=work)
    for name in OURS:
        assert (place / inside / name).is_file(), name
    (place / "etc").mkdir()
    (place / "etc" / "frostpick.yaml").write_text("device: cpu\nthreads: 1\npick:\n  border: 0.5\n")
    before = snapshot(place)
    xy = places_apart(np.random.default_rng(16), (320, 360), 12, 32, 44)
    write_mrc(work / "mics" / "m.mrc", spots_on_noise((320, 360), xy, 16), 2.0)
    frostpick = place / "bin" / "frostpick"
    assert run(frostpick, "--version", env=env, cwd=work).strip() == __version__
    assert "precision=0.95" in run(frostpick, "pick", "--help", env=env, cwd=work)
    assert "general-2" in run(frostpick, "models", "list", env=env, cwd=work)
    words = ["pick", "--micrographs", "mics", "--diameter", "64", "-o", "out"]
    told = run(frostpick, *words, env=env, cwd=work)
    assert f"site file {place}/etc/frostpick.yaml: device = cpu, threads = 1, border = 0.5" in told
    general = load_model("general")
    assert f"general is general-2 (sha256 {general.digest[:12]})" in told
    assert (work / "out" / "picks.csv").read_text().count("\n") > 6
    assert snapshot(place) == before, "a user's run wrote into the installation"


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of every file and folder."""
    told = ((path, path.lstat()) for path in folder.rglob("*"))
    return {str(path): (one.st_size, one.st_mtime_ns) for path, one in told}


def test_the_lock_has_a_version_of_all_that_is_needed_and_names_no_server() -> None:
    lines = (FACILITY / "lock.txt").read_text().splitlines()
    pinned = [
        re.fullmatch(r"([a-z0-9-]+)==[0-9][0-9a-z.]*", line) for line in lines if line[0] != "#"
    ]
    assert all(pinned)
    locked = {one[1] for one in pinned if one}
    for text in requires("frostpick") or ():
        name = re.split(r"[^A-Za-z0-9._-]", text)[0].lower()
        if "extra ==" not in text or name == "cryosparc-tools":
            assert name in locked, text
    assert f"torch=={re.search(r'torch==(.+)', (ROOT / 'constraints.txt').read_text())[1]}" in lines  # type: ignore[index]


@pytest.mark.parametrize("name", ["frostpick.def", "environment.yaml", "0.1.0.lua"])
def test_a_recipe_that_no_test_runs_says_so_first(name: str) -> None:
    first, *others = (FACILITY / name).read_text().splitlines()
    assert "not run" in first
    assert "://" not in "\n".join(others)


def test_the_site_file_of_the_examples_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from frostpick_jobs.cli.site_file import task_settings
    from frostpick_jobs.tasks.declarations import TASKS

    monkeypatch.setenv("FROSTPICK_CONFIG", str(FACILITY / "frostpick.yaml"))
    for task in TASKS:
        _, origin = task_settings(task, None, {})
        assert origin["device"] == f"environment file {FACILITY / 'frostpick.yaml'}"
