"""Select anew among stored picks: another threshold, no inference."""

from __future__ import annotations

from pathlib import Path

from frostpick.errors import InputError
from frostpick.picking.against_noise import weigh_against_noise
from frostpick.picking.threshold import EVEN_ODDS
from frostpick.runtime.run_record import RunRecord
from frostpick.settings import Threshold
from frostpick.types import LocalFile, Micrograph
from frostpick_jobs.job.cleaned import why_empty
from frostpick_jobs.job.host import Host
from frostpick_jobs.job.output_folder import claimed_by
from frostpick_jobs.job.results import PickingResult
from frostpick_jobs.store import PickStore
from frostpick_jobs.tasks.chosen_pictures import kept_figures
from frostpick_jobs.tasks.declarations import task_named
from frostpick_jobs.tasks.outputs import check_outputs
from frostpick_jobs.tasks.pick.finish import deliver_picks
from frostpick_jobs.tasks.pick.prepare import DELIVERED
from frostpick_jobs.tasks.pick.threshold import decide_threshold
from frostpick_jobs.tasks.pick.totals import sum_up

#: What the record keeps of the job that picked.
KEPT = (
    *("model", "seed", "device", "threads", "diameter_A", "min_distance_A", "contrast"),
    *("method", "training", "curve", "exemplars", "shipped", "own_scale", "micrographs_read"),
)


def run_select(host: Host, rule: str) -> PickingResult:
    """Choose a threshold anew over all stored picks, and deliver again.

    The new threshold is frozen in place of the old one. Native outputs hold the
    selected picks, even if the job was told to write all.

    Raises
    ------
    InputError
        The job's folder holds no picking job that came to its end.
    """
    asked = Threshold.parse(rule)
    if claimed_by(host.spool) not in ("pick", "fewshot"):
        raise InputError(
            f"{host.spool.parent}: no picking job here; give the output folder of pick"
        )
    store = PickStore(host.spool)
    state = store.read_state(DELIVERED)
    if not state:
        unfinished = "the picking job did not come to its end; continue it"
        raise InputError(f"{host.spool.parent}: {why_empty(host.spool, unfinished)}")
    before = state["record"]
    task = str(before.get("task", "pick"))
    record = RunRecord(task, host.name, {**before["settings"], "threshold": rule})
    host.record = record
    record.add(**{name: before[name] for name in KEPT if name in before})
    host.begin()
    check_outputs(host, task_named(task))
    done = [Micrograph(one, LocalFile(Path(one))) for one in state["micrographs"]]
    trained_on = before.get("model", {}).get("trained_on", {})
    border = float(before["settings"].get("border") or 0.0)
    distance = float(before["min_distance_A"])
    totals = sum_up(store, done, {}, distance, border)
    against = weigh_against_noise(totals.noise)
    own = float(state.get("own_threshold", EVEN_ODDS))
    threshold = decide_threshold(
        store, state["basis"], asked, totals.shares, own, renew=True, against=against
    )
    return deliver_picks(
        host,
        store,
        done,
        state["failed"],
        threshold,
        "selected",
        totals,
        record,
        min_distance_A=distance,
        trained_on=trained_on,
        against=against,
        diameter_A=float(before["diameter_A"]),
        contrast=before["contrast"],
        plots=kept_figures(store),
    )
