"""``frostpick audit``: draws where nothing is drawn yet, and reads where answers are."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from frostpick.auditing.estimate import Precision, rows_to_show
from frostpick.errors import InputError, counted
from frostpick.runtime.atomic import write_text
from frostpick_jobs.job.lock import job_lock
from frostpick_jobs.tasks.audit.draw import draw_audit
from frostpick_jobs.tasks.audit.kept import TABLE, KeptAudit
from frostpick_jobs.tasks.audit.population import Population

#: What the audit says, beside its table.
RESULT = "precision.csv"


@dataclass(frozen=True)
class AuditResult:
    """What an audit came to.

    Parameters
    ----------
    folders
        Of the draws, the newest last.
    drawn, judged
        How many picks a person is to judge, and how many are.
    now
        Precision at the threshold in force; None where none is judged.
    cuts
        Precision at other thresholds, from the strictest down.
    junk, told
        Share of junk among the false picks at the threshold in force, and of how many it was
        said; NaN of 0.
    """

    folders: Sequence[Path]
    drawn: int
    judged: int = 0
    now: Precision | None = None
    cuts: Sequence[Precision] = ()
    junk: float = float("nan")
    told: int = 0


def run_audit(
    spool: Path,
    population_of: Callable[[Path], Population],
    picks: int = 60,
    seed: int = 0,
    *,
    more: bool = False,
    new: bool = False,
) -> AuditResult:
    """Draw picks to judge, or tell what the answers say.

    Parameters
    ----------
    spool
        Of a finished job.
    population_of
        Returns the picks of the job by its spool.
    picks, seed
        How many to draw, and by which random numbers.
    more
        Draw once more from the same strata; the answers of all draws count together.
    new
        Draw anew, and forget earlier draws; their folders stay.

    Raises
    ------
    InputError
        There are no picks here; an answer is not understood; or the picks are no longer those
        of the audit.
    """
    with job_lock(spool):
        population = population_of(spool)
        kept = None if new else KeptAudit.read(spool)
        if kept is not None and kept.digest != population.digest:
            raise InputError(
                f"{kept.folders(spool)[-1]}: its picks are of another model or of other scores "
                "than this job has now, so that its answers say nothing of them; draw anew with "
                "--new, which keeps that folder"
            )
        if kept is None or more:
            draw_audit(spool, population, picks, seed, kept)
            kept = KeptAudit.read(spool)
            assert kept is not None
            if not more:
                return AuditResult(kept.folders(spool), len(kept.drawn))
        judged = kept.judged(spool)
        folders = kept.folders(spool)
        if not judged.count:
            return AuditResult(folders, len(kept.drawn))
        now = judged.at(population.threshold, population.scores)
        cuts = rows_to_show(judged.cuts())
        write_text(folders[-1] / RESULT, _table(now, cuts))
        junk, told = judged.junk_share(population.threshold, population.scores)
        return AuditResult(folders, len(kept.drawn), judged.count, now, cuts, junk, told)


def told_lines(result: AuditResult, out: Path) -> list[str]:
    """Return what a user reads of an audit."""
    folder = result.folders[-1]
    todo = (
        f"look at {folder / 'index.html'} or {folder / 'sheet.png'}, write yes or no into the "
        f"column particle of {folder / TABLE}, and give frostpick audit {out} again"
    )
    if result.now is None:
        return [f"{counted(result.drawn, 'pick')} to judge: {todo}"]
    now = result.now
    lines = [
        f"{result.judged} of {result.drawn} picks are judged",
        f"precision at the threshold in force, {now.threshold:.3f}: {_share(now)}, from "
        f"{counted(now.judged, 'judged pick')}",
    ]
    if result.told:
        lines.append(
            f"of the false ones {result.junk:.0%} are junk, the others nothing at all "
            f"(said of {result.told})"
        )
    lines.append("  threshold      picks     judged  precision   95 % interval   at least (95 %)")
    rows = sorted({one.threshold: one for one in (*result.cuts, now)}.values(), key=_strictness)
    for one in rows:
        mark = "  <- in force" if one is now else ""
        lines.append(
            f"{one.threshold:11.2f} {one.picks:10d} {one.judged:10d} {one.precision:10.3f}   "
            f"{one.low:.3f} to {one.high:.3f} {one.bound:17.3f}{mark}"
        )
    if result.judged < result.drawn:
        lines.append(f"{result.drawn - result.judged} are not judged yet: {todo}")
    return lines


def _strictness(one: Precision) -> float:
    return -one.threshold


def _share(one: Precision) -> str:
    return f"{one.precision:.2f} ({one.low:.2f} to {one.high:.2f}, 95 %)"


def _table(now: Precision, cuts: Sequence[Precision]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["threshold", "picks", "judged", "precision", "low_95", "high_95", "bound_95", "in_force"]
    )
    for one in sorted([*cuts, now], key=_strictness):
        shares = [f"{v:.4f}" for v in (one.precision, one.low, one.high, one.bound)]
        writer.writerow([f"{one.threshold:.6g}", one.picks, one.judged, *shares, int(one is now)])
    return text.getvalue()
