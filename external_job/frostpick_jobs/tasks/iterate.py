"""The iterating task: labels or a model in, rounds of training, a picking model out."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from frostpick.iterating.disaster import round_warnings
from frostpick.iterating.iterate import IterationResult, iterate_picker
from frostpick.iterating.pruner_score import PrunerScore, Verifier
from frostpick.iterating.round_files import Round
from frostpick.models.model_file import CARD, WEIGHTS
from frostpick.models.picking_model import PickingModel
from frostpick.picking.threshold import Cut
from frostpick.report.rounds import round_figures
from frostpick.report.training import training_curves
from frostpick.runtime.atomic import write_text
from frostpick.runtime.device import resolve_device
from frostpick.runtime.executors.base import Executor
from frostpick.settings import IterateSettings, TrainSettings
from frostpick.training.picker.setup import choose_diameter
from frostpick.types import Labels, Picks
from frostpick_jobs.formats import write_csv
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.models import JobModels
from frostpick_jobs.job.results import IteratingResult
from frostpick_jobs.tasks.begin import begin, note_micrographs
from frostpick_jobs.tasks.declarations import ITERATE, TRAIN
from frostpick_jobs.tasks.included import with_included
from frostpick_jobs.tasks.own_scale import settle_diameter
from frostpick_jobs.tasks.training_inputs import (
    compare_with_images,
    given_labels,
    judging_model,
    micrographs_to_train_on,
    own_diameter,
    start_model,
)
from frostpick_jobs.tasks.training_outputs import (
    deliver_trained,
    least_trusted,
    picked_figures,
    unlabelled_look,
)

log = logging.getLogger(__name__)

SPOOL = "rounds"
TABLE = "rounds.csv"


def run_iterate(
    host: Host,
    settings: TrainSettings,
    executor: Executor | None = None,
    *,
    task: Literal["iterate", "train"] = "iterate",
) -> IteratingResult:
    """Train on a host's micrographs in rounds, and deliver the model.

    Calls `Host.begin` and `Host.deliver`. Each round's model and picks are delivered
    as files beside the model. A stopped job goes on from its last state when it is
    continued with the same settings and labels; with others as `run_train`.

    Parameters
    ----------
    executor
        Who picks in a round, and where. None: this process, on the first device of the
        settings.
    task
        The kind of job that the folder holds: ``train`` where that was given rounds.

    Raises
    ------
    InputError
        No micrographs, or a folder that holds another kind of job.
    LabelError
        None, one or two of the labels given are on the micrographs of the job.
    ConfigError
        Neither labels nor a model to start from, or unfinished rounds with other settings.
    """
    record = begin(host, TRAIN if task == "train" else ITERATE, settings)
    with record.stage("reading the inputs"):
        micrographs = micrographs_to_train_on(host)
        note_micrographs(record, micrographs)
        start = start_model(host, settings)
        scale = settle_diameter(
            host, record, settings, micrographs, model=start, own_A=own_diameter(start)
        )
        settings = scale.settings
        labels = given_labels(host, start)
        labels = with_included(host, record, settings, micrographs, labels, start)
        compare_with_images(host, record, micrographs, labels, settings, start)
    spool = host.spool / SPOOL
    verifier = _second_opinion(host.models, settings, labels, start)
    record.add(second_opinion=verifier.key if verifier else None, shipped=host.models.used)
    with record.stage("training"):
        result = iterate_picker(
            micrographs,
            labels,
            settings,
            start=start,
            spool=spool,
            reporter=host.reporter,
            verifier=verifier,
            executor=executor,
            judge=judging_model(host, settings, labels, start),
        )
    wrong = round_warnings(result.table)
    for one in wrong:
        log.warning("%s; look at the page of rounds in the report and at the picks of each", one)
    plots = round_figures(result.table)
    plots.append(training_curves(result.curve, chosen_step=result.summary.get("chosen_step")))
    plots += [*least_trusted(result.judged), *unlabelled_look(result.judged), *scale.figures]
    with record.stage("pictures"):
        contrast = result.model.card.contrast
        plots += picked_figures(
            result.model, micrographs, labels, settings, contrast, host, None, record
        )
    done = IteratingResult(
        host.place,
        dict(result.summary.get("failed", {})),
        result.model,
        result.curve,
        result.summary,
        result.table,
        result.best,
    )
    deliver_trained(
        host,
        settings,
        done,
        labels,
        plots,
        record,
        told={"rounds": result.table, "best_round": result.best, "round_warnings": wrong},
        counts={"rounds": len(result.rounds) - 1},
        files=round_files(result, spool),
    )
    return done


def _second_opinion(
    models: JobModels,
    settings: TrainSettings,
    labels: Mapping[str, Labels],
    start: PickingModel | None,
) -> Verifier | None:
    name = settings.pruner if isinstance(settings, IterateSettings) else IterateSettings().pruner
    diameter = choose_diameter(settings, labels, start)
    if name == "none" or diameter is None:  # a training without it will say so
        return None
    pruner = models.pruner(name)
    return PrunerScore(pruner, diameter, resolve_device(settings.device))


def round_files(result: IterationResult, spool: Path) -> dict[str, Path]:
    """Write the table and every round's picks as CSV; return all files by name for the user."""
    write_text(spool / TABLE, _as_csv(result.table))
    files = {TABLE: spool / TABLE}
    for one in result.rounds:
        picks = one.folder / "picks.csv"
        write_csv(picks, round_picks(one))
        for path in (picks, one.folder / WEIGHTS, one.folder / CARD):
            files[f"rounds/{one.folder.name}/{path.name}"] = path
    return files


def round_picks(one: Round) -> Iterator[Picks]:
    """Yield a round's picks by micrograph, those above its model's threshold selected."""
    found, cut = one.found, Cut(one.model.card.threshold)
    for index, name in enumerate(found.micrographs.tolist()):
        at = np.flatnonzero(found.micrograph == index)
        picks = Picks.from_xy(
            name,
            found.x_px[at],
            found.y_px[at],
            score=found.score[at],
            diameter_A=one.model.card.diameter_A,
        )
        yield cut.select(picks)


def _as_csv(table: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in table for name in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in table)
    return text.getvalue()
