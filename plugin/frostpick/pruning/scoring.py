"""All rows of a job scored, group by group, into one table by row."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from frostpick.errors import InputError, marked
from frostpick.models.pruner.model import Pruner
from frostpick.pruning.decide import ScoredRows
from frostpick.pruning.groups import Group
from frostpick.pruning.plan import PrunePlan
from frostpick.pruning.prune import GroupFailure, GroupScores
from frostpick.pruning.work import score_groups
from frostpick.runtime.executors.base import Executor
from frostpick.runtime.reporter import Reporter

log = logging.getLogger(__name__)


class ScoreStore(Protocol):
    """Keeps the scores of groups by one pruner and one plan."""

    def get(self, group: Group) -> GroupScores | None:
        """Return the scores of a group; None where there are none."""

    def put(self, group: Group, found: GroupScores) -> None:
        """Keep the scores of a group."""


@dataclass(frozen=True)
class Scored:
    """The rows of a job with their scores, as far as their images could be read.

    Parameters
    ----------
    rows
        Every row of the job, in order.
    failed
        Why groups could not be read, by name.
    names
        Micrographs, in the order of their numbers in ``rows.group``.
    """

    rows: ScoredRows
    failed: Mapping[str, str]
    names: Sequence[str]


def score_rows(
    count: int,
    groups: Sequence[Group],
    pruner: Pruner,
    plan: PrunePlan,
    store: ScoreStore,
    reporter: Reporter,
    executor: Executor | None = None,
) -> Scored:
    """Score every group that the store does not hold, and return all rows.

    Parameters
    ----------
    count
        Rows of the job; one that is in no group stays without a score.
    executor
        Who scores, and where. None: this process, on the plan's device.

    Raises
    ------
    InputError
        No group could be read.
    """
    reporter.stage("scoring", sum(len(group) for group in groups))
    columns = _Columns(count)
    failed: dict[str, str] = {}
    read = 0
    missing = []
    for group in groups:
        stored = store.get(group)
        if stored is None:
            missing.append(group)
            continue
        columns.put(stored)
        reporter.advance(len(group))
    if len(missing) < len(groups):
        log.info("%d of %d groups are scored already", len(groups) - len(missing), len(groups))
    results = score_groups(pruner, missing, plan, reporter, executor)
    for group, found in zip(missing, results, strict=True):
        if isinstance(found, GroupFailure):
            failed[found.name] = found.reason
            log.warning("%s: %s", found.name, found.reason)
        else:
            store.put(group, found)
            columns.put(found)
            read += 1
        reporter.advance(len(group))
    if failed and read == 0 and len(missing) == len(groups):
        name, reason = next(iter(failed.items()))
        raise InputError(f"no image could be read; the first: {name}: {marked(reason)}")
    return Scored(columns.rows(), failed, columns.names)


class _Columns:
    """Gathers groups into one table by row."""

    def __init__(self, rows: int) -> None:
        self._score = np.full(rows, np.nan)
        self._spread = np.full(rows, np.nan)
        self._likely = np.zeros(rows, np.int8)
        self._group = np.full(rows, -1, np.int64)
        self._x, self._y = np.full(rows, np.nan), np.full(rows, np.nan)
        self._edge = np.zeros(rows, np.bool_)
        self._numbers: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        """Names of micrographs, in the order of their numbers."""
        return list(self._numbers)

    def put(self, found: GroupScores) -> None:
        """Write the rows of a group."""
        at = found.row
        self._score[at], self._spread[at] = found.scores.score, found.scores.spread
        self._likely[at], self._edge[at] = found.scores.likely, found.edge
        self._x[at], self._y[at] = found.x_A, found.y_A
        names, inverse = np.unique(found.micrograph_id, return_inverse=True)
        numbers = [self._numbers.setdefault(n, len(self._numbers)) if n else -1 for n in names]
        self._group[at] = np.array(numbers, np.int64)[inverse]

    def rows(self) -> ScoredRows:
        """Return the table."""
        return ScoredRows(
            row=np.arange(len(self._score)),
            score=self._score,
            spread=self._spread,
            likely=self._likely,
            group=self._group,
            x_A=self._x,
            y_A=self._y,
            edge=self._edge,
        )
