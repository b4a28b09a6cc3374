"""The programs as RELION's External job starts them, in a project folder made by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

from comparing.case import named
from comparing.data import DIAMETER
from comparing.running import Run

#: ``job.star`` and ``job_pipeline.star`` of the three generations.
GENERATIONS = Path(__file__).parents[2] / "jobs" / "relion_golden"
ALL, FEW = ("--in_mics", "micrographs.star"), ("--in_mics", "few.star")
COORDINATES = ("--in_coords", "AutoPick/job005/autopick.star")
PARTICLES = ("--in_parts", "particles.star")
SCALE = ("--diameter", DIAMETER)
SHORT = (*SCALE, "--epochs", "1")


def project(run: Run) -> None:
    """Make the case's folder a RELION project."""
    run.give("relion")
    for path in (run.at / "relion").iterdir():
        path.rename(run.at / path.name)
    (run.at / "relion").rmdir()


def external(run: Run, task: str, number: int, *words: str, generation: int = 5) -> str:
    """Run an External job as RELION does, in a folder that RELION has made; return its name."""
    job = f"External/job{number:03d}/"
    if not (run.at / job).exists():
        (run.at / job).mkdir(parents=True)
        for name in ("job.star", "job_pipeline.star"):
            shutil.copy(GENERATIONS / f"relion{generation}_{name}", run.at / job / name)
    run.command(f"frostpick-relion-{task}", "--o", job, *words, "--j", "1")
    return job


def relion_pick(run: Run) -> None:
    """Pick in 3.1, continue with another threshold and with more micrographs; pick all in 5."""
    project(run)
    external(run, "pick", 10, *FEW, *SCALE, generation=3)
    external(run, "pick", 10, *FEW, *SCALE, "--threshold", "p=0.7", generation=3)
    external(run, "pick", 10, *ALL, *SCALE, "--threshold", "p=0.7", generation=3)
    words = ("--model", "blob", "--write", "all", "--limit", "2", "--border", "0.5", "--gpu")
    external(run, "pick", 11, *ALL, *SCALE, *words)


def relion_train(run: Run) -> None:
    """Train on coordinates and on particles, and pick with the model."""
    project(run)
    coordinates = ("--in_coords", "AutoPick/job005/coords_suffix_autopick.star")
    external(run, "train", 10, *ALL, *coordinates, *SHORT, "--network", "conv31", generation=3)
    job = external(run, "train", 11, *FEW, *PARTICLES, *SHORT)
    external(run, "pick", 12, *FEW, "--model", f"{job}model", generation=4)


def relion_iterate(run: Run) -> None:
    """One round on coordinates."""
    project(run)
    external(run, "iterate", 10, *FEW, *COORDINATES, *SHORT, "--rounds", "1")


def relion_fewshot(run: Run) -> None:
    """Few-shot picking, in RELION 4."""
    project(run)
    words = (*FEW, *COORDINATES, *SCALE, "--steps", "40")
    external(run, "fewshot", 10, *words, generation=4)


def relion_prune(run: Run) -> None:
    """Prune coordinates and particles, the latter without and with labels."""
    project(run)
    external(run, "prune", 10, *ALL, *COORDINATES, *SCALE, generation=3)
    external(run, "prune", 11, *PARTICLES, *SCALE, "--four_rotations", "No")
    labels = ("--good", "good.star", "--bad", "bad.star", "--keep_at", "precision=0.9")
    external(run, "prune", 12, *PARTICLES, *SCALE, *labels, generation=4)


def relion_verify(run: Run) -> None:
    """Verify coordinates and particles."""
    project(run)
    external(run, "verify", 10, *FEW, *COORDINATES, *SCALE)
    external(run, "verify", 11, *PARTICLES, *SCALE, generation=3)


def relion_refusals(run: Run) -> None:
    """A wrong label, an input that is not there, none at all: an exit file and a sentence."""
    project(run)
    for number, words in enumerate(
        [(*ALL, "--treshold", "1"), (*ALL,), ("--in_mics", "nowhere.star", *SCALE), SCALE], 10
    ):
        job = f"External/job{number:03d}/"
        run.command("frostpick-relion-pick", "--o", job, *words, "--j", "1", expect=1)


CASES = named(
    relion_pick,
    relion_train,
    relion_iterate,
    relion_fewshot,
    relion_prune,
    relion_verify,
    relion_refusals,
)
