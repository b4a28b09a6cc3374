"""What is to be run, on which sets, and from which labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from accuracy.draws import draws_of
from accuracy.runs import NONE, Run
from accuracy.sets import BENCH, BenchSet, SetInfo, open_set

from unseen.sets import SETS

#: The ceiling of a set: training on all labels of all training micrographs.
EVERYTHING = "all"
COUNTS = (NONE, "0", "15", "50", "200", EVERYTHING)
#: The development data, in rows of their own.
OLD = {
    **BENCH,
    "barrel_r": SetInfo("simulated/barrel_r", "coords.csv", 5.0, 172.65, True),
}

Draws = Mapping[str, Sequence[Sequence[int]]]


def open_old(bench: Path, name: str) -> BenchSet:
    """Open a set of the development data."""
    return open_set(name, bench / OLD[name].folder, OLD[name])


def draws_with_all(data: BenchSet) -> Draws:
    """Return the draws of a set, with that of all drawable particles."""
    rows = data.train.truth.drawable.row.tolist()
    return {**draws_of(data), EVERYTHING: [rows]}


def chosen_sets(text: str | None, bench: Path | None) -> list[str]:
    """Return the sets that a comma list names; all without one.

    Raises
    ------
    SystemExit
        A name is unknown.
    """
    known = [*SETS, *(OLD if bench is not None else ())]
    names = known if not text else [n for n in text.split(",") if n]
    unknown = [n for n in names if n not in known]
    if unknown:
        raise SystemExit(f"--sets {','.join(unknown)}: expected some of {', '.join(known)}")
    return names


def chosen_counts(text: str) -> list[str]:
    """Return the counts that a comma list names.

    Raises
    ------
    SystemExit
        One is unknown.
    """
    counts = [c for c in text.split(",") if c]
    unknown = [c for c in counts if c not in COUNTS]
    if unknown:
        raise SystemExit(f"--counts {','.join(unknown)}: expected some of {','.join(COUNTS)}")
    return counts


def planned(names: Sequence[str], counts: Sequence[str], draws: int) -> list[Run]:
    """Return the runs, the first draw of everything before the second.

    The start as it is, and all labels, have one draw; those of own picks are seeds.
    """
    runs = []
    for draw in range(max(1, draws)):
        for count in counts:
            if draw == 0 or count not in (NONE, EVERYTHING):
                runs += [Run(name, count, draw) for name in names]
    return runs
