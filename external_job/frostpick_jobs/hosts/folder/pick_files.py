"""The files of a folder job that hold the picks of all micrographs, written in one pass."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from frostpick.errors import JobStopped
from frostpick.picking.threshold import Cut
from frostpick.types import Picks
from frostpick_jobs.formats import csv_writer, star_list_writer
from frostpick_jobs.job.host import MicrographOutput


class CombinedFiles:
    """``picks.csv``, all picks, and ``picks.star``, the selected ones.

    What was there before stays until `close`.

    Parameters
    ----------
    out
        The job's folder.
    """

    def __init__(self, out: Path) -> None:
        #: Micrographs written so far, in order.
        self.ids: list[str] = []
        with ExitStack() as files:
            # The one opened last is the first to get its name.
            self._write_star = files.enter_context(star_list_writer(out / "picks.star"))
            self._write_csv = files.enter_context(csv_writer(out / "picks.csv"))
            self._files = files.pop_all()

    def add(self, output: MicrographOutput) -> None:
        """Write one micrograph's picks."""
        self.ids.append(output.micrograph.id)
        picks = output.picks
        # With --write all the native outputs hold all; this table tells them apart.
        self._write_csv(picks if output.threshold is None else Cut(output.threshold).select(picks))
        self._write_star(selected(output), output.shape)

    def close(self) -> None:
        """Put both files in place of those of an earlier run."""
        self._files.close()

    def discard(self) -> None:
        """Remove what was written; the files of an earlier run stay."""
        self._files.__exit__(JobStopped, JobStopped("not all micrographs are written"), None)


def selected(output: MicrographOutput) -> Picks:
    """Return the selected picks of an output."""
    return output.picks.keep(output.picks.selected)
