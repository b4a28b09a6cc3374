"""Models of other jobs: ``J20/model/model.safetensors`` of the one that a setting names."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from frostpick.errors import ModelError, option
from frostpick.settings import Settings
from frostpick.settings.model_ref import ModelKind, ModelRef, model_ref
from frostpick_jobs.hosts.cryosparc.server.connect import Server
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError
from frostpick_jobs.hosts.cryosparc.server.references import JobRef, parse_job

if TYPE_CHECKING:
    from frostpick.models.picking_model import PickingModel
    from frostpick.models.pruner.model import Pruner
    from frostpick_jobs.job.models import Model

log = logging.getLogger(__name__)

#: Folders of a job with the files of its models.
MODEL, PRUNER = "model", "pruner"
Loaded = TypeVar("Loaded", "PickingModel", "Pruner")


def named_models(settings: Settings) -> Iterator[tuple[str, ModelRef, str]]:
    """Yield name, kind and text of each setting that names a model, in their order."""
    for name, info in type(settings).model_fields.items():
        ref, text = model_ref(info), getattr(settings, name)
        if ref is not None and text and not (ref.or_none and text == "none"):
            yield name, ref, text


class ModelsOfJobs:
    """The models that a task's settings take from other jobs of the server, each fetched once.

    Called with kind and text it returns a model, None for one that no job made.

    Parameters
    ----------
    project
        Of the task's job.
    """

    def __init__(self, server: Server, project: str, settings: Settings) -> None:
        self._server, self._project = server, project
        self._jobs: dict[tuple[ModelKind, str], tuple[JobRef, str]] = {}
        for name, ref, text in named_models(settings):
            job = parse_job(text) if ref.from_job and ref.kind in _FETCH else None
            if job is not None:
                self._jobs[ref.kind, text] = (job, name)
        self._fetched: dict[tuple[ModelKind, str], Model] = {}

    def __call__(self, kind: ModelKind, text: str) -> Model | None:
        """Return the model of the job that a text names; raises as `fetch_model`."""
        asked = (kind, text)
        if asked in self._jobs and asked not in self._fetched:
            self._fetched[asked] = _FETCH[kind](self._server, self._project, *self._jobs[asked])
        return self._fetched.get(asked)

    def fetch(self) -> None:
        """Fetch what was not asked for yet."""
        for kind, text in self._jobs:
            self(kind, text)

    @property
    def picking_job(self) -> JobRef | None:
        """The first job whose picking model is taken."""
        return next((job for (kind, _), (job, _) in self._jobs.items() if kind == "picking"), None)


def fetch_model(server: Server, project: str, job: JobRef, name: str) -> PickingModel:
    """Return the model of a training job, of this project or another.

    Parameters
    ----------
    name
        Of the setting that names the job, for messages.

    Raises
    ------
    ModelError
        The job has no model, or a damaged one.
    """
    from frostpick.models.picking_model import PickingModel

    wanted = (
        f"{option(name)} takes a job of 'frostpick cryosparc train' that has completed, "
        "a model file, its folder or a shipped name"
    )
    return _fetch(server, project, job, MODEL, PickingModel.load, wanted)


def fetch_pruner(server: Server, project: str, job: JobRef, name: str) -> Pruner:
    """Return the pruner of a pruning job, fitted to its labels; as `fetch_model`."""
    from frostpick.models.pruner.model import Pruner

    wanted = (
        f"{option(name)} takes a job of 'frostpick cryosparc prune' that has completed, "
        "a pruner's file, its folder or a shipped name"
    )
    return _fetch(server, project, job, PRUNER, Pruner.load, wanted)


_FETCH: Mapping[ModelKind, Callable[[Server, str, JobRef, str], Model]] = {
    "picking": fetch_model,
    "pruner": fetch_pruner,
}


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
                if error.code not in (404, 422):
                    raise
                raise ModelError(f"{place}-{job.job} has no {folder}/{name}; {wanted}") from None
        loaded = load(Path(into))
    log.info("%s of %s-%s, digest %s", folder, place, job.job, loaded.digest[:12])
    return loaded
