"""What is kept of a round: model, picks, figures; written so that a kill is harmless."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostpick.errors import ConfigError, option
from frostpick.iterating.examine import Examined
from frostpick.models.picking_model import PickingModel
from frostpick.runtime.atomic import write_text

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
        Plain numbers: ``picks``, ``agreement``, ``spread``; ``expected``, the particles on a
        micrograph; ``new_particles`` and ``new_empty`` that taught it.
    curve
        Of its training; empty where the model was given.
    summary
        Of its training; empty where the model was given.
    """

    number: int
    folder: Path
    model: PickingModel
    found: Examined
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
    return Round(number, folder, PickingModel.load(folder), Examined.load(folder / PICKS), **values)


def claim_spool(spool: Path, key: str) -> None:
    """Note what the rounds in a spool depend on; `ConfigError` when others are there."""
    path = spool / KEY
    try:
        found = str(json.loads(path.read_text(encoding="utf-8"))["key"])
    except FileNotFoundError:
        write_text(path, json.dumps({"key": key}) + "\n")
        return
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: damaged ({error}); begin again with {option('restart')}"
        ) from error
    if found != key:
        raise ConfigError(
            f"{spool}: rounds with other settings, labels or micrographs are here; go back to "
            f"those, or throw them away with {option('restart')}"
        )
