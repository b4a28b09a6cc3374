"""The few-shot task: about fifteen exemplars in, picks on all micrographs and a model out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from frostpick.errors import Wording, option
from frostpick.fewshot import (
    check_count,
    choose_method,
    method_in_force,
    start_name,
    train_on_exemplars,
)
from frostpick.models.cryomae.model import AutoencoderModel
from frostpick.models.picking_model import PickingModel
from frostpick.report.fewshot import fewshot_figures
from frostpick.report.training import training_curves
from frostpick.runtime.evenly_spread import evenly_spread
from frostpick.runtime.executors.base import Executor
from frostpick.settings import FewshotSettings
from frostpick.training.cryomae.train import train_fewshot
from frostpick.training.few import count_particles
from frostpick.types import Labels, Micrograph
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.models import JobModels
from frostpick_jobs.job.outputs import ModelOutput
from frostpick_jobs.job.results import FewshotResult
from frostpick_jobs.tasks.begin import begin, note_micrographs
from frostpick_jobs.tasks.declarations import FEWSHOT, refuse_unused
from frostpick_jobs.tasks.made import Made, keep_made, kept_made, made_key
from frostpick_jobs.tasks.own_scale import settle_diameter
from frostpick_jobs.tasks.pick.finish import finish_picking
from frostpick_jobs.tasks.pick.not_yet_picked import pick_part
from frostpick_jobs.tasks.pick.prepare import all_micrographs, is_live, prepare_picking
from frostpick_jobs.tasks.places import check_places
from frostpick_jobs.tasks.training_outputs import unlabelled_look

log = logging.getLogger(__name__)

#: Folders below the spool: states of the training, and the model that it ended with.
TRAINING, MODEL = "training", "model"
#: Micrographs, exemplars and the folder of the states in, a model out.
Train = Callable[[Sequence[Micrograph], Mapping[str, Labels], Path], Made]


def run_fewshot(
    host: Host, settings: FewshotSettings, executor: Executor | None = None
) -> FewshotResult:
    """Make a model from a host's exemplars, pick all its micrographs, and deliver both.

    A stopped job goes on: the training from its last state, the picking from its last
    micrograph. A model that is made stays as it is when micrographs arrive; other exemplars
    or settings make it anew.

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
    ConfigError
        A training with other settings is unfinished in the folder.
    """
    record = begin(host, FEWSHOT, settings)
    with record.stage("reading the inputs"):
        everything = all_micrographs(host, settings)
        note_micrographs(record, everything)
        scale = settle_diameter(
            host,
            record,
            settings,
            everything,
            model=_seen_with(host.models, settings),
            live=is_live(host, settings),
        )
        settings = scale.settings
        exemplars = host.labels()
        check_count(exemplars)
        check_places(
            host,
            record,
            everything,
            exemplars,
            settings,
            diameter_A=settings.diameter_A,
            what="exemplars",
        )
    method = choose_method(settings, kind=host.models.kind_of)
    refuse_unused(FEWSHOT, method, settings, "auto" if settings.method == "auto" else "")
    if method == "cryomae":
        _tell_of_unused(exemplars)
    spool, folder = host.spool / TRAINING / method, host.spool / MODEL
    with record.stage("training"):
        make = _cryomae if method == "cryomae" else _network
        start, train = make(host, settings)
        key = made_key(settings, start, exemplars, everything)
        made = None if settings.restart else kept_made(spool, folder, key, settings.license)
        if made is None:
            made = train(everything, exemplars, spool)
            keep_made(spool, folder, key, made)
    record.add(
        method=method,
        training=dict(made.summary),
        curve=list(made.curve),
        shipped=host.models.used,
        exemplars=count_particles(exemplars),
    )
    micrographs = evenly_spread(everything, settings.max_micrographs or len(everything))
    # the training has settled the contrast, and its model knows it
    picking = settings.model_copy(update={"contrast": None})
    with record.stage("picking"):
        store, job = prepare_picking(host, picking, micrographs, made.model, executor)
        part = pick_part(store, job, micrographs, host.reporter)
    with record.stage("delivering"):
        picked = finish_picking(
            host,
            store,
            job,
            [part],
            record,
            made_by=method,
            figures=[*made.figures, *scale.figures],
            others=[ModelOutput(MODEL, made.model)],
        )
    return FewshotResult(**vars(picked), model=made.model)


def _seen_with(models: JobModels, settings: FewshotSettings) -> PickingModel | None:
    """Return the network that the job starts from; None for cryoMAE, and for none."""
    method, _ = method_in_force(settings, kind=models.kind_of)
    name = start_name(settings)
    return models.picking(name) if method == "pu" and name != "none" else None


def _tell_of_unused(exemplars: Mapping[str, Labels]) -> None:
    """Say that a method learns nothing from places without a particle."""
    none = sum(len(one) for one in exemplars.values()) - count_particles(exemplars)
    if none:
        log.warning(
            Wording(
                "%d labels are places without a particle, of which cryomae makes no use; "
                f"{option('method', 'pu')} learns from them"
            ),
            none,
        )


def _cryomae(host: Host, settings: FewshotSettings) -> tuple[AutoencoderModel | None, Train]:
    """Return the encoder to start from, and what trains it."""
    start = _encoder(settings, host.models)

    def train(
        micrographs: Sequence[Micrograph], exemplars: Mapping[str, Labels], spool: Path
    ) -> Made:
        result = train_fewshot(
            micrographs, exemplars, settings, start=start, spool=spool, reporter=host.reporter
        )
        figures = fewshot_figures(result.curve, result.view, host.title(result.view.micrograph_id))
        return Made(result.model, result.curve, result.summary, figures)

    return start, train


def _network(host: Host, settings: FewshotSettings) -> tuple[PickingModel | None, Train]:
    """Return the network to start from, and what trains it."""
    name = start_name(settings)
    start = None if name == "none" else host.models.picking(name)

    def train(
        micrographs: Sequence[Micrograph], exemplars: Mapping[str, Labels], spool: Path
    ) -> Made:
        result = train_on_exemplars(
            micrographs, exemplars, settings, start=start, spool=spool, reporter=host.reporter
        )
        curves = training_curves(result.curve, chosen_step=result.summary.get("chosen_step"))
        figures = [curves, *unlabelled_look(result.judged)]
        return Made(result.model, result.curve, {**result.summary, "method": "pu"}, figures)

    return start, train


def _encoder(settings: FewshotSettings, models: JobModels) -> AutoencoderModel | None:
    if settings.encoder == "none":
        return None
    if settings.encoder:
        return models.encoder(settings.encoder)
    found = models.encoder_of(settings.encoder_size)
    if found is None:
        log.warning(
            Wording(
                "no pretrained encoder of size %s comes with this version; pretrain one with "
                f"frostpick pretrain --method mae and give it as {option('encoder')}"
            ),
            settings.encoder_size,
        )
    return found
