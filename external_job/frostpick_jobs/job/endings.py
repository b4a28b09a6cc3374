"""How a program ends: one table of the statuses that it leaves, for every host and command."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass

from frostpick.errors import FrostpickError, first_of, option, spelled
from frostpick_jobs.job.spelling import spelling

COMPLETE, FAILED, USAGE, PARTIAL, NOTHING_YET = range(5)
#: Of a stop that no signal asked for: the program that a job works for did, or a keyboard.
STOPPED = 128 + signal.SIGINT

MOST_NAMED = 10


@dataclass(frozen=True)
class Ending:
    """One row of the table.

    Parameters
    ----------
    status
        Of the program, or several.
    meaning
        In words.
    relion, cryosparc
        What the two programs show; they do not look at the status.
    """

    status: str
    meaning: str
    relion: str
    cryosparc: str


ENDINGS = (
    Ending(
        "0",
        "complete, also where single inputs could not be used: each is named, the last lines "
        "count them",
        "Succeeded",
        "completed",
    ),
    Ending("1", "refused, failed, or none of the inputs could be used", "Failed", "failed"),
    Ending("2", "wrong usage: an option or value that is not understood", "Failed", "no job"),
    Ending(
        "3",
        f"parts are missing, or {option('strict')} and single inputs could not be used",
        "Succeeded, a warning in run.err and logfile.pdf",
        "completed, a warning in the log",
    ),
    Ending(
        "4",
        f"nothing to do yet: a round of a session that still grows ({option('live')}, a Scheme) "
        "in which nothing could be used",
        "Succeeded, a warning in run.err and logfile.pdf",
        "completed, a warning in the log",
    ),
    Ending(
        "129, 130, 143",
        "stopped by a hang-up, by Ctrl-C or the host, by SIGTERM; it continues",
        "Aborted where RELION asked for it, else Failed",
        "failed or killed",
    ),
)


def help_text(host: str = "folder") -> str:
    """Return the table for the end of a help text, with options as a host spells them."""
    text = "; ".join(f"{one.status} {one.meaning}" for one in ENDINGS)
    return f"Exit status: {spelled(text, spelling(host))}."


class NothingYet(FrostpickError):
    """A round of a session that still grows found nothing to do: no failure, and no result."""


def unused_inputs(failed: Mapping[str, object], *, named: bool = False) -> str:
    """Return what is told at the end of inputs that could not be used, empty for none.

    Parameters
    ----------
    named
        Name some of them; else that was done before.
    """
    if not failed:
        return ""
    if len(failed) == 1:
        return f"1 micrograph could not be used: {next(iter(failed))}"
    count = f"{len(failed)} micrographs could not be used"
    if not named:
        return f"{count}, each named above"
    return f"{count}: {first_of(list(failed), MOST_NAMED)}"
