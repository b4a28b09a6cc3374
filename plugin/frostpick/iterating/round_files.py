"""What is kept of a round: model, picks, figures; written so that a kill is harmless."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostpick.iterating.pick_and_verify import VerifiedPicks
from frostpick.models.picking_model import PickingModel
from frostpick.runtime.atomic import write_text
from frostpick.runtime.basis import Basis, begin_training, finish_training, has_state

PICKS, ROUND, KEY = "picks.npz", "round.json", "iteration.json"


@dataclass(frozen=True)
class Round:
    """A finished round.

    Parameters
    ----------
    number
        0 for the first model, before any pick has taught.
    folder
        Holds ``model.safetensors``, ``model.json``, ``picks.npz`` and ``round.json``.
    model, found
        The round's model and its picks.
    metrics
        Plain numbers: ``picks``, on so many ``micrographs``, ``agreement``, ``spread``;
        ``expected``, the particles on a micrograph; ``new_particles`` and ``new_empty`` that
        taught it.
    curve
        Of its training; empty where the model was given.
    summary
        Of its training; empty where the model was given.
    """

    number: int
    folder: Path
    model: PickingModel
    found: VerifiedPicks
    metrics: dict[str, float]
    curve: list[dict[str, float]]
    summary: dict[str, Any]


def round_folder(spool: Path, number: int) -> Path:
    """Return where a round is kept."""
    return spool / f"round_{number:02d}"


def save_round(one: Round) -> None:
    """Write a round; ``round.json``, last, says that it is whole."""
    one.model.save(one.folder)
    one.found.save(one.folder / PICKS)
    values = {"metrics": one.metrics, "curve": one.curve, "summary": one.summary}
    write_text(one.folder / ROUND, json.dumps(values, indent=2) + "\n")


def load_round(spool: Path, number: int) -> Round | None:
    """Read a round that is whole; None when there is none."""
    folder = round_folder(spool, number)
    if not (folder / ROUND).is_file():
        return None
    values = json.loads((folder / ROUND).read_text(encoding="utf-8"))
    return Round(
        number, folder, PickingModel.load(folder), VerifiedPicks.load(folder / PICKS), **values
    )


def begin_rounds(spool: Path, basis: Basis, *, restart: bool) -> None:
    """Note what the rounds in a spool depend on, and make way for others, as `begin_training`."""
    if not (spool / KEY).exists():
        _remove(spool)  # rounds that nobody knows the basis of
    begin_training(spool, basis, restart=restart, note=KEY, has_work=_has_work, throw_away=_remove)


def finish_rounds(spool: Path, basis: Basis) -> None:
    """Note that all rounds are done."""
    finish_training(spool, basis, note=KEY)


def _has_work(spool: Path) -> bool:
    """Tell whether a round is whole or has begun to be trained."""
    return any(True for _ in spool.rglob(ROUND)) or has_state(spool)


def _remove(spool: Path) -> None:
    """Remove all rounds but not the note: a kill in between must not leave some without it."""
    for path in spool.iterdir() if spool.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != KEY:
            path.unlink(missing_ok=True)
