"""``frostpick cryosparc`` with the real client, against the loopback server of ``tests/peers``."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from comparing.case import named
from comparing.cryosparc_server import EMAIL, PASSWORD, clean, export, serving
from comparing.data import DIAMETER
from comparing.running import CaseBroken, Run

MICROGRAPHS = ("--micrographs", "J2.exposures")
PARTICLES = ("--particles", "J3.particles")
SCALE = ("--diameter", DIAMETER)
SHORT = (*SCALE, "--epochs", "1", "--network", "conv31")

Command = Callable[..., None]


@contextmanager
def server(run: Run) -> Iterator[Command]:
    """Serve a project with manual picks; yield what runs a command on it.

    J1 imports, J2 has the exposures and J3 the particles; the command's jobs follow.
    """
    if importlib.util.find_spec("cryosparc") is None or importlib.util.find_spec("fastapi") is None:
        raise CaseBroken("needs cryosparc-tools and fastapi: pip install '.[dev]'")
    run.give("few", "labels.csv")
    with serving(run.at / "state", _picked(run.at), run.at.name) as (store, url):
        login = {
            "CRYOSPARC_BASE_URL": url,
            "CRYOSPARC_EMAIL": EMAIL,
            "CRYOSPARC_PASSWORD": PASSWORD,
            "FROSTPICK_SPOOL": str(run.at / "spool"),
        }
        place = ("--project", "P1", "--workspace", "W1")

        def command(name: str, *words: str) -> None:
            where = () if name == "login-check" else place
            run.command("frostpick", "cryosparc", name, *where, *words, **login)

        yield command
        export(store, run.at / "server")
    clean(run.at / "state")


def _picked(folder: Path) -> list[tuple[str, list[tuple[float, float]]]]:
    with open(folder / "labels.csv", encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return [
        (
            str(path),
            [(float(r["x_px"]), float(r["y_px"])) for r in rows if r["micrograph"] == path.name],
        )
        for path in sorted((folder / "few").iterdir())
    ]


def cryosparc_pick(run: Run) -> None:
    """Log in, and pick with the shipped model."""
    with server(run) as command:
        command("login-check")
        command("pick", *MICROGRAPHS, *SCALE)


def cryosparc_train(run: Run) -> None:
    """Train, and pick with the training job's model."""
    with server(run) as command:
        command("train", *MICROGRAPHS, *PARTICLES, *SHORT)
        command("pick", *MICROGRAPHS, "--model", "J4", "--threshold", "p=0.3")


def cryosparc_fewshot(run: Run) -> None:
    """Few-shot picking."""
    with server(run) as command:
        command("fewshot", *MICROGRAPHS, "--exemplars", "J3.particles", *SCALE, "--steps", "40")


def cryosparc_iterate(run: Run) -> None:
    """One round."""
    with server(run) as command:
        command("iterate", *MICROGRAPHS, *PARTICLES, *SCALE, "--epochs", "1")


def cryosparc_prune(run: Run) -> None:
    """Prune and verify picks that are not extracted."""
    with server(run) as command:
        command("prune", *MICROGRAPHS, *PARTICLES, *SCALE)
        command("verify", *MICROGRAPHS, *PARTICLES, *SCALE)


CASES = named(
    cryosparc_pick, cryosparc_train, cryosparc_fewshot, cryosparc_iterate, cryosparc_prune
)
