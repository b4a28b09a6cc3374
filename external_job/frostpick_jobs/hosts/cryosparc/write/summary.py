"""What the event log says when a job is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from frostpick_jobs.hosts.cryosparc.read.exposures import Exposures
from frostpick_jobs.hosts.cryosparc.write.pick_table import PickRows

MOST_LISTED = 20

INSPECT = (
    "In Inspect Picks: switch 'Calibrate Pick Score to CTF' and 'Calibrate Power Score to CTF' "
    "off, leave the upper limit of the power at its maximum, and move the lower one: power is "
    "frostpick's score (log-odds; {threshold:.3f} gives the picks of 'particles'), the pick score "
    "is the probability."
)


def pick_summary(
    rows: PickRows,
    exposures: Exposures,
    picked: NDArray[np.int64],
    failed: Mapping[str, str],
    threshold: float,
    kept: int = 0,
) -> list[str]:
    """Return the lines of the end of a picking job.

    Parameters
    ----------
    picked
        ``(m,)`` rows of the exposures that were picked.
    failed
        Micrograph id -> reason.
    kept
        How many micrographs have another threshold.
    """
    counts = np.bincount(rows.exposure[rows.selected], minlength=len(exposures))[picked]
    lines = [
        table(
            [
                ("micrographs picked", f"{len(picked)}"),
                ("micrographs that failed", f"{len(failed)}"),
                ("picks above the floor", f"{len(rows)}"),
                ("picks selected", f"{int(rows.selected.sum())}"),
                ("selected per micrograph", _spread(counts)),
                ("threshold (score, = power)", f"{threshold:.3f}"),
            ]
        )
    ]
    without = [str(exposures.path[row]) for row in picked[counts == 0].tolist()]
    lines.append(listed("micrographs without a selected pick", without))
    row_of = exposures.rows()
    names = [f"{exposures.path[row_of[m]]}: {why}" for m, why in failed.items() if m in row_of]
    if names:
        lines.append(listed("micrographs that failed; resume the job to try again", names))
    told = f" {kept} micrographs have another threshold: see micrographs.csv." if kept else ""
    lines.append(INSPECT.format(threshold=threshold) + told)
    return lines


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Return two columns, aligned."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def listed(title: str, names: Sequence[str]) -> str:
    """Return a count and at most 20 names."""
    more = [f"... and {len(names) - MOST_LISTED} more"] if len(names) > MOST_LISTED else []
    return "\n".join([f"{title}: {len(names)}", *names[:MOST_LISTED], *more])


def _spread(counts: NDArray[np.int64]) -> str:
    if len(counts) == 0:
        return "-"
    return f"{counts.mean():.1f} (median {np.median(counts):g}, {counts.min()} to {counts.max()})"
