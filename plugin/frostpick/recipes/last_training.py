"""The model that an iteration gives: as its best round's, with the held-out labels added."""

from __future__ import annotations

import json
import logging
import shutil
from typing import Any

from frostpick.models.picking_model import PickingModel
from frostpick.recipes.mining import Mined, joined_labels
from frostpick.recipes.one_round import TRAINING, Rounds
from frostpick.recipes.rounds import Round
from frostpick.runtime.atomic import write_text

log = logging.getLogger(__name__)

#: Folder, and the file in it that says that it is whole and of which round.
LAST, DONE = "last", "last.json"


def train_last(
    rounds: Rounds, best: Round, taught: Mined
) -> tuple[PickingModel, list[dict[str, float]], dict[str, Any]]:
    """Train once more on what taught the best round and on all of the user's labels.

    What was held out to compare rounds is not lost to the model that is used; no figure is
    measured of this training, which differs from the best round's by those labels alone.
    Where nothing was held out the best round's model is the model.
    """
    if rounds.material.reference.kind == "none":
        return best.model, best.curve, best.summary
    folder = rounds.spool / LAST
    kept = _kept(rounds, best.number)
    if kept is not None:
        return kept
    log.info("last training: as round %d, with the held-out labels", best.number)
    labels = joined_labels(rounds.material.labels, taught.new)
    trained = rounds.train(folder, labels, everything=True)
    model = rounds.calibrated(trained.model, folder)
    model.save(folder)
    values = {"round": best.number, "curve": trained.curve, "summary": trained.summary}
    write_text(folder / DONE, json.dumps(values, indent=2) + "\n")
    shutil.rmtree(folder / TRAINING, ignore_errors=True)
    return model, trained.curve, trained.summary


def _kept(
    rounds: Rounds, number: int
) -> tuple[PickingModel, list[dict[str, float]], dict[str, Any]] | None:
    """Return what an earlier call has trained for this round; else make room."""
    folder = rounds.spool / LAST
    if not (folder / DONE).is_file():
        return None
    values = json.loads((folder / DONE).read_text(encoding="utf-8"))
    if values["round"] != number:  # more rounds were asked for since
        shutil.rmtree(folder)
        return None
    return PickingModel.load(folder), values["curve"], values["summary"]
