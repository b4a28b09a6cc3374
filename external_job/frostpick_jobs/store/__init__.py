"""Results of a picking job between its start and its end: by micrograph."""

from frostpick_jobs.store.keys import PickKey, pick_key
from frostpick_jobs.store.pick_store import PickStore, Repicked
from frostpick_jobs.store.result_file import StoredPicks

__all__ = ["PickKey", "PickStore", "Repicked", "StoredPicks", "pick_key"]
