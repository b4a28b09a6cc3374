"""Kinds of repeated objects that an earlier job found, as labels of a training."""

from __future__ import annotations

import csv
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError, option
from frostpick.images import PixelSizes
from frostpick.models.picking_model import PickingModel
from frostpick.points import nearest_distance
from frostpick.repeated.kinds import SPREAD
from frostpick.runtime.run_record import RunRecord
from frostpick.settings import TrainSettings
from frostpick.settings.train import kinds_named
from frostpick.training.picker.setup import choose_diameter
from frostpick.types import Labels, Micrograph
from frostpick_jobs.inputs.headers import with_header
from frostpick_jobs.inputs.name_matching import match_names
from frostpick_jobs.job.host import Host
from frostpick_jobs.tasks.repeated import COLUMNS, NAME

log = logging.getLogger(__name__)

#: A member so near a label of either sign, in diameters, is what that label is of.
SAME = 0.5
#: What made such labels.
SOURCE = "repeated"

Points = NDArray[np.float64]


def with_included(
    host: Host,
    record: RunRecord,
    settings: TrainSettings,
    micrographs: Sequence[Micrograph],
    labels: Mapping[str, Labels],
    start: PickingModel | None,
) -> Mapping[str, Labels]:
    """Return labels with the members of the kinds that the settings include, if any.

    Of a kind those members count whose look is as near to its middle as the kind's as a whole
    must be, and that are not labelled already; none of what is named as ice.

    Raises
    ------
    InputError
        The job has no such kind, the kind is ice, or none of it is on the micrographs.
    """
    if settings.include is None:
        return labels
    job, numbers = kinds_named(settings.include)
    path = host.file_of(job, NAME)
    members, seen = _members(path, numbers)
    diameter_A = choose_diameter(settings, labels, start)
    sizes, added, taken = PixelSizes(settings.pixel_size), dict(labels), 0
    matches = match_names(list(members), [one.id for one in micrographs], "repeated objects")
    by_id: dict[str, list[Points]] = defaultdict(list)
    for name, at in members.items():
        if name in matches:
            by_id[matches[name]].append(np.array(at))
    for one in micrographs:
        if one.id not in by_id:
            continue
        pixel = with_header(one, sizes).pixel_size_A
        reach = SAME * diameter_A / pixel if diameter_A and pixel else 0.0
        xy, own = np.concatenate(by_id[one.id]), added.get(one.id)
        if own is not None:
            xy = xy[nearest_distance(xy, np.stack([own.x_px, own.y_px], axis=1)) > reach]
        if not len(xy):
            continue
        taken += len(xy)
        more = Labels.from_xy(one.id, xy[:, 0], xy[:, 1], source=SOURCE)
        added[one.id] = more if own is None else Labels.concat([own, more])
    which = f"kind{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))} of {job}"
    text = (
        f"{taken} of the {seen} objects of {which} are labels as well; the others look less like "
        "the rest of their kind, are labelled already, or are on other micrographs"
    )
    if not taken:
        raise InputError(
            f"{option('include', settings.include)}: none of its {seen} objects can be a label on "
            "the micrographs of this job; expected one or more that are not labelled yet"
        )
    log.info("%s", text)
    record.add(included={"text": text, "seen": seen, "labels": taken})
    return {one.id: added[one.id] for one in micrographs if one.id in added}


def _members(
    path: Path, numbers: Sequence[int]
) -> tuple[dict[str, list[tuple[float, float]]], int]:
    """Return x and y of typical members by name of micrograph, and how many members there are."""
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            table = csv.DictReader(handle)
            rows, names = list(table), table.fieldnames or []
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); {option('include')} takes the job of "
            "pick, fewshot, train or iterate whose report shows the kind, and the kind's number"
        ) from error
    if not set(COLUMNS) <= set(names):
        raise InputError(
            f"{path}: columns {', '.join(names) or 'none'}, expected {', '.join(COLUMNS)}; run "
            "the job again with this version of frostpick"
        )
    try:
        kinds = [int(row["kind_number"]) for row in rows]
        places = [(float(row["x_px"]), float(row["y_px"]), float(row["away"])) for row in rows]
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: {error}; expected the file as the job wrote it") from error
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for number in numbers:
        if number not in kinds:
            there = ", ".join(map(str, sorted(set(kinds)))) or "none"
            raise InputError(f"{path}: no kind {number} of repeated objects; there are: {there}")
    for kind, (x, y, away), row in zip(kinds, places, rows, strict=True):
        if kind in numbers and row["named"]:
            raise InputError(
                f"{path}: kind {kind} is {row['named']}, no particle; include another kind"
            )
        if kind in numbers and away <= SPREAD:
            found[row["micrograph"]].append((x, y))
    return found, sum(kind in numbers for kind in kinds)
