"""What is to be run: sets, label counts, draws and kinds, and how the work is shared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from accuracy.draws import ADAPTED, HALF_VIEWS
from accuracy.sets import BenchSet

NONE = "none"
COUNTS = (NONE, ADAPTED, "15", "50", "200", "1000")
#: Kinds of runs of the two parts. Those of `OF_A_MODEL` need a model that another run trains.
MAIN = ("main", "blob")
ROBUSTNESS = ("prior_half", "prior_twice", "pixel_half", "pixel_twice", "empty", "half_views")
OF_A_MODEL = ("pixel_half", "pixel_twice", "empty")
PRIOR_AND_PIXEL = ("prior_half", "prior_twice", "pixel_half", "pixel_twice")


@dataclass(frozen=True)
class Run:
    """One training and picking, or one picking where nothing is trained.

    Parameters
    ----------
    labels
        ``none`` or a count; with 0 a training without labels.
    draw
        Number of the draw of labels, 0 where there are no labels.
    kind
        ``main``; ``blob``: the fixed filter; or one of `ROBUSTNESS`.
    """

    set: str
    labels: str
    draw: int
    kind: str = "main"

    @property
    def training(self) -> str | None:
        """What is trained, by name; None where nothing is."""
        if self.labels == NONE:
            return None
        how = self.kind if self.kind in ("prior_half", "prior_twice", "half_views") else "plain"
        return f"{self.set}-{self.labels}-d{self.draw}-{how}"

    @property
    def draws(self) -> str:
        """The entry of the published draws that the labels are of."""
        return HALF_VIEWS if self.kind == "half_views" else self.labels

    def __str__(self) -> str:
        return f"{self.set}-{self.labels}-d{self.draw}-{self.kind}"


def main_runs(
    sets: Sequence[BenchSet],
    draws: Mapping[str, Mapping[str, Sequence[object]]],
    counts: Iterable[str],
    most_draws: int | None,
    start: str,
) -> list[Run]:
    """Return the runs of the table; the first draw of everything comes before the second.

    Without a start model there is nothing to pick with before labels.
    """
    runs = [Run(data.name, NONE, 0, "blob") for data in sets]
    counts = list(counts)
    if NONE in counts and start != NONE:
        runs += [Run(data.name, NONE, 0) for data in sets]
    some = [c for c in counts if c != NONE and (c != ADAPTED or start != NONE)]
    longest = max((len(draws[d.name].get(c, ())) for d in sets for c in some), default=0)
    for draw in range(min(longest, most_draws or longest)):
        for count in some:
            for data in sets:
                if draw < len(draws[data.name].get(count, ())):
                    runs.append(Run(data.name, count, draw))
    return runs


def robustness_runs(
    sets: Sequence[BenchSet],
    draws: Mapping[str, Mapping[str, Sequence[object]]],
    counts: Iterable[str],
    most_draws: int | None,
    start: str,
) -> list[Run]:
    """Return the runs of the robustness table, each beside its main run; 200 labels train."""
    runs: list[Run] = []
    simulated = [data for data in sets if data.simulated]
    if NONE in set(counts) and start != NONE:
        runs += [Run(d.name, NONE, 0, kind) for d in simulated for kind in ("main", *OF_A_MODEL)]
    for draw in range(most_draws or 1):
        for data in simulated:
            asked = [Run(data.name, "200", draw, kind) for kind in ("main", *ROBUSTNESS)]
            runs += [run for run in asked if draw < len(draws[data.name].get(run.draws, ()))]
    return runs


def shard(runs: Sequence[Run], text: str) -> list[Run]:
    """Return part ``i/n`` of the runs, 0 <= i < n: those of one training stay together.

    Raises
    ------
    SystemExit
        The text is no such pair.
    """
    try:
        number, total = (int(word) for word in text.split("/"))
    except ValueError:
        number, total = -1, 0
    if not 0 <= number < total:
        raise SystemExit(f"--shard {text}: expected i/n with 0 <= i < n, such as 0/2")
    groups = list(dict.fromkeys(run.training or str(run) for run in runs))
    mine = {group for k, group in enumerate(groups) if k % total == number}
    return [run for run in runs if (run.training or str(run)) in mine]


def only(runs: Sequence[Run], text: str | None) -> list[Run]:
    """Return the runs that ``sets/counts/draws`` names, each a comma list or empty for all."""
    if not text:
        return list(runs)
    parts = [{w for w in part.split(",") if w} for part in text.split("/")]
    if len(parts) > 3:
        raise SystemExit(f"--only {text}: expected sets/counts/draws, such as apof_r/15,200/0")
    parts += [set()] * (3 - len(parts))
    chosen = []
    for run in runs:
        values = (run.set, run.labels, str(run.draw))
        if all(not part or value in part for part, value in zip(parts, values, strict=True)):
            chosen.append(run)
    return chosen
