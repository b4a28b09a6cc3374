"""One round: train, calibrate, pick, verify, measure."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import ConfigError, option
from frostpick.iterating.data import IterationData
from frostpick.iterating.pick_and_verify import VerifiedPicks, pick_and_verify
from frostpick.iterating.pruner_score import Verifier
from frostpick.iterating.round_files import Round, load_round, round_folder, save_round
from frostpick.iterating.validation_split import is_worse
from frostpick.iterating.verification import RoundLabels, SureRule, joint_score, verify_picks
from frostpick.models.picking_model import PickingModel
from frostpick.picking.plan import PickPlan, plan_picking, settle_contrast
from frostpick.picking.threshold import Cut
from frostpick.runtime.executors.base import Executor
from frostpick.runtime.executors.local import LocalExecutor
from frostpick.runtime.reporter import Reporter
from frostpick.settings import PickSettings, TrainSettings
from frostpick.training.picker.recipe import Recipe
from frostpick.training.picker.setup import choose_diameter
from frostpick.training.picker.train import TrainingResult, train_picker
from frostpick.types import Labels, sigmoid

log = logging.getLogger(__name__)

#: Folder of a round for its unfinished training.
TRAINING = "training"


@dataclass
class RoundRunner:
    """Makes rounds, or reads those that are there; all that never changes between them.

    Parameters
    ----------
    data
        Micrographs and labels.
    settings
        With ``rounds`` 0 and ``restart`` off.
    executor
        Who picks, and where. None: this process, on the first device of the settings.
    """

    data: IterationData
    settings: TrainSettings
    start: PickingModel | None
    spool: Path
    reporter: Reporter
    recipe: Recipe
    rule: SureRule
    verifier: Verifier | None
    executor: Executor | None = None

    def first(self) -> Round:
        """Return round 0: trained on the user's labels, or the start model where there are none."""
        one = load_round(self.spool, 0)
        if one is None and self.data.labels:
            one = self._made(0, None)
        elif one is None:
            one = self._looked(0, self._given(), None, [], {})
        if self.settings.contrast == "auto":  # decided once, for all rounds
            self.settings = self.settings.model_copy(update={"contrast": one.model.card.contrast})
        return one

    def later(self, number: int, taught: RoundLabels) -> Round:
        """Return round ``number``, trained on the user's labels and on the verified picks."""
        return load_round(self.spool, number) or self._made(number, taught)

    def verified(self, last: Round) -> RoundLabels:
        """Return what the picks of a round teach."""
        data = self.data
        return verify_picks(
            last.found,
            data.own,
            data.validation,
            self.rule,
            diameter_of(last.model),
            self.recipe.anchor_sharpness,
        )

    def found_in_rounds(self, rounds: Sequence[Round]) -> list[NDArray[np.float64]]:
        """Return what each held-out label is found by in each round.

        As many particles are expected as the round that finds most says: a poor model finds few.
        """
        expected = max(one.metrics["expected"] for one in rounds)
        return [
            self.data.validation.found_in_rounds(one.found, expected, diameter_of(one.model))
            for one in rounds
        ]

    def lowers(self, now: Round, before: Round) -> bool:
        """Return whether a round finds the held-out labels less well than another."""
        return is_worse(*self.found_in_rounds([now, before]))

    def train(
        self,
        folder: Path,
        labels: dict[str, Labels],
        taught: RoundLabels | None,
        *,
        everything: bool,
    ) -> TrainingResult:
        """Train from the start model on labels; ``everything`` also on what is held out.

        Untaught that is a plain training in all its passes; taught, one pass more. A micrograph
        that could not be picked teaches nothing then: no pick on it does not make it empty.
        """
        micrographs = self.data.pool if everything else self.data.train
        unread = {m.id for m in micrographs if taught and m.id not in taught.picks}
        trained = train_picker(
            [m for m in micrographs if m.id not in unread],
            labels,
            self.settings,
            start=self.start,
            spool=folder / TRAINING,
            reporter=self.reporter,
            recipe=replace(self.recipe, passes=1) if taught else self.recipe,
            soft=taught.picks if taught else None,
        )
        trained.summary["failed"] |= dict.fromkeys(unread, "could not be picked")
        return trained

    def _made(self, number: int, taught: RoundLabels | None) -> Round:
        folder = round_folder(self.spool, number)
        if taught is not None:
            sure, none = taught.particles, taught.empty
            log.info("round %d: %d new sure particles and %d empty places", number, sure, none)
        trained = self.train(folder, self.data.own, taught, everything=False)
        return self._looked(number, trained.model, taught, trained.curve, trained.summary)

    def _given(self) -> PickingModel:
        """Return the start model for this particle."""
        assert self.start is not None
        diameter = choose_diameter(self.settings, self.data.labels, self.start)
        if diameter is None:
            raise ConfigError(
                f"the start model fits any particle and needs its size: {option('diameter')}"
            )
        card = self.start.card.model_copy(update={"diameter_A": diameter})
        model = PickingModel(card, self.start.network)
        plan, _ = self._plan(model, contrast=self.settings.contrast)
        plan = settle_contrast(model, self.data.pool, plan, self.reporter)
        card = card.model_copy(update={"contrast": plan.contrast})
        return PickingModel(card, self.start.network)

    def _plan(self, model: PickingModel, **more: Any) -> tuple[PickPlan, Executor]:
        told = self.settings.model_dump(include={"device", "threads", "pixel_size"})
        settings = PickSettings(**told, **more)
        executor = self.executor or LocalExecutor(settings.device, settings.threads, most=1)
        return plan_picking(model, settings, executor=executor), executor

    def _looked(
        self,
        number: int,
        model: PickingModel,
        taught: RoundLabels | None,
        curve: list[dict[str, float]],
        summary: dict[str, Any],
    ) -> Round:
        """Pick and verify with a round's model, measure, and save the round."""
        folder = round_folder(self.spool, number)
        plan, executor = self._plan(model)  # its card knows the contrast
        pool = self.data.pool
        found = pick_and_verify(model, pool, plan, self.reporter, self.verifier, executor)
        metrics = self._metrics(model, found, taught)
        one = Round(number, folder, model, found, metrics, curve, summary)
        save_round(one)
        shutil.rmtree(folder / TRAINING, ignore_errors=True)
        return one

    def _metrics(
        self, model: PickingModel, found: VerifiedPicks, taught: RoundLabels | None
    ) -> dict[str, float]:
        picked = Cut(model.card.threshold).selects(found.score)
        probable = float(sigmoid(joint_score(found)).sum()) / len(found.micrographs)
        return {
            "new_particles": float(taught.particles if taught else 0),
            "new_empty": float(taught.empty if taught else 0),
            "picks": float(np.count_nonzero(picked)),
            "micrographs": float(len(found.micrographs)),
            "expected": self.settings.expected_per_micrograph or probable,
            "agreement": float(found.agreement[picked].mean()) if picked.any() else 0.0,
            "spread": float(found.spread[picked].mean()) if picked.any() else 0.0,
        }


def diameter_of(model: PickingModel) -> float:
    """Return the diameter in Angstrom that a round's model always has."""
    assert model.card.diameter_A is not None
    return model.card.diameter_A
