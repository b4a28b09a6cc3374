"""``frostpick``: the program. It settles streams and signals, and only then imports the rest."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from frostpick_jobs.cli.process import Stopped, open_streams, stopping_in_order


def __getattr__(name: str) -> Any:
    """Return the command line itself, ``app`` or ``frostpick_app``, imported when asked for."""
    if name not in ("app", "frostpick_app"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from frostpick_jobs.cli import app

    return getattr(app, name)


def main() -> None:
    """Run the command line; what is no bug is one sentence, and a status of the endings."""
    open_streams()
    try:
        with stopping_in_order():
            status = _run()
    except Stopped as stop:
        print(f"frostpick: {stop}", file=sys.stderr)
        status = stop.status
    sys.exit(status)


def _run() -> int | str | None:
    from frostpick.errors import ConfigError, FrostpickError, JobStopped
    from frostpick_jobs.job.endings import FAILED, USAGE

    command_line = getattr(sys.modules[__name__], "app")  # noqa: B009
    try:
        command_line()
    except SystemExit as leaving:
        return leaving.code
    except (FrostpickError, OSError, MemoryError, JobStopped) as error:
        from frostpick_jobs.job.lifecycle import is_stop, sentence, status_of_stop

        host = "cryosparc" if "cryosparc" in sys.argv[1:2] else "folder"
        print(f"frostpick: {sentence(error, Path(), host)}", file=sys.stderr)
        if is_stop(error):
            return status_of_stop(error)
        return USAGE if isinstance(error, ConfigError) else FAILED
    return 0


if __name__ == "__main__":
    main()
