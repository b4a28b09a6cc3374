"""The rows of a finished pruning that a threshold could keep, for an audit."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick.pruning.groups import Group, PickGroup
from frostpick.pruning.judge import Judgement
from frostpick.pruning.plan import PrunePlan
from frostpick.pruning.scoring import Scored
from frostpick.runtime.atomic import atomic_write
from frostpick.settings import Threshold
from frostpick_jobs.job.cleaned import why_empty
from frostpick_jobs.tasks.audit.kept import scores_digest
from frostpick_jobs.tasks.audit.population import (
    OnMicrograph,
    Population,
    check_rule,
    files_of,
)

#: Folder of the task in the spool, and in it the rows.
SPOOL, ROWS = "pruning", "rows.npz"


def rows_digest(pruner: str, scores: NDArray[np.float64]) -> str:
    """Return what an audit of rows stands on: pruner, and scores in the order of the rows."""
    return scores_digest(pruner, [("rows", scores)])


def keep_rows(
    folder: Path,
    groups: Sequence[Group],
    plan: PrunePlan,
    scored: Scored,
    judged: Judgement,
    pruner: str,
    rule: Threshold,
) -> None:
    """Keep the rows that any threshold could keep, with their places.

    Extracted particles may come without a place or a micrograph: of them nothing is kept.

    Parameters
    ----------
    folder
        Of the pruning in the spool.
    pruner
        Digest of the pruner that gave the scores.
    rule
        Of the threshold.
    """
    picks = [one for one in groups if isinstance(one, PickGroup)]
    if len(picks) < len(groups) or judged.counted is None:
        (folder / ROWS).unlink(missing_ok=True)
        return
    decisions, rows = judged.decisions, scored.rows
    scale = np.full(int(rows.row.max(initial=-1)) + 1, np.nan)
    score = scale.copy()
    score[decisions.row[judged.counted]] = decisions.score[judged.counted]
    scale[rows.row] = rows.x_A
    names, parts = [], []
    for one in picks:
        here = np.isfinite(score[one.row])
        if not here.any():
            continue
        at, x, y = one.row[here], one.picks.x_px[here], one.picks.y_px[here]
        far = int(np.argmax(x))
        pixel = np.full(len(x), scale[at][far] / x[far])
        names.append(one.name)
        parts.append(np.stack([np.full(len(x), len(names) - 1.0), x, y, score[at], pixel]))
    about = {
        "names": names,
        "files": files_of([one.micrograph for one in picks]),
        "diameter_A": plan.geometry.diameter_A,
        "threshold": judged.threshold,
        "rule": rule.text,
        "digest": rows_digest(pruner, decisions.score[judged.counted]),
    }
    with atomic_write(folder / ROWS) as handle:
        np.savez(
            handle,
            rows=np.concatenate([np.zeros((5, 0)), *parts], axis=1),
            about=np.frombuffer(json.dumps(about).encode("ascii"), np.uint8),
        )


def rows_of(folder: Path, job: Path) -> Population:
    """Return the rows that `keep_rows` kept.

    Raises
    ------
    InputError
        The job did not come to its end, or decided on extracted particles.
    """
    try:
        with open(folder / ROWS, "rb") as handle, np.load(handle, allow_pickle=False) as found:
            about = json.loads(found["about"].tobytes())
            number, x, y, score, pixel = found["rows"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        none = (
            "no picks that could be judged; an audit takes a prune of picks on their "
            "micrographs, not of extracted particles, that came to its end"
        )
        raise InputError(f"{job}: {why_empty(folder.parent, none)}") from error
    check_rule(job, Threshold.parse(about.get("rule", "auto")))
    parts = []
    for k, name in enumerate(about["names"]):
        at = number == k
        parts.append(OnMicrograph(name, x[at], y[at], score[at], float(pixel[at][0])))
    return Population(
        about["digest"], parts, about["files"], about["diameter_A"], about["threshold"]
    )
