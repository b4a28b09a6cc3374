"""Models in the folder of the job that made them: ``J20/model/model.safetensors``, ``pruner/``."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from frostpick.errors import ModelError, Wording, option
from frostpick_jobs.hosts.cryosparc.read.inputs import MODEL
from frostpick_jobs.hosts.cryosparc.server import shim
from frostpick_jobs.hosts.cryosparc.server.connect import Server
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError
from frostpick_jobs.hosts.cryosparc.server.job import ExternalJob
from frostpick_jobs.hosts.cryosparc.server.references import JobRef
from frostpick_jobs.hosts.cryosparc.server.upload import Check, save_dataset, upload_file

if TYPE_CHECKING:
    from frostpick.models.picking_model import PickingModel
    from frostpick.models.pruner.model import Pruner

log = logging.getLogger(__name__)

FOLDER, PRUNER = "model", "pruner"
TYPE = "frostpick"
Loaded = TypeVar("Loaded", "PickingModel", "Pruner")


def fetch_model(server: Server, project: str, job: JobRef) -> PickingModel:
    """Return the model of a training job, of this project or another.

    Raises
    ------
    ModelError
        The job has no model, or a damaged one.
    """
    from frostpick.models.picking_model import PickingModel

    wanted = (
        f"{option('model')} takes a job of 'frostpick cryosparc train' that has completed, "
        "a model file, its folder or a shipped name"
    )
    return _fetch(server, project, job, FOLDER, PickingModel.load, wanted)


def fetch_pruner(server: Server, project: str, job: JobRef) -> Pruner:
    """Return the pruner of a pruning job, fitted to its labels; as `fetch_model`."""
    from frostpick.models.pruner.model import Pruner

    wanted = (
        f"{option('pruner')} takes a job of 'frostpick cryosparc prune' that has completed, "
        "a pruner's file, its folder or a shipped name"
    )
    return _fetch(server, project, job, PRUNER, Pruner.load, wanted)


def _fetch(
    server: Server,
    project: str,
    job: JobRef,
    folder: str,
    load: Callable[[Path], Loaded],
    wanted: str,
) -> Loaded:
    """Download the two files of a model and load them."""
    from frostpick.models.model_file import CARD, WEIGHTS

    client, place = server.client, job.project or project
    with tempfile.TemporaryDirectory(prefix="frostpick-") as into:
        for name in (WEIGHTS, CARD):
            path, local = f"{job.job}/{folder}/{name}", str(Path(into) / name)
            read = partial(client.download_file, place, path, local)
            try:
                server.call(f"read {path}", read)
            except ServerError as error:
                if error.code not in (404, 422, None):
                    raise
                raise ModelError(f"{place}-{job.job} has no {folder}/{name}; {wanted}") from None
        loaded = load(Path(into))
    log.info("%s of %s-%s, digest %s", folder, place, job.job, loaded.digest[:12])
    return loaded


def upload_model(
    job: ExternalJob, model: PickingModel, folder: Path, check: Check | None = None
) -> None:
    """Write a model's two files into the job's folder, whole, and fill the output if there is one.

    Parameters
    ----------
    folder
        Local folder for the files.
    """
    from frostpick.models.model_file import CARD, WEIGHTS

    model.save(folder)
    for name in (CARD, WEIGHTS):
        upload_file(job, f"{FOLDER}/{name}", (folder / name).read_bytes(), check)
    announce_model(job, check)


def upload_pruner(job: ExternalJob, pruner: Pruner, check: Check | None = None) -> None:
    """Write a pruner's two files into the job's folder, whole, and say how to use them."""
    with tempfile.TemporaryDirectory(prefix="frostpick-") as folder:
        pruner.save(Path(folder))
        for file in sorted(Path(folder).iterdir()):
            upload_file(job, f"{PRUNER}/{file.name}", file.read_bytes(), check)
    told = Wording(f"the pruner is in %s/%s: give  {option('pruner')} %s")
    log.info(told, job.uid, PRUNER, job.uid)


def announce_model(job: ExternalJob, check: Check | None = None) -> None:
    """Fill the model's output, if there is one, and say how to pick with it."""
    from frostpick.models.model_file import WEIGHTS

    if MODEL in job.look().outputs:
        _fill_output(job, f"{job.uid}/{FOLDER}/{WEIGHTS}", check)
    told = Wording(f"the model is in %s/%s: give  {option('model')} %s")
    log.info(told, job.uid, FOLDER, job.uid)


def _fill_output(job: ExternalJob, path: str, check: Check | None) -> None:
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
        save_dataset(job, MODEL, dataset, check)
    except (ServerError, TypeError, ValueError) as error:
        log.warning("the output 'model' is left empty (%s); the file is what counts", error)


def has_model_output(server: Server, project: str, job: str) -> bool:
    """Tell whether a job has a filled model output, to connect to."""
    view = shim.look(
        server.call(f"find {project}-{job}", lambda: server.client.find_job(project, job))
    )
    output = view.outputs.get(MODEL)
    return output is not None and output.type == "ml_model" and bool(output.filled)
