"""Where the log goes when a person reads it."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, TextIO

from frostpick_jobs.cli.notes import send_log_to
from frostpick_jobs.job.spelling import SpelledFormatter

if TYPE_CHECKING:
    _Handler = logging.StreamHandler[TextIO]
else:
    # Python 3.10 cannot subscript it when it runs.
    _Handler = logging.StreamHandler


class _Stderr(_Handler):
    """Write to what standard error is at that moment: a progress bar takes its place."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self.stream = sys.stderr
        super().emit(record)


def log_to_terminal(host: str = "folder") -> None:
    """Send the log of both packages to standard error, with options as ``host`` has them.

    Standard output is for results. What libraries warn of becomes notes (`LibraryNotes`).
    """
    handler = _Stderr()
    handler.setFormatter(SpelledFormatter(host))
    send_log_to(handler)
