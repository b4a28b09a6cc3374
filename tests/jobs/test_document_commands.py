"""Every command and script of README and docs that needs no host runs, on small data."""

from __future__ import annotations

import csv
import os
import shlex
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import typer.testing
from pages import DOCS, blocks, commands, named

import frostpick_jobs
from frostpick.simulate import SimulationSettings
from frostpick_jobs.cli.main import app
from frostpick_jobs.commands.simulate import write_dataset
from frostpick_jobs.formats import read_picks

#: What makes a job small; the pages have the defaults.
SMALL = {
    "simulate": ["--micrographs", "2", "--size", "384"],
    "train": ["--steps", "2"],
    "iterate": ["--steps", "2", "--rounds", "1"],
    "fewshot": ["--steps", "2"],
}
#: Tasks that compute, and take a device.
COMPUTES = {"train", "iterate", "pick", "fewshot", "prune", "verify", "pretrain"}
#: Has tests of its own parts, and takes long.
ELSEWHERE = {"demo"}


def run_here(page: Path) -> list[list[str]]:
    found = [words for words, _ in commands(page) if words[0] == "frostpick"]
    return [words for words in found if words[1] not in {"cryosparc", *ELSEWHERE}]


def scripts(page: Path) -> list[str]:
    return [text for language, text, _ in blocks(page) if language == "python"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Micrographs, and picks of them under every name that the pages use."""
    folder = tmp_path_factory.mktemp("data")
    made = write_dataset(folder / "sim", SimulationSettings(micrographs=2, size=384))
    os.rename(made.micrographs, folder / "Micrographs")
    table = read_picks(made.particles_csv)
    first = [k for k, name in enumerate(table.micrograph) if name == table.micrograph[0]]
    rows = list(zip(table.micrograph, table.x_px.tolist(), table.y_px.tolist(), strict=True))

    def star(path: Path, chosen: list[int]) -> None:
        head = "\ndata_\n\nloop_\n_rlnMicrographName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n"
        lines = (f"{rows[k][0]} {rows[k][1]:.1f} {rows[k][2]:.1f}\n" for k in chosen)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + "".join(lines) + "\n")

    every = list(range(len(rows)))
    for name in ("picks.star", "autopick.star", "cryolo/STAR/all.star"):
        star(folder / name, every)
    star(folder / "fifteen.star", first[:15])
    for name, header in (
        ("truth.csv", "micrograph,x_px,y_px"),
        ("particles.txt", "image_name\tx_coord\ty_coord"),
        ("topaz.txt", "image_name\tx_coord\ty_coord\tscore"),
    ):
        with (folder / name).open("w", newline="") as handle:
            writer = csv.writer(handle, delimiter="," if "," in header else "\t")
            writer.writerow(header.replace(",", "\t").split("\t"))
            # Topaz's training labels are of binned images, as the page says by its pixel size
            scale = 5 / 8.5 if name == "particles.txt" else 1.0
            for k in every:
                told = [Path(rows[k][0]).stem if header[0] == "i" else rows[k][0]]
                told += [f"{rows[k][1] * scale:.2f}", f"{rows[k][2] * scale:.2f}"]
                writer.writerow([*told, *(["1.5"] if "score" in header else [])])
    boxes = folder / "cryolo" / "EMAN" / (Path(rows[0][0]).stem + ".box")
    boxes.parent.mkdir(parents=True)
    corners = np.array([rows[k][1:] for k in first]) - 20
    boxes.write_text("".join(f"{x:.0f} {y:.0f} 40 40\n" for x, y in corners.tolist()))
    return folder


def lay_out(data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder the working folder, with the data under their names."""
    monkeypatch.chdir(folder)
    for one in data.iterdir():
        if one.name != "sim":
            (folder / one.name).symlink_to(one)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("page", [one for one in DOCS if run_here(one)], ids=named)
def test_the_commands_of_a_page(
    page: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.name == "first-hour.md":
        monkeypatch.chdir(tmp_path)  # it uses what frostpick simulates, and nothing else
    else:
        lay_out(data, tmp_path, monkeypatch)
    if page.name == "tasks.md":  # begins with a finished job
        run(
            ["frostpick", "pick", "--micrographs", "Micrographs", "--diameter", "160", "-o", "pick"]
        )
    for words in run_here(page):
        run(words)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("page", [one for one in DOCS if scripts(one)], ids=named)
def test_the_scripts_of_a_page(
    page: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(data, tmp_path, monkeypatch)
    small = {"device": "cpu", "threads": 1}
    for task in ("train", "fewshot"):
        monkeypatch.setattr(
            frostpick_jobs, task, partial(getattr(frostpick_jobs, task), steps=2, **small)
        )
    for script in scripts(page):
        exec(compile(script, named(page), "exec"), {"__name__": "__main__"})


def run(words: list[str]) -> None:
    task = words[1]
    device = ["--device", "cpu", "--threads", "1"] if task in COMPUTES else []
    given = [*words[1:], *SMALL.get(task, []), *device]
    done = typer.testing.CliRunner().invoke(app, given, catch_exceptions=True)
    # what the doctor finds on the machine of a test is not the test's to say
    assert done.exit_code in ((0, 1) if task == "doctor" else (0,)), (
        f"{shlex.join(words)}: {done.output[-2000:]} {done.exception!r}"
    )
