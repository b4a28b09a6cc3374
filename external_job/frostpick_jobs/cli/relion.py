"""``frostpick-relion-train``, ``-iterate``, ``-pick`` and so on: the programs of External jobs.

RELION never looks at the exit status: a job that leaves no exit file in its
folder runs for ever. So this module imports next to nothing, finds the folder in
the command line by hand, and only then starts what can fail: the declarations of
the tasks too. A task that is declared for RELION needs one line in ``pyproject.toml``::

    frostpick-relion-TASK = "frostpick_jobs.cli.relion:TASK_main"
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from frostpick_jobs.cli.process import Stopped, open_streams, stopping_in_order
from frostpick_jobs.hosts.relion import markers
from frostpick_jobs.hosts.relion.arguments import parallel_rank


def __getattr__(name: str) -> Callable[[], NoReturn]:
    """Return the program of a task, ``train_main`` for the task ``train``."""
    task = name.removesuffix("_main")
    if task in ("", name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def program() -> NoReturn:
        sys.exit(guarded(task, sys.argv[1:]))

    return program


def guarded(task: str, argv: Sequence[str]) -> int:
    """Run a job so that its folder holds an exit file afterwards, whatever happens."""
    if parallel_rank() > 0:
        return 0
    open_streams()
    job = job_folder(argv)
    try:
        if job is not None:
            job.mkdir(parents=True, exist_ok=True)
            markers.clear(job)
        with stopping_in_order(lambda: mark_failed(job)):
            from frostpick_jobs.cli.relion_job import BUSY, run_relion_job

            status = run_relion_job(task, argv)
        if status == BUSY:
            return 1
    except Stopped as stop:
        print(f"frostpick: {stop}", file=sys.stderr, flush=True)
        status = stop.status
    except SystemExit as leaving:
        # --help and --version leave with 0; as a parameter label they still did no work.
        status = 1 if leaving.code else 0
        if leaving.code:
            print(f"frostpick: {leaving.code}", file=sys.stderr, flush=True)
    except BaseException as error:
        if "--debug" in argv:
            traceback.print_exc()
        print(f"frostpick: {_sentence(error)}", file=sys.stderr, flush=True)
        _note(job, _sentence(error))
        # A command line that is not understood: what a job refuses is told by the job.
        status = 2 if type(error).__name__ == "ConfigError" else 1
    mark_failed(job)
    return status


def mark_failed(job: Path | None) -> None:
    """Leave the exit file of a failure where there is none yet."""
    if job is not None and job.is_dir() and not markers.present(job):
        markers.mark(job, markers.FAILURE)


def _note(job: Path | None, text: str) -> None:
    """Leave in the log of a job what stopped it before it was one."""
    if job is not None and job.is_dir():
        with suppress(Exception):
            from frostpick_jobs.job.journal import note_in_log

            note_in_log(job, "ERROR", text)


def job_folder(argv: Sequence[str]) -> Path | None:
    """Find the job folder without a parser: the word after the last ``--o``."""
    found = None
    for word, following in zip(argv, [*argv, ""][1:], strict=True):
        text = following if word == "--o" else word[4:] if word.startswith("--o=") else ""
        if text.strip() and not text.startswith("--"):
            found = Path(text)
    return found


def _sentence(error: BaseException) -> str:
    """One line: our own errors speak for themselves, others need their kind as well."""
    if type(error).__module__ == "frostpick.errors":
        from frostpick.errors import spelled
        from frostpick_jobs.job.spelling import in_relion

        return spelled(error, in_relion)
    return f"{type(error).__name__}: {error}; if this is not expected, repeat with --debug yes"


def main() -> NoReturn:
    """``python -m frostpick_jobs.cli.relion TASK ...``: without installation."""
    sys.exit(guarded(next(iter(sys.argv[1:]), ""), sys.argv[2:]))


if __name__ == "__main__":
    main()
