"""Pictures that a job drew once, kept for reports that are written again later."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from frostpick.report.figure import Figure
from frostpick_jobs.store import PickStore

#: Name of the store's state.
FIGURES = "figures"


def keep_figures(store: PickStore, figures: Sequence[Figure]) -> None:
    """Keep pictures in place of those kept before; none at all leaves no state."""
    if not figures:
        store.forget_state(FIGURES)
        return
    rows = [
        {"name": one.name, "png": base64.b64encode(one.png).decode(), "caption": one.caption}
        for one in figures
    ]
    store.write_state(FIGURES, {"figures": rows})


def kept_figures(store: PickStore) -> list[Figure]:
    """Return the pictures that `keep_figures` kept, in their order."""
    rows = store.read_state(FIGURES).get("figures", [])
    return [Figure(row["name"], base64.b64decode(row["png"]), row["caption"]) for row in rows]
