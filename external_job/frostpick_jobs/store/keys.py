"""When a stored result still holds: the key over all that changes a micrograph's floor picks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from frostpick.picking.calibration import FLOOR_PROBABILITY
from frostpick.picking.pick import MOST_PACKED
from frostpick.picking.plan import PickPlan
from frostpick.types import Micrograph

#: Raised whenever inference or the result file changes in a way that changes stored picks.
RESULT_FORMAT = 4


@dataclass(frozen=True)
class PickKey:
    """All that the picks above the floor on one micrograph depend on.

    The threshold is not in it: it changes which picks are selected, not which
    are found, so a change of threshold needs no inference.

    Parameters
    ----------
    model
        Digest of the model.
    settings
        Resolved settings that change the floor picks.
    micrograph
        The micrograph's id.
    file
        Its source's fingerprint.
    pixel_size_A
        The pixel size that the host gave.
    """

    model: str
    settings: Mapping[str, float | str | None]
    micrograph: str
    file: str
    pixel_size_A: float | None
    format: int = RESULT_FORMAT

    def parts(self) -> dict[str, Any]:
        """Return the parts as JSON values."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """SHA-256 of the parts."""
        return hashlib.sha256(_canonical(self.parts()).encode("ascii")).hexdigest()

    def change_from(self, stored: Mapping[str, Any]) -> str | None:
        """Say in a few words what changed since ``stored`` was written; None when nothing did."""
        mine = json.loads(_canonical(self.parts()))
        if mine == stored:
            return None
        if mine["format"] != stored.get("format"):
            return "result format changed"
        if mine["model"] != stored.get("model"):
            return "model changed"
        if mine["settings"] != stored.get("settings"):
            return f"settings changed ({_changed(stored.get('settings'), mine['settings'])})"
        if mine["pixel_size_A"] != stored.get("pixel_size_A"):
            return "pixel size changed"
        return "micrograph files changed"


def pick_key(model_digest: str, plan: PickPlan, micrograph: Micrograph) -> PickKey:
    """Return the key of a micrograph; `OSError` when its source cannot be had."""
    return PickKey(
        model=model_digest,
        settings=plan_settings(plan),
        micrograph=micrograph.id,
        file=micrograph.source.fingerprint(),
        pixel_size_A=micrograph.pixel_size_A,
    )


def plan_settings(plan: PickPlan) -> dict[str, float | str | None]:
    """Return the resolved settings that change the floor picks.

    Device, threads and previews are not among them: they change the picks by
    less than the stated tolerance, or not at all. The network's precision is.
    """
    return {
        "diameter": plan.diameter_A,
        "scale_diameter": plan.scale_diameter_A,
        "pixel_size": plan.pixel_size_A,
        "contrast": plan.contrast,
        "min_distance": plan.min_distance_A,
        "floor_probability": FLOOR_PROBABILITY,
        "border": plan.border,
        "most_packed": MOST_PACKED,
        "precision": plan.precision,
    }


def text_digest(*texts: str) -> str:
    """Return a SHA-256 over texts of any content, file names that are no UTF-8 included."""
    total = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogateescape")
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()


def _canonical(parts: Mapping[str, Any]) -> str:
    return json.dumps(parts, sort_keys=True, separators=(",", ":"))


def _changed(before: object, now: Mapping[str, Any]) -> str:
    if not isinstance(before, Mapping):
        return "unknown before"
    names = [n for n in sorted(set(now) | set(before)) if now.get(n) != before.get(n)]
    return ", ".join(f"{name} {before.get(name)} -> {now.get(name)}" for name in names)
