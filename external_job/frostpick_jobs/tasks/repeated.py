"""What repeats in the micrographs of a job, told in log, record and report."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import Wording
from frostpick.picking.pick import MicrographPicks
from frostpick.picking.threshold import Cut
from frostpick.repeated.search import ICE, Kind, Picture, search, told_of
from frostpick.report.figure import Figure
from frostpick.report.repeated import repeated_figures
from frostpick.runtime.atomic import atomic_write
from frostpick.runtime.run_record import RunRecord
from frostpick.settings import Contrast
from frostpick.types import Picks
from frostpick_jobs.formats.star.write import TEXT
from frostpick_jobs.store import StoredPicks

log = logging.getLogger(__name__)

#: The places of all kinds, in the job's folder.
NAME = "repeated_objects.csv"
#: ``away``: how far its look is from the middle of the kind; ``named``: what the kind is called.
COLUMNS = ("kind_number", "micrograph", "x_px", "y_px", "away", "named")


@dataclass(frozen=True)
class Repeated:
    """What a search came to.

    Parameters
    ----------
    told
        For the run record: the sentence, and a row for each kind.
    rows
        As `COLUMNS`.
    missed
        Whether a kind is mostly not picked.
    """

    told: dict[str, Any] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    rows: list[tuple[int, str, float, float, float, str]] = field(default_factory=list)
    missed: bool = False

    def tell(self, record: RunRecord) -> None:
        """Add to a record what was found, and as a warning what is not picked."""
        record.add(repeated_objects=self.told)
        if self.missed:
            record.warn(self.told["text"])

    def write(self, path: Path) -> None:
        """Write the places of all kinds; without any, the heading alone."""
        with atomic_write(path, "w", **TEXT) as handle:
            table = csv.writer(handle, lineterminator="\n")
            table.writerow(COLUMNS)
            for number, name, *numbers, named in self.rows:
                table.writerow([number, name, *(f"{one:.3f}" for one in numbers), named])


def repeated_objects(
    found: Iterable[StoredPicks | MicrographPicks],
    cut_of: Callable[[str], Cut],
    diameter_A: float,
    contrast: Contrast,
    check: Callable[[], None] = lambda: None,
    job: str = "",
) -> Repeated:
    """Search the pictures of picked micrographs for what repeats, and log what is not picked.

    Parameters
    ----------
    found
        Results; those without a preview are passed over.
    cut_of
        The threshold of a micrograph, by its id.
    diameter_A
        At whose size, and at smaller ones, is searched.
    contrast
        Sign of the particles in the pictures.
    check
        Called before each picture, to be able to stop.
    job
        What the host calls the job, for the option by which a training takes a kind.
    """
    seen = [one for one in found if one.preview is not None]
    pictures = [_picture(one, cut_of(one.micrograph_id), diameter_A, contrast) for one in seen]
    kinds = search(pictures, check=check)
    if not kinds:
        return Repeated()
    job = job.rstrip("/")
    text = Wording(f"searching {len(pictures)} micrographs without a model {told_of(kinds, job)}")
    missed = any(kind.is_missed for kind in kinds)
    log.log(logging.WARNING if missed else logging.INFO, "%s", text)
    rows = [
        (number, seen[image].micrograph_id, x, y, away, ICE if kind.is_ice else "")
        for number, kind in enumerate(kinds, 1)
        for (image, x, y), away in zip(_places(seen, kind), kind.away.tolist(), strict=True)
    ]
    told = [
        {"seen": len(k), "picked": round(k.picked, 3), "of_noise": round(k.of_noise, 1)}
        | ({"named": ICE} if k.is_ice else {})
        for k in kinds
    ]
    figures = repeated_figures(pictures, kinds, job)
    return Repeated(
        {"text": text.template, "searched": len(pictures), "kinds": told},
        figures,
        rows,
        missed,
    )


def _scale(one: StoredPicks | MicrographPicks) -> NDArray[np.float64]:
    """Return the picture's pixels a pixel of the micrograph, per axis."""
    assert one.preview is not None
    scale: NDArray[np.float64] = np.divide(one.preview.shape, one.shape)
    return scale


def _picture(
    one: StoredPicks | MicrographPicks, cut: Cut, diameter_A: float, contrast: Contrast
) -> Picture:
    assert one.preview is not None
    scale = _scale(one)
    picks: Picks = cut.select(one.picks)
    yx = np.stack([picks.y_px, picks.x_px], axis=1)[picks.selected]
    pixels = one.preview.astype(np.float32)
    return Picture(
        one.micrograph_id,
        -pixels if contrast == "light" else pixels,
        diameter_A / one.pixel_size_A * float(scale.mean()),
        yx * scale,
    )


def _places(
    seen: Sequence[StoredPicks | MicrographPicks], kind: Kind
) -> Iterable[tuple[int, float, float]]:
    """Yield the number of the result, column and row in the micrograph, of each member."""
    for image, yx in zip(kind.picture.tolist(), kind.yx, strict=True):
        y, x = (yx / _scale(seen[image])).tolist()
        yield image, x, y
