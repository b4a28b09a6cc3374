"""``frostpick clean``: removes what a finished job keeps only to go on, and says how much."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from frostpick.errors import InputError, counted, option
from frostpick_jobs.hosts.folder.host import RECORD, SPOOL
from frostpick_jobs.job.cleaned import note_cleaned
from frostpick_jobs.job.lock import job_lock
from frostpick_jobs.job.output_folder import claimed_by
from frostpick_jobs.store.packed_folder import PackedFolder
from frostpick_jobs.store.pick_store import RESULTS
from frostpick_jobs.tasks.pick.prepare import DELIVERED

#: Below a spool, what only a job that goes on reads: states of trainings, images that are
#: prepared for them, rounds, the model of few-shot picking, scores of a pruning, downloads.
FOR_RESUME = (
    *("training", "training_judging", "rounds", "rounds_judging", "model", "downloads"),
    *("pruning/scores", "pruning/fitted"),
)
#: What others read as well: finished picks and rows (select, audit), copies of shipped models,
#: by which a job that goes on means the same weights.
FOR_OTHERS = (RESULTS, "pruning", "models", f"{DELIVERED}.json", "figures.json")
#: Files that frostpick writes there; whatever else is found stays.
_OURS = re.compile(r".+\.(npz|npy|json|safetensors|csv|zip)|\..+\.\d+\.tmp|frostpick-\S+\.tmp")
_PICKS = ("pick", "fewshot")
#: What a task does that is given again.
_AGAIN = {
    "pick": "picks what is new",
    "fewshot": "trains anew, and picks anew with what it makes",
    "train": "trains anew",
    "iterate": "trains all rounds anew",
    "prune": "scores all rows anew",
    "verify": "scores all rows anew",
    "pretrain": "trains anew",
}


@dataclass(frozen=True)
class Cleaning:
    """What would be removed of a job.

    Parameters
    ----------
    files
        Below the spool.
    size
        Their bytes.
    foreign
        Files among them that frostpick did not write; they stay.
    kept, kept_size
        How many files, and bytes, are kept that ``everything`` would remove too.
    """

    spool: Path
    task: str
    everything: bool
    files: tuple[Path, ...]
    size: int
    foreign: tuple[Path, ...]
    kept: int
    kept_size: int

    def told(self) -> list[str]:
        """Return what a user reads before the answer."""
        found = f"{counted(len(self.files), 'file')}, {_bytes(self.size)}, to remove"
        lines = [f"{self.spool}: {found if self.files else 'nothing to remove'}"]
        if self.files:
            lines.append("Tables, models and reports stay as they are.")
        if self.files and self.everything:
            lines.append(
                "After that select and audit no longer go, and the same command does all anew."
            )
        elif self.files:
            lines.append(f"After that the same command {_AGAIN[self.task]}.")
        if self.kept and not self.everything:
            lines.append(
                f"Kept for select, audit and new micrographs: {counted(self.kept, 'file')}, "
                f"{_bytes(self.kept_size)}; {option('everything')} removes them too."
            )
        if self.foreign:
            lines.append(
                f"Not written by frostpick, and left: {self.foreign[0]}"
                + (f" and {len(self.foreign) - 1} more" if len(self.foreign) > 1 else "")
            )
        return lines


@contextmanager
def cleaning(out: Path, *, everything: bool = False) -> Iterator[Cleaning]:
    """Look what a job can do without; it cannot be started while the block runs.

    Parameters
    ----------
    out
        The output folder of a job, the folder of a RELION job, or what a CryoSPARC job keeps
        on this machine.
    everything
        Also what select and audit read, and the work of a job that did not come to its end.

    Raises
    ------
    InputError
        No job is here; or it did not come to its end, and ``everything`` is not asked for.
    JobRunningError
        It is running.
    """
    spool = _spool(out)
    task = claimed_by(spool)
    if task is None:
        raise InputError(f"{out}: no job of frostpick here; expected the output folder of one")
    with job_lock(spool):
        files, foreign = _below(spool, FOR_RESUME)
        if not (everything or _came_to_its_end(spool, task, files)):
            raise InputError(
                f"{out}: the {task} here did not come to its end, and what it keeps is all its "
                "work; give its command again to finish it, or say "
                f"{option('everything')} to give it up"
            )
        if task in _PICKS and not everything:
            PackedFolder(spool / RESULTS).settle(all_of_it=True)
        others, more = _below(spool, FOR_OTHERS)
        others = [one for one in others if one not in set(files)]
        if everything:
            files, others = [*files, *others], []
            foreign = [*foreign, *more]
        foreign = list(dict.fromkeys(foreign))
        yield Cleaning(
            spool,
            task,
            everything,
            tuple(files),
            _size(files),
            tuple(foreign),
            len(others),
            _size(others),
        )


def remove(what: Cleaning) -> int:
    """Remove what `cleaning` found, within its block; return the number of files removed.

    What says that there are finished picks goes first, so that a kill in between leaves no job
    that seems to have them.
    """
    if what.everything:
        note_cleaned(what.spool)
    first = what.spool / f"{DELIVERED}.json"
    for path in sorted(what.files, key=lambda one: one != first):
        path.unlink(missing_ok=True)
    for folder in sorted({p for one in what.files for p in one.parents}, reverse=True):
        if what.spool in folder.parents and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return len(what.files)


def _spool(out: Path) -> Path:
    """Return the hidden folder of a job, or ``out`` where that is one (CryoSPARC)."""
    return out if claimed_by(out) is not None else out / SPOOL


def _came_to_its_end(spool: Path, task: str, files: Iterable[Path]) -> bool:
    """Tell whether a job was delivered, and has done nothing since."""
    if task in _PICKS and not (spool / f"{DELIVERED}.json").is_file():
        return False
    record = spool.parent / RECORD
    if not record.is_file():
        return task in _PICKS
    last = max((one.stat().st_mtime_ns for one in files), default=0)
    return last <= record.stat().st_mtime_ns


def _below(spool: Path, names: Iterable[str]) -> tuple[list[Path], list[Path]]:
    """Return the files of frostpick in some places of a spool, and others; links are others."""
    ours: list[Path] = []
    others: list[Path] = []
    for name in names:
        place = spool / name
        if place.is_symlink():
            others.append(place)
            continue
        if place.is_file():
            ours.append(place)
        for folder, folders, files in os.walk(place):
            linked = [one for one in folders if Path(folder, one).is_symlink()]
            others += [Path(folder, one) for one in linked]
            for one in files:
                path = Path(folder, one)
                is_ours = _OURS.fullmatch(one) is not None and not path.is_symlink()
                (ours if is_ours else others).append(path)
    return sorted(ours), sorted(others)


def _size(files: Iterable[Path]) -> int:
    return sum(one.stat().st_size for one in files)


def _bytes(size: int) -> str:
    """Return a size as text, in powers of 1000."""
    for unit, value in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= value:
            return f"{size / value:.1f} {unit}"
    return counted(size, "byte")
