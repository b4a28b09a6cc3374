"""Rows of a pruning job by the file that their images are in: picks of a micrograph, a stack."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostpick.types import Micrograph, ParticleStack, Picks

#: Particles of one stack that are in memory at a time: 64 MiB of boxes, twice.
MOST_IN_GROUP = 4096


@dataclass(frozen=True)
class PickGroup:
    """Picks of one micrograph; ``picks.row`` are their rows in the host's table."""

    micrograph: Micrograph
    picks: Picks

    @property
    def name(self) -> str:
        """For messages."""
        return self.micrograph.id

    @property
    def row(self) -> NDArray[np.int64]:
        """``(n,)`` rows in the host's table."""
        return self.picks.row

    def keep(self, at: NDArray[np.int64]) -> PickGroup:
        """Return the picks at indices into this group."""
        return PickGroup(self.micrograph, self.picks.keep(at))

    def __len__(self) -> int:
        return len(self.picks)


@dataclass(frozen=True)
class StackGroup:
    """Particles of one stack file."""

    stack: ParticleStack

    @property
    def name(self) -> str:
        """For messages."""
        return self.stack.source.name

    @property
    def row(self) -> NDArray[np.int64]:
        """``(n,)`` rows in the host's table."""
        return self.stack.row

    def keep(self, at: NDArray[np.int64]) -> StackGroup:
        """Return the particles at indices into this group."""
        return StackGroup(self.stack.keep(at))

    def __len__(self) -> int:
        return len(self.stack)


Group = PickGroup | StackGroup


def group_rows(
    picks: Iterable[tuple[Micrograph, Picks]], stacks: Iterable[ParticleStack]
) -> list[Group]:
    """Return a group for each micrograph and each stack that has rows, in that order."""
    found: list[Group] = [PickGroup(m, few) for m, few in picks if len(few)]
    found += [StackGroup(stack) for stack in stacks if len(stack)]
    return found


def in_parts(groups: Iterable[Group], most: int = MOST_IN_GROUP) -> list[Group]:
    """Return groups that are scored one after the other: parts of stacks fit in memory."""
    found: list[Group] = []
    for group in groups:
        if isinstance(group, PickGroup):
            found.append(group)
            continue
        for start in range(0, len(group), most):
            found.append(group.keep(np.arange(start, min(len(group), start + most))))
    return found


def thinned(groups: Sequence[Group], most: int, seed: int) -> list[Group]:
    """Return groups with at most ``most`` rows, drawn at random over all of them."""
    total = sum(len(group) for group in groups)
    if total <= most:
        return list(groups)
    chosen = np.zeros(total, np.bool_)
    chosen[np.random.default_rng([seed, 23]).permutation(total)[:most]] = True
    thin: list[Group] = []
    begin = 0
    for group in groups:
        at = np.flatnonzero(chosen[begin : begin + len(group)])
        begin += len(group)
        if len(at):
            thin.append(group.keep(at))
    return thin
