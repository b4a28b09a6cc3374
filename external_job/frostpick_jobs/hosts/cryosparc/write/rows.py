"""Rows of a particle input as outputs: in two parts, or all of them with their scores."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.types import Decisions
from frostpick_jobs.formats.decision_table import write_decision_table
from frostpick_jobs.hosts.cryosparc.ports import KEPT, REJECTED, VERIFIED
from frostpick_jobs.hosts.cryosparc.read.exposures import Exposures
from frostpick_jobs.hosts.cryosparc.read.particle_labels import match_rows
from frostpick_jobs.hosts.cryosparc.read.prune_rows import ParticleInput
from frostpick_jobs.hosts.cryosparc.server.errors import ServerError, detail
from frostpick_jobs.hosts.cryosparc.server.job import ExternalJob
from frostpick_jobs.hosts.cryosparc.server.upload import save_dataset, upload_file
from frostpick_jobs.hosts.cryosparc.write.slots import with_all_fields

log = logging.getLogger(__name__)

#: The table of all rows, in the job's folder.
SCORES = "scores.csv"


def save_kept(
    job: ExternalJob,
    rows: ParticleInput,
    slot: str,
    decisions: Decisions,
    exposures: Exposures | None = None,
) -> None:
    """Save the kept and the rejected rows, and the table of all.

    Parameters
    ----------
    slot
        The one slot of the outputs that is not passed through: what the boxes were made from.
    exposures
        Those that the rows lie on, where boxes were cut from micrographs. A server may refuse
        rows on others, all rejected as not read; they are then in the table alone.
    """
    for output, keep in ((KEPT, decisions.keep), (REJECTED, ~decisions.keep)):
        try:
            _save_some(job, rows, output, slot, keep)
        except ServerError as error:
            here = keep & ~_elsewhere(rows, exposures)
            if error.code not in (400, 422) or here.sum() == keep.sum():
                raise
            log.warning(
                "%s.%s is without %d rows on micrographs that are not connected, which the server "
                "refuses (%s); they are in %s",
                job,
                output,
                keep.sum() - here.sum(),
                detail(error),
                SCORES,
            )
            _save_some(job, rows, output, slot, here)
    _save_table(job, rows, decisions)


def save_scored(job: ExternalJob, rows: ParticleInput, decisions: Decisions) -> None:
    """Save all rows with their `pick_stats`, and the table of all."""
    _save_columns(job, rows, VERIFIED, pick_stats(decisions))
    _save_table(job, rows, decisions)


def pick_stats(decisions: Decisions) -> dict[str, NDArray[np.float32]]:
    """Return the two numbers by which Inspect Picks cuts, ``(n,)`` float32 each.

    ``ncc_score``, which it cuts from below, is the probability of a particle by the mean
    score over the four rotations; ``power``, which it cuts from above as well, is the
    spread of the score over them. A particle without a score, its image unread or its
    centre off it, has 0 and 999, so that either cut leaves it out.
    """
    unread = ~np.isfinite(decisions.score)
    probability = np.where(unread, 0.0, decisions.probability)
    spread = np.where(unread | ~np.isfinite(decisions.spread), 999.0, decisions.spread)
    return {
        "pick_stats/ncc_score": probability.astype(np.float32),
        "pick_stats/power": spread.astype(np.float32),
    }


def _elsewhere(rows: ParticleInput, exposures: Exposures | None) -> NDArray[np.bool_]:
    """Return ``(n,)`` which rows lie on a micrograph that is not connected."""
    if exposures is None:
        return np.zeros(len(rows), np.bool_)
    found = [match_rows(part, exposures) < 0 for part in rows.parts]
    return np.concatenate([np.zeros(0, np.bool_), *found])


def _save_some(
    job: ExternalJob, rows: ParticleInput, output: str, slot: str, keep: NDArray[np.bool_]
) -> None:
    """Save some rows with one slot of their own; the server adds the others by uid."""
    from cryosparc.dataset import Dataset

    own = [part.filter_prefixes([slot], copy=True) for part in rows.parts]
    joined = own[0] if len(own) == 1 else Dataset.append_many(*own, assert_same_fields=False)
    kept = joined.mask(keep)
    controller = job.controller
    out = job.server.call(
        f"fields of {job}.{output}", lambda: controller.alloc_output(output, kept)
    )
    save_dataset(job, output, with_all_fields(out, kept))


def _save_columns(
    job: ExternalJob, rows: ParticleInput, output: str, columns: Mapping[str, Any]
) -> None:
    """Save every row with columns ``(n,)`` of one slot; the server adds the others by uid."""
    from cryosparc.dataset import Dataset

    controller = job.controller
    every = Dataset({"uid": rows.uid})
    out = job.server.call(
        f"fields of {job}.{output}", lambda: controller.alloc_output(output, every)
    )
    for field, values in columns.items():
        if field not in out.fields():
            out.add_fields([field], [values.dtype.str])
        out[field] = values
    save_dataset(job, output, out)


def _save_table(job: ExternalJob, rows: ParticleInput, decisions: Decisions) -> None:
    uids = [str(uid) for uid in rows.uid.tolist()]
    with tempfile.TemporaryDirectory(prefix="frostpick-") as folder:
        scores = Path(folder) / SCORES
        write_decision_table(scores, decisions, uids, named="uid")
        upload_file(job, SCORES, scores.read_bytes())
