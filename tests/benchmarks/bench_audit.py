"""Audits simulated on kept picks of proteins that no model has seen, judged by the truth.

    python tests/benchmarks/bench_audit.py --runs RUNS --sets SETS [--draws 100]

RUNS and SETS are the folders ``runs`` and ``sets`` of `bench_unseen.py`. Every set, every count of
labels: the threshold ``auto``; 60 picks drawn as `frostpick audit` draws them, each draw by its own
seed; answers from the truth. *Covers*: the 95 % interval of the precision at the threshold holds
the true one. *Holds*: the true precision at the cut of ``precision=0.9`` is at least .9, or no cut
is guaranteed and nothing is promised. *Found*: of the particles above the loosest cut that truly
has .9, those above the cut that was guaranteed; 0 where none was. `audit.md` has the results.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from accuracy.matching import match_picks
from accuracy.measure import read_picked
from numpy.typing import NDArray
from unseen.sets import open_unseen

from frostpick.auditing.estimate import Judged
from frostpick.auditing.strata import cut_strata, draw_picks, stratum_of
from frostpick.picking.threshold import choose_threshold
from frostpick.types import sigmoid

COUNTS = ("none", "0", "15", "200")
PROMISED = 0.9
#: Recipes were chosen while these were looked at; the others judge.
DEVELOPMENT = ("tube", "rod", "plate", "cage", "membrane")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Job:
    """The picks of one run, best first: scores, which are particles, and their micrographs."""

    name: str
    labels: str
    score: Floats
    true: NDArray[np.bool_]
    micrograph: NDArray[np.int64]

    def precision(self, threshold: float) -> float:
        """Return the true precision at a threshold, 1 of no picks."""
        above = self.score >= threshold
        return float(self.true[above].mean()) if above.any() else 1.0


@dataclass(frozen=True)
class Row:
    """What the draws of one run came to; ``model`` is ``precision=0.9`` without an audit."""

    judges: bool
    name: str
    labels: str
    stated: float
    true: float
    covers: float
    width: float
    model: float
    guaranteed: float
    holds: float
    found: float


def main(arguments: list[str] | None = None) -> None:
    """Print a row for every run, and means and worst rows of both halves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--sets", type=Path, required=True)
    parser.add_argument("--model", default="general-2", help="Start model of the runs.")
    parser.add_argument("--picks", type=int, default=60)
    parser.add_argument("--draws", type=int, default=100)
    options = parser.parse_args(arguments)
    rows = [
        simulated(job, options.picks, options.draws)
        for job in jobs(options.runs, options.sets, options.model)
    ]
    print("\n".join(table(rows)))


def jobs(runs: Path, sets: Path, model: str) -> Iterator[Job]:
    """Read the newest picks of every run of a model, and match them to the truth."""
    for folder in sorted(runs.iterdir()):
        if not (sets / folder.name).is_dir():
            continue
        name = folder.name.split("-")[0]
        test = open_unseen(name, sets / folder.name).data.test
        diameter_px = open_unseen(name, sets / folder.name).data.diameter_px
        for labels in COUNTS:
            kept = sorted((folder / "picks").glob(f"{name}-{labels}-d0-main-{model}-*.csv"))
            if kept:
                picks = read_picked(max(kept, key=lambda one: one.stat().st_mtime)).picks
                found = match_picks(picks, test.truth, test.names, test.shape, diameter_px)
                yield Job(name, labels, found.score, found.true, found.micrograph)


def simulated(job: Job, picks: int, draws: int) -> Row:
    """Audit one run many times."""
    threshold = choose_threshold(job.score, "auto")
    true = job.precision(threshold)
    strata = cut_strata(job.score, threshold, picks)
    covers, widths, holds, guaranteed, found = [], [], [], [], []
    precise = np.cumsum(job.true) / np.arange(1, len(job.true) + 1)
    good = np.flatnonzero(precise >= PROMISED)
    most = int(job.true[: good[-1] + 1].sum()) if len(good) else 0
    for seed in range(draws):
        at = draw_picks(strata, job.score, job.micrograph, seed)
        nothing = np.full(len(at), np.nan)
        answer = job.true[at].astype(np.float64)
        stratum = stratum_of(strata, job.score[at])
        audit = Judged(strata, stratum, job.score[at], answer, nothing)
        now = audit.at(threshold, job.score)
        covers.append(now.low <= true <= now.high)
        widths.append(now.high - now.low)
        cut = audit.loosest(PROMISED)
        guaranteed.append(cut is not None)
        holds.append(cut is None or job.precision(cut.threshold) >= PROMISED)
        kept = 0 if cut is None else int(job.true[job.score >= cut.threshold].sum())
        found.append(kept / most if most else np.nan)
    return Row(
        not job.name.startswith(DEVELOPMENT),
        job.name,
        job.labels,
        float(sigmoid(job.score[job.score >= threshold]).mean()),
        true,
        float(np.mean(covers)),
        float(np.mean(widths)),
        job.precision(choose_threshold(job.score, f"precision={PROMISED}")),
        float(np.mean(guaranteed)),
        float(np.mean(holds)),
        float(np.mean(found)),
    )


COLUMNS = (
    *("set", "labels", "stated", "true", "covers", "width", "model's cut"),
    *("guaranteed", "holds", "found"),
)


def table(rows: list[Row]) -> list[str]:
    """Return a table in Markdown, the sets that judge behind those of development."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"| {' | '.join(['---'] * len(COLUMNS))} |"]
    groups: dict[bool, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.judges].append(row)
    for judges in sorted(groups):
        some = groups[judges]
        lines += [_line(f"{row.name}", row.labels, [row]) for row in some]
        title = "judge" if judges else "development"
        lines.append(_line(f"**{title}, mean**", "", some))
        worst = (
            min(r.covers for r in some),
            max(r.width for r in some),
            min(r.holds for r in some),
        )
        kept = sum(row.model >= PROMISED for row in some)
        lines.append(
            f"| **{title}, worst** | | | | {worst[0]:.2f} | {worst[1]:.2f} | {kept} of {len(some)} "
            f"hold | | {worst[2]:.2f} | |"
        )
    return lines


def _line(name: str, labels: str, rows: list[Row]) -> str:
    names = ("stated", "true", "covers", "width", "model", "guaranteed", "holds", "found")
    shown = [f"{np.nanmean([getattr(row, one) for row in rows]):.2f}" for one in names]
    return f"| {name} | {labels} | {' | '.join(shown)} |"


if __name__ == "__main__":
    main()
