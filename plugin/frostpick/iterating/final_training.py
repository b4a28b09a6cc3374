"""The model that an iteration gives: as its best round's, with the held-out labels added."""

from __future__ import annotations

import json
import logging
import shutil
from typing import Any

from frostpick.iterating.round_files import Round
from frostpick.iterating.run_round import TRAINING, RoundRunner
from frostpick.iterating.verification import RoundLabels
from frostpick.models.picking_model import PickingModel
from frostpick.runtime.atomic import write_text

log = logging.getLogger(__name__)

#: File that says that the folder is whole.
DONE = "last.json"


def train_final(
    rounds: RoundRunner, best: Round, taught: RoundLabels | None
) -> tuple[PickingModel, list[dict[str, float]], dict[str, Any]]:
    """Train once more on what taught the best round and on all of the user's labels.

    What was held out to compare rounds is not lost to the model that is used; no figure is
    measured of this training, which differs from the best round's by those labels, and by
    their micrographs where whole ones were held out.
    Where nothing was held out the best round's model is the model.
    """
    if rounds.data.validation.kind == "none":
        return best.model, best.curve, best.summary
    # A folder for each round: when more rounds are asked for, an unfinished training of
    # another round must not stand in the way.
    folder = rounds.spool / f"last_{best.number:02d}"
    if (folder / DONE).is_file():
        values = json.loads((folder / DONE).read_text(encoding="utf-8"))
        return PickingModel.load(folder), values["curve"], values["summary"]
    log.info("last training: as round %d, with the held-out labels", best.number)
    trained = rounds.train(folder, rounds.data.labels, taught, everything=True)
    trained.model.save(folder)
    values = {"round": best.number, "curve": trained.curve, "summary": trained.summary}
    write_text(folder / DONE, json.dumps(values, indent=2) + "\n")
    shutil.rmtree(folder / TRAINING, ignore_errors=True)
    return trained.model, trained.curve, trained.summary
