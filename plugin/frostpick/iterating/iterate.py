"""Iterative training with verification: DeepEM's recursion without a person in it.

`iterate_picker` is the whole: train, pick, verify every pick, train again from the same start
on the user's labels and on the verified picks, and go on as long as labels that no round has
seen do not say that it gets worse.

Zhu et al. (BMC Bioinformatics 18:348, 2017) have a person sort the picks and do two
rounds. Here `frostpick.iterating.verification` sorts and
`frostpick.iterating.validation_split` judges.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from frostpick.iterating.data import IterationData, choose_data
from frostpick.iterating.final_training import train_final
from frostpick.iterating.judge_first import judge_first
from frostpick.iterating.pruner_score import Verifier
from frostpick.iterating.round_files import Round, begin_rounds, finish_rounds
from frostpick.iterating.run_round import RoundRunner
from frostpick.iterating.verification import RoundLabels, SureRule
from frostpick.iterating.views import divergence, view_shares
from frostpick.models.picking_model import PickingModel
from frostpick.runtime.basis import Basis
from frostpick.runtime.executors.base import Executor
from frostpick.runtime.reporter import Reporter
from frostpick.runtime.threads import resolve_threads
from frostpick.settings import TrainSettings
from frostpick.training.digests import basis_of, labels_digest, micrographs_told, with_labels
from frostpick.training.picker.judged_labels import JudgedLabels
from frostpick.training.picker.recipe import Recipe
from frostpick.training.picker.setup import choose_diameter
from frostpick.types import Labels, Micrograph

log = logging.getLogger(__name__)

#: A pick with at least this score (probability one half) counts as one of a round's views.
VIEWED = 0.0
#: Rounds where none are asked for. What a second opinion can tell a model that knows particles it
#: has told after one; a network that knows none goes on learning.
ROUNDS_FROM_MODEL, ROUNDS_FROM_NOTHING = 1, 3


@dataclass(frozen=True)
class IterationResult:
    """A model, and the rounds that led to it.

    Parameters
    ----------
    model
        Trained on all labels and on what the best round learned from.
    rounds
        All rounds, one that was not used included.
    best
        Number of the round that was used.
    table
        One row a round, for reports: the round's metrics, ``round``, ``used`` (0 or 1),
        ``held_out_recall`` where labels are held out,
        ``view_change`` (divergence from round 0 in bits) and ``views_1`` and so on, the
        shares of the groups of views among its picks.
    curve, summary
        Of the last training.
    judged
        What the labels were worth, with pictures of the least trusted.
    """

    model: PickingModel
    rounds: list[Round]
    best: int
    table: list[dict[str, float]]
    curve: list[dict[str, float]]
    summary: dict[str, Any]
    judged: JudgedLabels


def iterate_picker(
    micrographs: Sequence[Micrograph],
    labels: Mapping[str, Labels],
    settings: TrainSettings,
    *,
    start: PickingModel | None,
    spool: Path,
    reporter: Reporter,
    recipe: Recipe | None = None,
    rule: SureRule | None = None,
    verifier: Verifier | None = None,
    executor: Executor | None = None,
    judge: PickingModel | None = None,
) -> IterationResult:
    """Train in rounds.

    Parameters
    ----------
    micrographs, labels, settings, start, reporter, recipe
        As for `train_picker`; ``settings.rounds`` is the most rounds after the first
        model, 0 for one from a model and three from nothing. Without any label the start
        model is that first model.
    spool
        Folder of the rounds. A call with the same inputs goes on from there; with other inputs,
        or after finished rounds with other settings, they begin anew and the log says so.
    rule
        What makes a pick sure.
    verifier
        A second opinion on every pick, such as a pruner's.
    executor
        Who picks, and where. None: this process, on the first device of the settings.
    judge
        As for `train_picker`: labels are judged once, before the rounds.

    Raises
    ------
    ConfigError
        No diameter, neither labels nor a start model, or unfinished rounds with other settings
        in ``spool`` and ``settings.restart`` is not set.
    FrostpickError
        As `train_picker`.
    """
    restart = settings.restart
    most = settings.rounds or (ROUNDS_FROM_MODEL if start else ROUNDS_FROM_NOTHING)
    settings = settings.model_copy(update={"restart": False, "rounds": 0})
    recipe, rule = recipe or Recipe(), rule or SureRule()
    labels, judged = judge_first(
        micrographs, labels, settings, start or judge, recipe, spool, reporter, start
    )
    settings = settings.model_copy(update={"label_weights": "trust"})
    data = choose_data(micrographs, labels, settings, start)
    basis = _basis(data, settings, start, recipe, rule, verifier)
    begin_rounds(spool, basis, restart=restart)
    torch.set_num_threads(resolve_threads(settings.threads))
    rounds = RoundRunner(data, settings, start, spool, reporter, recipe, rule, verifier, executor)
    done, best, taught = run_rounds(rounds, most)
    model, curve, summary = train_final(rounds, done[best], taught)
    finish_rounds(spool, basis)
    table = round_table(rounds, done, best)
    summary = {**summary, "judged_labels": judged.told}
    return IterationResult(model, done, best, table, curve, summary, judged)


def run_rounds(rounds: RoundRunner, most: int) -> tuple[list[Round], int, RoundLabels | None]:
    """Go round by round until one lowers the held-out figure.

    That one is the last, is kept for the record and is not used. Lowering means beyond chance
    (`frostpick.iterating.validation_split.is_worse`): with few labels held out the figure is
    soon 1 and cannot rise, and two labels of five move it by .1 while the model gets much
    better. Where nothing is held out every round is used.

    Returns
    -------
    rounds, best, taught
        All rounds, the number of the one to use, and what taught it; None taught round 0.
    """
    done, best, taught = [rounds.first()], 0, None
    for number in range(1, most + 1):
        verified = rounds.verified(done[best])
        if not any(len(one) for one in verified.picks.values()):
            log.info("round %d: round %d found nothing; nothing to learn", number, best)
            break
        one = rounds.later(number, verified)
        done.append(one)
        if rounds.lowers(one, done[best]):
            log.info("round %d: worse than round %d, not used; the last one", number, best)
            break
        best, taught = number, verified
    return done, best, taught


def round_table(rounds: RoundRunner, done: Sequence[Round], best: int) -> list[dict[str, float]]:
    """Return one row of figures a round, as in `IterationResult.table`."""
    features = [one.found.features[one.found.score >= VIEWED] for one in done]
    shares: NDArray[np.float64] = view_shares(features, rounds.settings.seed)
    found_by = rounds.found_in_rounds(done)
    return [
        {
            "round": float(one.number),
            "used": float(one.number <= best),
            **_recall(credit),
            **one.metrics,
            "view_change": divergence(shares[0], share) if share.any() else 0.0,
            **{f"views_{k + 1}": float(value) for k, value in enumerate(share)},
        }
        for one, share, credit in zip(done, shares, found_by, strict=True)
    ]


def _recall(credit: NDArray[np.float64]) -> dict[str, float]:
    known = credit[np.isfinite(credit)]
    return {"held_out_recall": float(known.mean())} if len(known) else {}


def _basis(
    data: IterationData,
    settings: TrainSettings,
    start: PickingModel | None,
    recipe: Recipe,
    rule: SureRule,
    verifier: Verifier | None,
) -> Basis:
    """Return all that the rounds depend on; their number is not among it."""
    # the models are told by their digests, kinds that are included by the labels
    told = {"start_model", "label_weights", "include", "pruner"}
    aside = {"rounds", *told, *settings.without_effect()}
    diameter = choose_diameter(settings, data.labels, start)
    parts: dict[str, Any] = {
        "format": 2,
        "settings": settings.for_key(without=aside),
        "recipe": recipe.key(),
        "rule": vars(rule),
        "second_opinion": None if verifier is None else verifier.key,
        "start": start.digest if start else None,
        "diameter": diameter,
        "labels": labels_digest(data.labels),
        "micrographs": micrographs_told(data.pool),
    }
    unnamed = {"rounds", *settings.without_effect()}
    return basis_of(
        parts,
        settings.model_dump(mode="json", exclude=unnamed),
        method=("format", "recipe", "rule"),
        labels=labels_digest(with_labels(data.labels)),
        micrographs=parts["micrographs"],
        diameter=None if settings.diameter else diameter,
        start_model=parts["start"],
        pruner=parts["second_opinion"],
    )
