"""The few-shot task: about fifteen exemplars in, picks on all micrographs and a model out."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostpick.config import FewshotSettings
from frostpick.errors import Wording, option
from frostpick.fewshot import check_count, choose_method, start_name, train_on_exemplars
from frostpick.models.cryomae.model import AutoencoderModel
from frostpick.models.picking_model import PickingModel
from frostpick.report.fewshot import fewshot_figures
from frostpick.report.figure import Figure
from frostpick.report.training import training_curves
from frostpick.runtime.executors.base import Executor
from frostpick.runtime.spread import spread
from frostpick.training.cryomae.train import train_fewshot
from frostpick.types import Labels, Micrograph
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.models import JobModels
from frostpick_jobs.job.outputs import ModelOutput
from frostpick_jobs.job.results import FewshotResult
from frostpick_jobs.tasks.begin import begin
from frostpick_jobs.tasks.declarations import FEWSHOT, refuse_unused
from frostpick_jobs.tasks.pick.finish import finish_picking
from frostpick_jobs.tasks.pick.missing import pick_part
from frostpick_jobs.tasks.pick.prepare import all_micrographs, prepare_picking

log = logging.getLogger(__name__)

#: Folders below the spool: states of the training, and the model that it ended with.
TRAINING, MODEL = "training", "model"


@dataclass(frozen=True)
class Made:
    """A model made from exemplars."""

    model: PickingModel
    curve: Sequence[Mapping[str, float]]
    summary: Mapping[str, Any]
    figures: Sequence[Figure]


def run_fewshot(
    host: Host, settings: FewshotSettings, executor: Executor | None = None
) -> FewshotResult:
    """Make a model from a host's exemplars, pick all its micrographs, and deliver both.

    A stopped job goes on: the training from its last state, the picking from its last
    micrograph.

    Parameters
    ----------
    executor
        Who picks, and where. None: the devices of the settings, one process each.

    Raises
    ------
    InputError
        No micrographs, or a folder that holds another kind of job.
    LabelError
        Fewer than three exemplars are on the micrographs.
    """
    record = begin(host, FEWSHOT, settings)
    with record.stage("reading the inputs"):
        everything = all_micrographs(host)
        exemplars = host.labels()
        check_count(exemplars)
    method = choose_method(settings)
    refuse_unused(FEWSHOT, method, settings, "auto" if settings.method == "auto" else "")
    spool = host.spool / TRAINING / method
    if settings.restart and spool.exists():
        shutil.rmtree(spool)
    with record.stage("training"):
        make = _by_cryomae if method == "cryomae" else _by_training
        made = make(host, everything, exemplars, settings, spool)
    made.model.save(host.spool / MODEL)
    record.add(
        method=method,
        training=dict(made.summary),
        curve=list(made.curve),
        shipped=host.models.used,
        exemplars=sum(len(one) for one in exemplars.values()),
    )
    micrographs = spread(everything, settings.limit or len(everything))
    # the training has settled the contrast, and its model knows it
    named = settings.model_copy(update={"model": method, "contrast": None})
    with record.stage("picking"):
        store, job = prepare_picking(host, named, micrographs, made.model, executor)
        part = pick_part(store, job, micrographs, host.reporter)
    with record.stage("delivering"):
        picked = finish_picking(
            host,
            store,
            job,
            [part],
            record,
            figures=made.figures,
            others=[ModelOutput(MODEL, made.model)],
        )
    return FewshotResult(**vars(picked), model=made.model)


def _by_cryomae(
    host: Host,
    micrographs: Sequence[Micrograph],
    exemplars: Mapping[str, Labels],
    settings: FewshotSettings,
    spool: Path,
) -> Made:
    start = _encoder(settings, host.models)
    result = train_fewshot(
        micrographs, exemplars, settings, start=start, spool=spool, reporter=host.reporter
    )
    figures = fewshot_figures(result.curve, result.view)
    return Made(result.model, result.curve, result.summary, figures)


def _by_training(
    host: Host,
    micrographs: Sequence[Micrograph],
    exemplars: Mapping[str, Labels],
    settings: FewshotSettings,
    spool: Path,
) -> Made:
    name = start_name(settings)
    start = None if name == "none" else host.models.picking(name)
    result = train_on_exemplars(
        micrographs, exemplars, settings, start=start, spool=spool, reporter=host.reporter
    )
    curves = training_curves(result.curve, chosen_step=result.summary.get("chosen_step"))
    return Made(result.model, result.curve, {**result.summary, "method": "pu"}, [curves])


def _encoder(settings: FewshotSettings, models: JobModels) -> AutoencoderModel | None:
    if settings.model == "none":
        return None
    if settings.model:
        return models.encoder(settings.model)
    found = models.encoder_of(settings.preset)
    if found is None:
        log.warning(
            Wording(
                "no pretrained encoder of preset %s comes with this version; pretrain one with "
                f"frostpick pretrain --method mae and give it as {option('model')}"
            ),
            settings.preset,
        )
    return found
