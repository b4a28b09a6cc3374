"""The picks of a finished job, as they were found: all digits, and which are selected."""

from __future__ import annotations

from pathlib import Path

from frostpick.errors import InputError
from frostpick.picking.threshold import EVEN_ODDS, Cut
from frostpick.types import Picks
from frostpick_jobs.job.cleaned import why_empty
from frostpick_jobs.store import PickStore
from frostpick_jobs.tasks.pick.delivered import Delivered
from frostpick_jobs.tasks.pick.prepare import DELIVERED


def read_back(spool: Path) -> dict[str, Picks]:
    """Return all picks above the floor by micrograph, in the job's order.

    Raises
    ------
    InputError
        The job did not come to its end.
    """
    store = PickStore(spool)
    state = store.read_state(DELIVERED)
    if not state:
        none = "no picking job here that came to its end"
        raise InputError(f"{spool.parent}: {why_empty(spool, none)}")
    cuts = Delivered.read(store, str(state["basis"]))
    found = {}
    for name in state["micrographs"]:
        known = None if cuts is None else cuts.micrographs.get(name)
        cut = Cut(EVEN_ODDS if cuts is None else cuts.threshold) if known is None else known.cut
        found[name] = cut.select(store.get(name).picks)
    return found
