"""The picks, as they are written, must lie right side up on the micrographs that they name.

Picks are made on the image that was read and written for the original micrograph, which
Extract reads. The two may be mirror images where another slot was read or picks are flipped.
"""

from __future__ import annotations

import logging

import numpy as np

from frostpick.errors import FrostpickError
from frostpick.picking.places import Verdict, judge
from frostpick.picking.readings import MIRRORED
from frostpick.types import Labels
from frostpick_jobs.hosts.cryosparc.read.connected import Connected
from frostpick_jobs.hosts.cryosparc.read.exposures import ORIGINAL
from frostpick_jobs.hosts.cryosparc.request import JobRequest
from frostpick_jobs.hosts.cryosparc.write.pick_table import PickRows
from frostpick_jobs.tasks.places import MOST_FETCHED, look_at, mirrored_sentence

log = logging.getLogger(__name__)

#: Fewer selected picks than this say nothing.
LEAST = 10


def compare_with_originals(
    rows: PickRows, connected: Connected, request: JobRequest, diameter_A: float | None
) -> Verdict | None:
    """Log a warning where picks fit the original micrographs better upside down.

    Nothing is read where the original was picked and nothing flipped: the picks then fit.

    Parameters
    ----------
    diameter_A
        The particle's longest dimension; without one nothing is tested.

    Returns
    -------
    Verdict or None
        None where nothing was tested, or no original can be read.
    """
    if diameter_A is None or (request.image_slot == ORIGINAL and not request.flip_y):
        return None
    micrographs, labels = connected.originals, dict[str, Labels]()
    selected, count = np.flatnonzero(rows.selected), 0
    for row in np.unique(rows.exposure[selected]).tolist():
        at = selected[rows.exposure[selected] == row]
        micrograph = micrographs[row]
        ny, nx = micrograph.shape or (0, 0)
        x = rows.fields["location/center_x_frac"][at].astype(np.float64) * nx
        y = rows.fields["location/center_y_frac"][at].astype(np.float64) * ny
        labels[micrograph.id] = Labels.from_xy(micrograph.id, x, y)
        count += len(at)
        if len(labels) == MOST_FETCHED:
            break
    if count < LEAST:
        return None
    try:
        looked = look_at(micrographs, labels, diameter_A)
    except (FrostpickError, OSError) as error:
        # The picks are made; no look at other files may cost them.
        log.warning("the picks are not compared with the original micrographs: %s", error)
        return None
    if not looked:
        return None
    verdict = judge(looked, (MIRRORED,))
    if verdict.reading is not None:
        log.warning("%s", mirrored_sentence(verdict, "picks", request.flip_y))
    return verdict
