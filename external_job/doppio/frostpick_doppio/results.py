"""What a job has left in its folder, read with the standard library and the pipeliner's reader."""

from __future__ import annotations

import csv
import json
import math
import os
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from pipeliner.starfile_handler import StarFile

LIST_FILE, RECORD, REPORT, SCORES = "autopick.star", "run.json", "report.html", "scores.csv"
#: Files by which a job ends without success.
_ENDED = (
    "PIPELINER_JOB_EXIT_FAILED",
    "PIPELINER_JOB_EXIT_ABORTED",
    "RELION_JOB_EXIT_FAILURE",
    "RELION_JOB_EXIT_ABORTED",
)
#: How a run record marks an option inside a sentence.
_MARK = re.compile("⟦([^⟧=]+)(?:=([^⟧]*))?⟧")


@dataclass(frozen=True)
class MicrographPicks:
    """The picks of a micrograph.

    Parameters
    ----------
    micrograph, file
        The image and its coordinate file, from the project's folder.
    places
        Pixels of the micrograph, x along the columns and y along the rows.
    scores
        Log-odds of being a particle, in the same order; empty where the file has none.
    """

    micrograph: str
    file: str
    places: List[Tuple[float, float]]
    scores: List[float]


def record_of(job: str) -> Dict[str, Any]:
    """Return the run record of a job; empty while there is none."""
    try:
        with open(os.path.join(job, RECORD), encoding="utf-8") as handle:
            record: Dict[str, Any] = json.load(handle)
    except (OSError, ValueError):
        return {}
    return record


def warnings_of(record: Dict[str, Any]) -> List[str]:
    """Return the warnings of a run record, with options by their names."""
    return [_MARK.sub(_named, str(text)) for text in record.get("warnings") or ()]


def _named(mark: "re.Match[str]") -> str:
    return f"{mark[1]} = {mark[2]}" if mark[2] else mark[1]


def unfinished(job: str) -> Tuple[str, str]:
    """Return how a job without results stands, and why: the last line of ``run.err``."""
    if not any(os.path.isfile(job + one) for one in _ENDED):
        return "frostpick is at work; the log tells how far it is", "no result yet"
    try:
        with open(job + "run.err", encoding="utf-8", errors="replace") as handle:
            lines = [line.strip() for line in handle if line.strip()]
    except OSError:
        lines = []
    return "frostpick has not finished this job", lines[-1] if lines else "see run.out"


def picks_of(job: str) -> List[MicrographPicks]:
    """Return the picks of a job, in the order of its list; none where it has no list yet."""
    path = os.path.join(job, LIST_FILE)
    if not os.path.isfile(path):
        return []
    columns = ["_rlnMicrographName", "_rlnMicrographCoordinates"]
    rows = StarFile(path).loop_as_list(block="coordinate_files", columns=columns)
    return [_read_picks(micrograph, file) for micrograph, file in rows]


def _read_picks(micrograph: str, file: str) -> MicrographPicks:
    block = StarFile(file).get_block()
    x, y, scores = (
        [float(one) for one in block.find_values(f"_rln{name}")]
        for name in ("CoordinateX", "CoordinateY", "AutopickFigureOfMerit")
    )
    return MicrographPicks(micrograph, file, list(zip(x, y)), scores)


def probability(score: float) -> float:
    """Return the probability of a score, which is its log-odds."""
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, score))))


def decided_rows(job: str) -> List[Tuple[float, bool]]:
    """Return probability and whether it is kept, of every row that the job decided on.

    Rows that could not be scored are left out.
    """
    path = os.path.join(job, SCORES)
    if not os.path.isfile(path):
        return []
    with open(path, encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    return [(float(one["probability"]), one["keep"] == "1") for one in rows if one["probability"]]


def pixel_size_of(in_mics: str, micrograph: str) -> Optional[float]:
    """Return the pixel size of a micrograph in a micrographs STAR file; None where it has none."""
    if not os.path.isfile(in_mics):
        return None
    star = StarFile(in_mics)
    size, name = ["_rlnOpticsGroup", "_rlnMicrographPixelSize"], "_rlnMicrographName"
    try:
        sizes = dict(star.loop_as_list(block="optics", columns=size))
        groups = dict(star.loop_as_list(block="micrographs", columns=[name, size[0]]))
        return float(sizes[groups[micrograph]])
    except (KeyError, ValueError):  # no such block, column or row
        return None
