"""The training task: labels in, a picking model out."""

from __future__ import annotations

import logging

from frostpick.report.training import training_curves
from frostpick.runtime.executors.base import Executor
from frostpick.settings import TrainSettings
from frostpick.training.picker.train import train_picker
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.results import TrainingResult
from frostpick_jobs.tasks.begin import begin, note_micrographs
from frostpick_jobs.tasks.declarations import TRAIN
from frostpick_jobs.tasks.included import with_included
from frostpick_jobs.tasks.iterate import run_iterate
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

SPOOL = "training"


def run_train(
    host: Host, settings: TrainSettings, executor: Executor | None = None
) -> TrainingResult:
    """Train a model on a host's micrographs and labels, and deliver it.

    Without labels the start model learns from its own picks what these micrographs look like.

    Calls `Host.begin` and `Host.deliver`; `Host.end` is called by
    `frostpick_jobs.job.lifecycle`, under which this runs. A stopped training goes on
    from its last state when the job is continued with the same settings and
    labels; with others it begins anew where nothing unfinished is lost
    (`frostpick.runtime.basis`); ``settings.restart`` throws that state away. With
    ``settings.rounds`` `run_iterate` does it all.

    Parameters
    ----------
    executor
        Who picks the micrographs of the pictures, and where. None: this process.

    Raises
    ------
    InputError
        No micrographs, or a folder that holds another kind of job.
    LabelError
        Labels are given, and none, one or two are on the micrographs of the job.
    ConfigError
        A training with other settings is unfinished in the folder.
    """
    if settings.rounds:
        log.warning(
            "train with rounds is the task iterate; the option rounds leaves train with version 2.0"
        )
        return run_iterate(host, settings, executor, task="train")
    record = begin(host, TRAIN, settings)
    with record.stage("reading the inputs"):
        micrographs = micrographs_to_train_on(host)
        note_micrographs(record, micrographs)
        start = start_model(host, settings)
        record.add(shipped=host.models.used)
        scale = settle_diameter(
            host, record, settings, micrographs, model=start, own_A=own_diameter(start)
        )
        settings = scale.settings
        labels = given_labels(host, start)
        labels = with_included(host, record, settings, micrographs, labels, start)
        compare_with_images(host, record, micrographs, labels, settings, start)
        if not labels:
            log.info("no labels: the start model learns from its own picks on these micrographs")
    with record.stage("training"):
        result = train_picker(
            micrographs,
            labels,
            settings,
            start=start,
            spool=host.spool / SPOOL,
            reporter=host.reporter,
            judge=judging_model(host, settings, labels, start),
        )
    plots = [training_curves(result.curve, chosen_step=result.summary.get("chosen_step"))]
    plots += [*least_trusted(result.judged), *unlabelled_look(result.judged), *scale.figures]
    with record.stage("pictures"):
        contrast = result.model.card.contrast
        plots += picked_figures(
            result.model,
            micrographs,
            labels,
            settings,
            contrast,
            host,
            executor,
            record,
            result.unseen,
        )
    failed = dict(result.summary.get("failed", {}))
    done = TrainingResult(host.place, failed, result.model, result.curve, result.summary)
    deliver_trained(host, settings, done, labels, plots, record)
    return done
