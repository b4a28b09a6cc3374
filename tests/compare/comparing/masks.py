"""What may differ between two runs of the same code: times, dates, process ids, random names.

One table. Everything that it does not name must be equal to the byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatch


@dataclass(frozen=True)
class Mask:
    """A piece of text that is hidden before files are compared.

    Parameters
    ----------
    files
        Names within the case's folder that it applies to; ``*`` matches ``/`` too.
    pattern
        What is hidden. Where it has a group ``numbers``, only the numbers in that group are.
    reason
        Why it may differ.
    """

    files: tuple[str, ...]
    pattern: str
    reason: str

    def applies(self, name: str) -> bool:
        """Tell whether a file is masked by this."""
        return any(fnmatch(name, one) for one in self.files)

    def hide(self, text: str) -> str:
        """Return the text with what matches as ``#``."""
        return re.sub(self.pattern, _hidden, text, flags=re.MULTILINE)


RECORDS = ("*run.json", "*/frostpick.json", "*/.frostpick/*.json", "*.npz/about", "*.npz/about.npy")
SAID = ("steps/*/stdout", "steps/*/stderr", "server/*.json")
NUMBERS = r"(?P<numbers>(?:\{[^{}]*\}|[0-9.eE+-]+))"

MASKS = (
    Mask(RECORDS, r'(?<="started": )"[^"]*"', "time of day"),
    Mask(RECORDS, r'(?<="ended": )"[^"]*"', "time of day"),
    Mask(RECORDS, r'"(seconds|seconds_by_stage|wall_s|cpu_s)": ' + NUMBERS, "running times"),
    Mask(RECORDS, r'(?<="frostpick": )"[^"]*"(?=,\s*"python")', "version of the tree"),
    Mask(("*report.html",), r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "time of day"),
    Mask(("*report.html",), r"(?<=<dt>time</dt><dd>)(\d+ min )?[0-9.]+ s", "running time"),
    Mask(("*/.frostpick/lock",), r"^\d+(?= on )", "number of the process"),
    Mask(SAID, r"^.*: \d+ of \d+, \d+:\d\d:\d\d left.*\n", "which steps log depends on the pace"),
    Mask(SAID, r"^(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d(,\d+)?(?= )", "time of day, in logs"),
    Mask(SAID, r"(?<=going on after step )\d+", "where a signal met a training"),
    Mask(("*.csg",), r"(?<=^created: ).*", "time of day"),
    Mask(SAID, r"\(\d+ s in all\)", "running time"),
)


def masked(name: str, text: str) -> str:
    """Return a file's text with all that may differ hidden."""
    for mask in MASKS:
        if mask.applies(name):
            text = mask.hide(text)
    return text


def _hidden(match: re.Match[str]) -> str:
    if "numbers" not in match.re.groupindex:
        return "#" if not match[0].endswith("\n") else ""
    start, end = (place - match.start() for place in match.span("numbers"))
    whole = match[0]
    # Not within a name: a stage may be called "round 2".
    values = re.sub(r"(?<=: )[0-9.eE+-]+|^[0-9.eE+-]+$", "#", whole[start:end])
    return whole[:start] + values + whole[end:]
