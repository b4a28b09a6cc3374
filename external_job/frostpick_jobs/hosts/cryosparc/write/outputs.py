"""Fills the outputs of a job, each checked after it was saved."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick_jobs.hosts.cryosparc.ports import ALL_PICKS, MICROGRAPHS, PICKS
from frostpick_jobs.hosts.cryosparc.read.exposures import ORIGINAL, Exposures
from frostpick_jobs.hosts.cryosparc.server.job import ExternalJob
from frostpick_jobs.hosts.cryosparc.server.upload import save_dataset
from frostpick_jobs.hosts.cryosparc.write.pick_table import PickRows, as_dataset
from frostpick_jobs.hosts.cryosparc.write.slots import Field, with_all_fields

log = logging.getLogger(__name__)


def save_picks(
    job: ExternalJob, rows: PickRows, exposures: Exposures, min_distance_A: float
) -> None:
    """Save ``particles_all`` and ``particles``, the selected ones; an empty output is an answer."""
    choices: tuple[tuple[str, NDArray[np.bool_] | None], ...] = (
        (ALL_PICKS, None),
        (PICKS, rows.selected),
    )
    for output, keep in choices:
        asked = _asked(job, output)
        dataset = as_dataset(rows, exposures, asked, min_distance_A, keep)
        save_dataset(job, output, dataset)
        log.info("%s.%s: %d picks", job, output, len(dataset))


def save_micrographs(job: ExternalJob, parts: Sequence[Any], uids: Collection[int]) -> None:
    """Save the micrographs that were worked on; the server adds their other slots by uid.

    Parameters
    ----------
    parts
        Datasets of the exposure input.
    uids
        Exposures to keep.
    """
    from cryosparc.dataset import Dataset

    originals = [part.filter_prefixes([ORIGINAL], copy=True) for part in parts]
    joined = originals[0]
    if len(originals) > 1:
        joined = Dataset.append_many(*originals, assert_same_fields=False)
    wanted = np.array(sorted(uids), np.uint64)
    kept = joined.mask(np.isin(np.asarray(joined["uid"]), wanted))
    controller = job.controller
    out = job.server.call(
        f"fields of {job}.{MICROGRAPHS}", lambda: controller.alloc_output(MICROGRAPHS, kept)
    )
    save_dataset(job, MICROGRAPHS, with_all_fields(out, kept))


def _asked(job: ExternalJob, output: str) -> list[Field]:
    controller = job.controller
    empty = job.server.call(f"fields of {job}.{output}", lambda: controller.alloc_output(output, 0))
    return [tuple(field) for field in empty.descr(exclude_uid=True)]
