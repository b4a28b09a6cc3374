"""The picks of a finished job, for an audit."""

from __future__ import annotations

from pathlib import Path

from frostpick.errors import InputError
from frostpick.picking.threshold import EVEN_ODDS
from frostpick.settings import Threshold
from frostpick_jobs.job.cleaned import why_empty
from frostpick_jobs.store import PickStore
from frostpick_jobs.tasks.audit.kept import scores_digest
from frostpick_jobs.tasks.audit.population import OnMicrograph, Population, check_rule
from frostpick_jobs.tasks.pick.delivered import STATE
from frostpick_jobs.tasks.pick.prepare import DELIVERED


def picks_of(spool: Path) -> Population:
    """Return the picks of a job of ``pick`` or ``fewshot``.

    Raises
    ------
    InputError
        It did not come to its end, or each micrograph has a threshold of its own.
    """
    job = spool.parent
    store = PickStore(spool)
    state = store.read_state(DELIVERED)
    if not state:
        unfinished = "the job did not come to its end; continue it"
        raise InputError(f"{job}: {why_empty(spool, unfinished)}")
    parts = []
    for name in state["micrographs"]:
        found = store.get(name)
        picks = found.picks
        parts.append(OnMicrograph(name, picks.x_px, picks.y_px, picks.score, found.pixel_size_A))
    decided = store.read_state(STATE)
    check_rule(job, Threshold.parse(decided.get("rule", "auto")))
    record = state["record"]
    return Population(
        scores_digest(str(state["basis"]), ((one.name, one.score) for one in parts)),
        parts,
        state.get("files", {}),
        float(record["diameter_A"]),
        float(decided.get("threshold", EVEN_ODDS)),
    )
