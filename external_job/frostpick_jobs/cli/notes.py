"""What libraries warn of, in one clean line each.

Their own words hold paths of this machine and lines of their source, and what they tell of a
file or of a server is told by this program as well, in a sentence.
"""

from __future__ import annotations

import logging
import re
from collections import Counter

from frostpick_jobs.job.journal import LOGGERS

log = logging.getLogger(__name__)

#: Libraries whose warnings are for developers alone: what they warn of is told otherwise.
QUIET = ("cryosparc", "httpx", "httpcore", "urllib3")
#: Notes of one library that are shown; of thousands of files each may have one.
MOST = 5
#: How Python writes a warning: file, line, category, text; then the line of the source.
_WARNING = re.compile(r"(?P<file>.*?):\d+: \w+: (?P<text>.*)", re.DOTALL)
_SOURCE = re.compile(r"\n  [^\n]*\n?$")
_PACKAGE = re.compile(r"(?:site|dist)-packages[/\\](\w+)")
_FOLDERS = re.compile(r"(?<![\w:/.<])(?:[A-Za-z]:)?/(?:[^\s/:'\"<>]+/)+")


def is_ours(record: logging.LogRecord) -> bool:
    """Tell whether a record is of this program, not of a library."""
    return record.name.split(".")[0] in LOGGERS


class LibraryNotes(logging.Handler):
    """Logs what libraries warn of again, as this program's own news (`note_of`)."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._shown: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Take up one record of a library."""
        if is_ours(record):
            return
        try:
            self._note(*note_of(record))
        except Exception:
            self.handleError(record)

    def _note(self, library: str, text: str) -> None:
        if library in QUIET:
            log.debug("%s: %s", library, text)
            return
        self._shown[library] += 1
        if self._shown[library] <= MOST:
            log.info("note of %s: %s", library, text)
        elif self._shown[library] == MOST + 1:
            log.info("more notes of %s are not shown", library)


def send_log_to(*handlers: logging.Handler) -> None:
    """Give the whole log of the process to handlers: news of this program, notes of libraries."""
    for handler in handlers:
        handler.addFilter(is_ours)
    root = logging.getLogger()
    root.handlers[:] = [*handlers, LibraryNotes()]
    root.setLevel(logging.WARNING)
    for package in LOGGERS:
        logging.getLogger(package).setLevel(logging.INFO)
    logging.captureWarnings(True)


def note_of(record: logging.LogRecord) -> tuple[str, str]:
    """Return the library that warns, and what it says: one line, files without their folders."""
    said, library = record.getMessage(), record.name.split(".")[0]
    if record.name == "py.warnings":
        found = _WARNING.match(said)
        package = _PACKAGE.search(said) if found is None else _PACKAGE.search(found["file"])
        library = package[1] if package else "Python"
        said = said if found is None else _SOURCE.sub("", found["text"])
    line = " ".join(said.split())
    return library, _FOLDERS.sub("", line)[:500]
