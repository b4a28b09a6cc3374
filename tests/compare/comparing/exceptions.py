"""Differences that are meant; each is listed here with its reason, and printed at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from comparing.differences import Difference


@dataclass(frozen=True)
class Expected:
    """A difference that is known and wanted.

    Parameters
    ----------
    case
        Name of the case; a pattern.
    file
        Name within the case's folder; a pattern, ``*`` matches ``/`` too.
    reason
        Why a user is better off, or not worse, with it.
    """

    case: str
    file: str
    reason: str

    def covers(self, case: str, difference: Difference) -> bool:
        """Tell whether a difference is this one."""
        return fnmatch(case, self.case) and fnmatch(difference.file, self.file)


EXCEPTIONS: tuple[Expected, ...] = (
    Expected(
        "help-texts",
        "steps/*_frostpick/std*",
        "the commands of the tasks stand together, select after them",
    ),
    Expected(
        "help-texts",
        "steps/*train/stdout",
        "--rounds, which is iterate, is taken and no longer shown",
    ),
    Expected(
        "help-texts",
        "steps/*_frostpick_*/stdout",
        "inputs are declared once: --particles shows the type of a list of files as others do",
    ),
    Expected(
        "help-texts",
        "steps/*_frostpick-relion-*/stdout",
        "a line says what the program does",
    ),
    Expected(
        "refusals",
        "steps/03_frostpick_pick/stderr",
        "a wrong threshold is told as any other wrong setting, before the job",
    ),
    Expected(
        "refusals",
        "*/.frostpick/*",
        "inputs that do not go together are refused before the folder is claimed",
    ),
    Expected(
        "from-python",
        "steps/01_python_script.py/std*",
        "more public names; calls in the order of before say what to write",
    ),
    Expected(
        "*iterate*",
        "*/report.html",
        "the model that rounds made is named by the round that it came of",
    ),
    Expected(
        "iterate",
        "steps/02_frostpick_train/stderr",
        "train with rounds says that it is iterate",
    ),
    Expected("pretrain-*", "*/report.html", "pretraining leaves a report"),
    Expected("pretrain-*", "*/run.json", "the seed that was used is recorded"),
    Expected(
        "examples",
        "out/pick/*",
        "a model in memory is recorded as one, not under the name of another",
    ),
    Expected(
        "relion-refusals",
        "steps/04_frostpick-relion-pick_job013/stderr",
        "no micrographs: the same sentence on every host, with the field's name",
    ),
    Expected(
        "cryosparc-prune",
        "*",
        "that the project is mounted is told once, not twice",
    ),
    Expected(
        "relion-refusals",
        "steps/02_frostpick-relion-pick_job011/stderr",
        "no diameter: the labels diameter and model, which a user of RELION types, not flags",
    ),
    Expected(
        "relion-fewshot",
        "steps/01_frostpick-relion-fewshot_job010/stdout",
        "the method chosen by auto: the label method, which a user of RELION types, not a flag",
    ),
)


def unused(exceptions: Sequence[Expected], seen: set[Expected]) -> list[Expected]:
    """Return the exceptions that no difference needed."""
    return [one for one in exceptions if one not in seen]
