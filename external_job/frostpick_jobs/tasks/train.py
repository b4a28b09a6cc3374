"""The training task: labels in, a picking model out."""

from __future__ import annotations

import logging
import shutil

from frostpick.config import TrainSettings
from frostpick.errors import InputError, option
from frostpick.report.training import training_curves
from frostpick.runtime.run_record import RunRecord
from frostpick.training.picker.train import train_picker
from frostpick_jobs.job.claim import claim
from frostpick_jobs.job.host import Host
from frostpick_jobs.tasks.iterate import run_iterate
from frostpick_jobs.tasks.job_models import JobModels
from frostpick_jobs.tasks.trained import deliver_trained, picked_figures
from frostpick_jobs.tasks.training_inputs import TrainSummary, given_labels, start_model

log = logging.getLogger(__name__)

SPOOL = "training"


def run_train(host: Host, settings: TrainSettings) -> TrainSummary:
    """Train a model on a host's micrographs and labels, and deliver it.

    Without labels the start model learns from its own picks what these micrographs look like.

    Calls `Host.begin` and `Host.deliver`; `Host.end` is called by
    `frostpick_jobs.job.lifecycle`, under which this runs. A stopped training goes on
    from its last state when the job is continued with the same settings and
    labels; ``settings.restart`` throws that state away. With ``settings.rounds``
    `run_iterate` does it all.

    Raises
    ------
    InputError
        No micrographs, or a folder that holds another kind of job.
    LabelError
        Labels are given, and none is on any micrograph of the job.
    """
    if settings.rounds:
        return run_iterate(host, settings, "train")
    record = RunRecord("train", host.name, settings.model_dump(mode="json"))
    host.begin()
    claim(host.spool, "train")
    with record.stage("reading the inputs"):
        micrographs = host.micrographs()
        if not micrographs:
            raise InputError(f"no micrographs to train on; give some with {option('micrographs')}")
        models = JobModels(host.spool)
        start = start_model(host, settings, models)
        record.add(shipped=models.used)
        labels = given_labels(host, start)
        if not labels:
            log.info("no labels: the start model learns from its own picks on these micrographs")
    spool = host.spool / SPOOL
    if settings.restart and spool.exists():
        shutil.rmtree(spool)
    with record.stage("training"):
        result = train_picker(
            micrographs, labels, settings, start=start, spool=spool, reporter=host.reporter
        )
    plots = [training_curves(result.curve, chosen_step=result.summary.get("chosen_step"))]
    with record.stage("pictures"):
        contrast = result.model.card.contrast
        plots += picked_figures(
            result.model, micrographs, labels, settings, contrast, host.reporter
        )
    done = TrainSummary(result.model, result.curve, result.summary)
    deliver_trained(host, settings, done, labels, plots, record)
    return done
