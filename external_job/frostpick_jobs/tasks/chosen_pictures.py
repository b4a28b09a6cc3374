"""Pictures that a job drew once, kept for reports that are written again later."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from frostpick.report.figure import Figure
from frostpick_jobs.store import PickStore

#: Name of the store's state.
FIGURES = "figures"


def keep_figures(store: PickStore, figures: Sequence[Figure]) -> None:
    """Keep pictures in place of those kept before; none at all leaves no state."""
    if not figures:
        store.forget_state(FIGURES)
        return
    store.write_state(FIGURES, {"figures": as_rows(figures)})


def kept_figures(store: PickStore) -> list[Figure]:
    """Return the pictures that `keep_figures` kept, in their order."""
    return from_rows(store.read_state(FIGURES).get("figures", []))


def as_rows(figures: Sequence[Figure]) -> list[dict[str, str]]:
    """Return pictures as JSON values."""
    return [
        {"name": one.name, "png": base64.b64encode(one.png).decode(), "caption": one.caption}
        for one in figures
    ]


def from_rows(rows: Sequence[Mapping[str, str]]) -> list[Figure]:
    """Return the pictures that `as_rows` gave the values of."""
    return [Figure(row["name"], base64.b64decode(row["png"]), row["caption"]) for row in rows]
