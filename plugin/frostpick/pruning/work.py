"""Scoring groups as work for any number of processes, here or elsewhere."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from typing import Any, ClassVar

from frostpick.errors import MicrographError
from frostpick.models.portable import put_together, taken_apart
from frostpick.models.pruner.model import Pruner
from frostpick.pruning.box_scorer import BoxScorer
from frostpick.pruning.groups import Group
from frostpick.pruning.plan import PrunePlan
from frostpick.pruning.prune import (
    GroupFailure,
    GroupScores,
    PreparedGroup,
    Told,
    prepare_group,
    score_prepared,
)
from frostpick.runtime.executors.base import Executor, Resources
from frostpick.runtime.executors.inline import InlineExecutor
from frostpick.runtime.reporter import Reporter


@dataclass(frozen=True)
class PruneWork:
    """Scores groups with a pruner as a plan says; the scores come back, none is stored."""

    pruner: Pruner
    plan: PrunePlan

    doing: ClassVar[str] = "scoring"
    died: ClassVar[str] = (
        "the process that scores on {device} died ({how}); what was scored is kept: "
        "continue the job"
    )
    most_readers: ClassVar[int] = 1

    def __reduce__(self) -> tuple[Any, ...]:
        return _work_again, (taken_apart(self.pruner), self.plan)

    def begin(self, resources: Resources) -> PruneHands:
        """Make the pruner ready for a device."""
        scorer = BoxScorer(self.pruner, resources.device, self.plan.rotations)
        return PruneHands(scorer, self.plan)


def _work_again(parts: tuple[Any, ...], plan: PrunePlan) -> PruneWork:
    return PruneWork(put_together(*parts), plan)


class PruneHands:
    """Scores groups in one process; what is odd about their sizes is told once in each."""

    def __init__(self, scorer: BoxScorer, plan: PrunePlan) -> None:
        self._scorer, self._plan = scorer, plan
        self._told = Told(plan)

    def read(self, group: Group) -> PreparedGroup:
        """Return the working boxes of a group."""
        return prepare_group(group, self._plan, self._told)

    def do(self, group: Group, reading: Future[PreparedGroup]) -> GroupScores | GroupFailure:
        """Score one group; one whose images cannot be read is a failure."""
        try:
            return score_prepared(self._scorer, group, reading.result())
        except MicrographError as error:
            return GroupFailure(group.name, group.row, error.reason)


def score_groups(
    pruner: Pruner,
    groups: Iterable[Group],
    plan: PrunePlan,
    reporter: Reporter,
    executor: Executor | None = None,
) -> Generator[GroupScores | GroupFailure, None, None]:
    """Score groups while a reader prepares the next one's boxes.

    Results come in the order of the input. The reporter is asked to `check` before every
    group and while waiting; progress is the caller's to report.

    Parameters
    ----------
    executor
        Who scores, and where. None: this process, on the plan's device.
    """
    executor = executor or InlineExecutor(Resources(plan.device, plan.threads))
    with closing(executor.run(PruneWork(pruner, plan), groups, reporter)) as pairs:
        for _, found in pairs:
            yield found
