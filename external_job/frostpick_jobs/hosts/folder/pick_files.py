"""The picks of a folder job: those of all micrographs in one pass, and on request one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from frostpick.errors import JobStopped
from frostpick.types import Micrograph, Picks
from frostpick_jobs.formats import csv_writer, star_list_writer, write_micrograph_star
from frostpick_jobs.inputs.names import star_path
from frostpick_jobs.job.outputs import MicrographOutput
from frostpick_jobs.job.written import WrittenNames

STARS, ALL, SELECTED = "star", "picks.csv", "picks.star"


class PickFiles:
    """The combined files, and on request ``star/<id>.star`` with each one's selected picks.

    A job that has such files, of an earlier run, keeps them up to date, asked to or not.

    Parameters
    ----------
    out
        The job's folder.
    spool
        Where the ids are noted whose files were written.
    each
        Whether a file for each micrograph is asked for.
    """

    def __init__(self, out: Path, spool: Path, *, each: bool = False) -> None:
        self._out, self._spool, self._asked = out, spool, each
        self._combined: CombinedFiles | None = None

    @cached_property
    def _written(self) -> WrittenNames:
        return WrittenNames(self._spool / "written.txt")

    @cached_property
    def _each(self) -> bool:
        return self._asked or (len(self._written) > 0 and (self._out / STARS).is_dir())

    def add(self, output: MicrographOutput) -> None:
        """Add a micrograph to the combined files, and write its own where there are such."""
        if self._each:
            path = star_path(self._out / STARS, output.micrograph.id)
            self._written.note(output.micrograph.id)
            write_micrograph_star(path, selected(output), output.shape)
        self._combined = self._combined or CombinedFiles(self._out)
        self._combined.add(output)

    def foreign(self, micrographs: Iterable[Micrograph]) -> Iterator[Path]:
        """Yield the files of micrographs that this job would write and did not write before."""
        if not self._each:
            return
        new = (one.id for one in micrographs if one.id not in self._written)
        yield from (star_path(self._out / STARS, one) for one in new)

    def complete(self) -> None:
        """Put the combined files in place, and take back those of micrographs that are gone."""
        combined, self._combined = self._combined or CombinedFiles(self._out), None
        combined.close()
        if self._each:
            self._remove_stale(combined.ids)

    def discard(self) -> None:
        """Remove what is not complete; the combined files of an earlier run stay."""
        if self._combined is not None:
            self._combined.discard()

    def _remove_stale(self, current: Iterable[str]) -> None:
        """Remove the files of micrographs that are no longer in the job."""
        for micrograph_id in self._written.stale(current):
            path = star_path(self._out / STARS, micrograph_id)
            path.unlink(missing_ok=True)
            for folder in _parents_below(path, self._out / STARS):
                if any(folder.iterdir()):
                    break
                folder.rmdir()
        self._written.keep_only(current)


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
            self._write_star = files.enter_context(star_list_writer(out / SELECTED))
            self._write_csv = files.enter_context(csv_writer(out / ALL))
            self._files = files.pop_all()

    def add(self, output: MicrographOutput) -> None:
        """Write one micrograph's picks."""
        self.ids.append(output.micrograph.id)
        picks = output.picks
        # With --output-picks all the native outputs hold all; this table tells them apart.
        self._write_csv(picks if output.cut is None else output.cut.select(picks))
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


def _parents_below(path: Path, top: Path) -> Iterator[Path]:
    """Return the folders above ``path`` that are below ``top``, the innermost first."""
    folder = path.parent
    while folder != top and folder.is_dir():
        yield folder
        folder = folder.parent
