"""Do the coordinates that a job was given fit its images? One check for all tasks and hosts."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError, MicrographError, Wording, counted, option
from frostpick.images import PixelSizes
from frostpick.picking.places import CLEAR, Looked, Verdict, judge, look, weigh
from frostpick.picking.read import read_with_pixel_size
from frostpick.picking.readings import GIVEN, Reading
from frostpick.runtime.evenly_spread import evenly_spread
from frostpick.runtime.reporter import Reporter
from frostpick.runtime.run_record import RunRecord
from frostpick.settings import ScaleSettings
from frostpick.types import Labels, Micrograph, Picks, at_hand
from frostpick_jobs.job.host import Host

log = logging.getLogger(__name__)

#: Most micrographs that are looked at, of those that must be fetched first, and most positions
#: on each.
MOST, MOST_FETCHED, POSITIONS = 8, 6, 100
#: Fewer positions than this on a spread of micrographs: those with most of them are looked at.
FEW = 30
#: So many positions that fit this much better than chance need no other micrograph.
ENOUGH, CERTAIN = 15, 2 * CLEAR
#: So many positions all in this part of columns and rows from pixel 0 are no chance.
CORNER_POSITIONS, CORNER = 20, 0.7
#: Pixel sizes nearer to each other than this are one.
SAME = 0.01


def check_places(
    host: Host,
    record: RunRecord,
    micrographs: Sequence[Micrograph],
    positions: Mapping[str, Picks],
    settings: ScaleSettings,
    *,
    diameter_A: float | None,
    what: str,
) -> None:
    """Warn, in log and record, where another reading of the positions fits the images better.

    Parameters
    ----------
    positions
        By micrograph id, in pixels of those micrographs.
    diameter_A
        Longest dimension of the particle; without one nothing is looked at.
    what
        Word for the positions: labels, exemplars, picks, good examples.

    Raises
    ------
    InputError
        Most of the positions lie outside their micrographs.
    """
    if diameter_A is None:
        return
    looked = look_at(
        micrographs,
        positions,
        diameter_A,
        host.reporter,
        pixel_size_A=settings.pixel_size,
    )
    if not looked:
        return
    verdict = judge(looked)
    if 2 * verdict.outside > verdict.positions:
        raise InputError(_outside(verdict, what, _remedy(host, settings, looked[0], verdict)))
    warning = _told(verdict, what, _remedy(host, settings, looked[0], verdict), host, settings)
    if warning is not None:
        log.warning("%s", warning)
        record.warn(warning)
    elif verdict.given > CLEAR:
        log.info(
            "coordinates and images belong together: looked at %d %s on %s, %.0f standard errors "
            "from chance",
            verdict.positions,
            what,
            counted(verdict.micrographs, "micrograph"),
            verdict.given,
        )


def look_at(
    micrographs: Sequence[Micrograph],
    positions: Mapping[str, Picks],
    diameter_A: float,
    reporter: Reporter | None = None,
    *,
    pixel_size_A: float | None = None,
) -> list[Looked]:
    """Read some micrographs with positions, until these fit certainly; unreadable ones are left.

    Parameters
    ----------
    reporter
        Asked at each micrograph whether to stop.
    pixel_size_A
        Of micrographs of which neither host nor header knows it.
    """
    sizes = PixelSizes(pixel_size_A, quiet=True)
    looked: list[Looked] = []
    for micrograph in _chosen(micrographs, positions):
        if reporter is not None:
            reporter.check()
        xy = _xy(positions[micrograph.id])
        xy = xy[:: max(1, -(-len(xy) // POSITIONS))]
        try:
            image, pixel = read_with_pixel_size(micrograph, sizes)
            looked.append(look(image.data, pixel, diameter_A, xy, micrograph.id))
        except MicrographError as error:
            log.debug("places: %s", error)  # it is told where its pixels are needed
            continue
        if sum(len(one.xy) for one in looked) >= ENOUGH and weigh(looked, GIVEN) >= CERTAIN:
            break
    return looked


def mirrored_sentence(verdict: Verdict, what: str, flip_y: bool | None) -> Wording:
    """Say that positions fit upside down; ``flip_y`` as of `Host.flip_y`."""
    return Wording(f"{_fits(verdict, what, 'upside down')}: {_turned(flip_y)}")


def _chosen(
    micrographs: Sequence[Micrograph], positions: Mapping[str, Picks]
) -> Sequence[Micrograph]:
    count = {name: len(_xy(one)) for name, one in positions.items()}
    there = [one for one in micrographs if count.get(one.id)]
    most = MOST if all(at_hand(one.source) for one in there) else MOST_FETCHED
    chosen = evenly_spread(there, most)
    if sum(count[one.id] for one in chosen) < FEW:
        chosen = sorted(there, key=lambda one: -count[one.id])[:most]
    return chosen


def _xy(picks: Picks) -> NDArray[np.float64]:
    xy = np.column_stack([picks.x_px, picks.y_px])
    return xy[picks.sign > 0] if isinstance(picks, Labels) else xy


def _told(
    verdict: Verdict, what: str, remedy: str, host: Host, settings: ScaleSettings
) -> Wording | None:
    if verdict.reading is not None:
        return Wording(f"{_fits(verdict, what, _how(verdict.reading))}: {remedy}")
    unsure = verdict.given <= CLEAR and not host.fractions and _asked(settings) is None
    if unsure and verdict.positions >= CORNER_POSITIONS and 0 < verdict.reach < CORNER:
        return Wording(
            f"all {what} looked at lie in the first {100 * verdict.reach:.0f} % of the columns and "
            "rows; if they were picked on binned images, give their pixel size as "
            f"{option('picks_pixel_size')}"
        )
    return None


def _fits(verdict: Verdict, what: str, how: str) -> str:
    micrographs = counted(verdict.micrographs, "micrograph")
    return (
        f"the {verdict.positions} {what} looked at, on {micrographs}, fit "
        f"the images {how} ({verdict.best:.1f} standard errors from chance) and not as they are "
        f"({verdict.given:.1f})"
    )


def _outside(verdict: Verdict, what: str, remedy: str) -> str:
    start = f"{verdict.outside} of the {verdict.positions} {what} looked at lie outside their"
    if verdict.reading is None:
        return f"{start} micrographs; if they were made on images of another size, {remedy}"
    return f"{start} micrographs, and they fit the images {_how(verdict.reading)}: {remedy}"


def _how(reading: Reading) -> str:
    if reading.kind == "mirrored":
        return "upside down"
    if reading.kind == "exchanged":
        return "with x and y exchanged"
    if reading.ratio >= 1:
        return f"{reading.ratio:.3g} times as large, as of images binned by {reading.ratio:.3g}"
    return f"{1 / reading.ratio:.3g} times smaller, as of images with so many times the pixels"


def _remedy(host: Host, settings: ScaleSettings, one: Looked, verdict: Verdict) -> str:
    """Return what to do, as a clause: by an option where the host has one."""
    reading = verdict.reading or Reading("scaled")
    if reading.kind == "mirrored":
        return _turned(host.flip_y)
    if reading.kind == "exchanged":
        return "exchange the two columns " + _where(host)
    if host.fractions:
        return "import them with the micrographs that they were made on"
    pixel = one.sampling.pixel_A_yx[0] / one.sampling.step_yx[0]
    size = reading.ratio * (_asked(settings) or pixel)
    if verdict.reading is None:
        return f"give their pixel size as {option('picks_pixel_size')}"
    if abs(size / pixel - 1) < SAME:
        return f"leave out {option('picks_pixel_size')}"
    return f"give their pixel size as {option('picks_pixel_size', f'{size:.4g}')}"


def _turned(flip_y: bool | None) -> str:
    if flip_y is None:
        return "write y as rows - 1 - y in their file"
    return ("leave out " if flip_y else "if so, repeat with ") + option("flip_y")


def _where(host: Host) -> str:
    return "where they were imported from" if host.fractions else "of their file"


def _asked(settings: ScaleSettings) -> float | None:
    """Return the pixel size that the positions were said to be of."""
    return getattr(settings, "picks_pixel_size", None)
