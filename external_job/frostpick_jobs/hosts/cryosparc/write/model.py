"""A model in the folder of the job that made it: its two files, and the output that shows it."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import numpy as np

from frostpick.errors import Wording, option
from frostpick.models.model_file import CARD, WEIGHTS
from frostpick.models.picking_model import PickingModel
from frostpick_jobs.hosts.cryosparc.ports import MODEL
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError
from frostpick_jobs.hosts.cryosparc.server.job import ExternalJob
from frostpick_jobs.hosts.cryosparc.server.upload import save_dataset, upload_file
from frostpick_jobs.hosts.cryosparc.write.summary import table
from frostpick_jobs.job.outputs import ModelOutput

log = logging.getLogger(__name__)

#: Value of the output's field ``type``: no native job takes this model.
TYPE = "frostpick"


def save_model(job: ExternalJob, output: ModelOutput) -> list[str]:
    """Write a model's files whole into a folder of the output's name, and say how to use it.

    Returns
    -------
    list of str
        What the end of the event log says of the model.
    """
    name = output.name
    with tempfile.TemporaryDirectory(prefix="frostpick-") as folder:
        output.model.save(Path(folder))
        for file in (CARD, WEIGHTS):
            upload_file(job, f"{name}/{file}", (Path(folder) / file).read_bytes())
    if name == MODEL and MODEL in job.look().outputs:
        _fill_output(job, f"{job.uid}/{MODEL}/{WEIGHTS}")
    told = Wording(f"the %s is in %s/%s: give  {option(name)} %s")
    log.info(told, name, job.uid, name, job.uid)
    return _summary(job, output)


def _summary(job: ExternalJob, output: ModelOutput) -> list[str]:
    """Return a table of a model that was trained on something that can be counted."""
    model = output.model
    if not output.counts or not isinstance(model, PickingModel):
        return []
    diameter_A = model.card.diameter_A
    rows = [
        ("model", f"{model.card.network.name}, {model.digest[:12]}"),
        ("diameter", "any" if diameter_A is None else f"{diameter_A:g} A"),
        *((name, str(count)) for name, count in output.counts.items()),
    ]
    return [table(rows)]


def _fill_output(job: ExternalJob, path: str) -> None:
    """Fill the ``ml_model`` output, whose fields no public source lists, as well as can be."""
    try:
        dataset = job.server.call(
            "fields of the model", lambda: job.controller.alloc_output(MODEL, 1)
        )
        for field, value in (("path", path), ("type", TYPE)):
            name = f"ml_model/{field}"
            if name not in dataset.fields():
                dataset.add_fields([name], ["O"])
            dataset[name] = np.array([value], dtype=object)
        save_dataset(job, MODEL, dataset)
    except (ServerError, TypeError, ValueError) as error:
        log.warning("the output 'model' is left empty (%s); the file is what counts", error)
