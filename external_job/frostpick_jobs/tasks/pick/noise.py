"""How many of a job's selected picks are likely noise: said, and kept in the record."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from frostpick.errors import counted, first_of
from frostpick.picking.noise import NoiseEstimate, expected_noise
from frostpick.picking.null import NoiseSample
from frostpick.runtime.run_record import RunRecord
from frostpick_jobs.tasks.pick.threshold import Threshold

log = logging.getLogger(__name__)

#: Noise is warned of from this share of the picks on, which is surely passed by half of it.
ALARM, SURE = 0.1, 0.05
#: Fewest decoys that are evidence: of a job, and of a micrograph that is named.
FEWEST, FEWEST_OF_ONE = 3, 2
NAMED = 3
#: Word for the seconds of the second pass among those of a micrograph.
STAGE = "inverted"
MEANING = "a lower bound on false picks: junk is not counted"
LEARNED = "a model that has learned from these micrographs may make it too low"


def tell_noise(
    samples: Sequence[NoiseSample],
    threshold: Threshold,
    selected: int,
    record: RunRecord,
    *,
    learned: bool,
    seconds: Mapping[str, float],
) -> None:
    """Say how much noise there is at the threshold, warn of much, and note it in the record.

    Parameters
    ----------
    selected
        Picks of the whole job that the threshold selects.
    learned
        Whether the model may have learned from these micrographs.
    seconds
        Of the whole job by stage.
    """
    if not samples:
        return
    cuts = [threshold.of(one.micrograph_id).score for one in samples]
    found = expected_noise(samples, cuts)
    record.add(noise=as_record(found, selected, learned=learned))
    log.info("%s", sentence(found, selected, learned=learned))
    log.info(
        "to tell noise, %s searched with inverted contrast too, in %.1f s",
        counted(len(samples), "micrograph"),
        seconds.get(STAGE, 0.0),
    )
    warning = alarm(found, worst(samples, cuts))
    if warning:
        log.warning("%s", warning)
        record.warn(warning)


def as_record(found: NoiseEstimate, selected: int, *, learned: bool) -> dict[str, Any]:
    """Return the figures of a run record; a number that cannot be told is None."""
    shares = {"": found.expected, "_low": found.low, "_high": found.high}
    told = {f"share{end}": found.share(count) for end, count in shares.items()}
    return {
        "micrographs": found.micrographs,
        "picks": found.picks,
        "inverted": found.inverted,
        "decoys": found.decoys,
        "free_area": found.free,
        **{name: None if math.isnan(one) else one for name, one in told.items()},
        "selected": selected,
        "at_least": at_least(found, selected),
        "meaning": f"{MEANING}; {LEARNED}" if learned else MEANING,
    }


def at_least(found: NoiseEstimate, selected: int) -> int:
    """Return how many of the selected picks are noise at least: the lower end of the interval."""
    share = found.share(found.low)
    return 0 if math.isnan(share) or not found.decoys else int(share * selected)


def sentence(found: NoiseEstimate, selected: int, *, learned: bool) -> str:
    """Return in words how many of the selected picks are likely noise."""
    if not found.picks:
        return "noise: no pick reaches the threshold where it was looked for"
    if math.isnan(found.expected):
        return "noise: it cannot be told, for the picks leave no free area"
    least = at_least(found, selected)
    share, low, high = (found.share(one) for one in (found.expected, found.low, found.high))
    told, shown = (
        f"no clear sign of it among {selected:,} picks at the threshold",
        f"up to {high:.1%}",
    )
    if least:
        told = f"at the threshold, at least {least:,} of {selected:,} picks are likely noise"
        shown = f"expected {share:.1%}, 90% interval {low:.1%} to {high:.1%}"
    return f"noise: {told} ({shown}; {MEANING}{f'; {LEARNED}' if learned else ''})"


def worst(samples: Sequence[NoiseSample], cuts: Sequence[float]) -> list[str]:
    """Return the micrographs with a large share of noise, the largest first."""
    shares = []
    for sample, cut in zip(samples, cuts, strict=True):
        one = expected_noise([sample], cut)
        if one.decoys >= FEWEST_OF_ONE and one.expected >= ALARM * max(1, one.picks):
            shares.append((-one.expected / max(1, one.picks), sample.micrograph_id))
    return [name for _, name in sorted(shares)]


def alarm(found: NoiseEstimate, names: Sequence[str]) -> str | None:
    """Return the warning of a job whose picks are to a large part noise; None without one."""
    share, low = found.share(found.expected), found.share(found.low)
    if found.decoys < FEWEST or not (share >= ALARM and low >= SURE):  # NaN is neither
        return None
    where = f", most on {first_of(names, NAMED)}" if names else ""
    return (
        f"about {share:.0%} of the picks look like noise, at least {low:.0%}{where}: bad or "
        "empty ice, a wrong diameter, or too low a threshold; look at these micrographs, leave bad "
        "ones out, or select with a higher threshold"
    )
