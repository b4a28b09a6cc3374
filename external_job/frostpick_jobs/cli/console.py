"""Where the log goes when a person reads it."""

from __future__ import annotations

import logging
import sys


def log_to_terminal() -> None:
    """Send the log of both packages to standard error; standard output is for results."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for package in ("frostpick", "frostpick_jobs"):
        logging.getLogger(package).setLevel(logging.INFO)
    logging.captureWarnings(True)
