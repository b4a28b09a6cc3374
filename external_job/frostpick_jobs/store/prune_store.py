"""Scores of a pruning job by group, so that a stopped job goes on where it was."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from frostpick.pruning.box_scorer import BoxScores
from frostpick.pruning.groups import Group, PickGroup
from frostpick.pruning.prune import GroupScores
from frostpick.runtime.atomic import remove_leftovers
from frostpick_jobs.store.packed_folder import SMALL, PackedFolder
from frostpick_jobs.store.packs import FULL

#: Raised whenever boxes or scores change in a way that changes stored scores.
FORMAT = 3
_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


class PruneStore:
    """Scores under the digest of all that they depend on: a file that is there holds.

    Parameters
    ----------
    folder
        A folder of the job's spool.
    pruner, plan
        Digest of the pruner, and `PrunePlan.key`.
    full
        Groups in a pack (`PackedFolder`).
    """

    def __init__(
        self, folder: Path, pruner: str, plan: Mapping[str, object], full: int = FULL
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        self._scores = PackedFolder(folder, full=full)
        self._basis = json.dumps([FORMAT, pruner, plan], sort_keys=True)

    def get(self, group: Group) -> GroupScores | None:
        """Return the scores of a group, or None when they are not there or damaged."""
        name = self._name(group)
        source = None if name is None else self._scores.read(name)
        if source is None:
            return None
        try:
            opened = io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")
            with opened as handle, np.load(handle, allow_pickle=False) as found:
                scores = BoxScores(found["score"], found["spread"], found["likely"])
                return GroupScores(
                    group.row,
                    scores,
                    found["x_A"],
                    found["y_A"],
                    found["edge"],
                    found["micrograph_id"],
                )
        except _DAMAGED:
            return None

    def put(self, group: Group, found: GroupScores) -> None:
        """Keep the scores of a group."""
        name = self._name(group)
        if name is None:
            return
        content = io.BytesIO()
        np.savez(
            content,
            score=found.scores.score,
            spread=found.scores.spread,
            likely=found.scores.likely,
            x_A=found.x_A,
            y_A=found.y_A,
            edge=found.edge,
            micrograph_id=found.micrograph_id,
        )
        self._scores.put(name, content.getvalue())

    def settle(self) -> None:
        """Pack what is not packed (`PackedFolder`)."""
        self._scores.settle()

    def _name(self, group: Group) -> str | None:
        """Return the name of a group's scores; None when its source has no fingerprint."""
        total = hashlib.sha256(self._basis.encode())
        if isinstance(group, PickGroup):
            source, pixel = group.micrograph.source, group.micrograph.pixel_size_A
            arrays = [group.picks.x_px, group.picks.y_px]
        else:
            source, pixel = group.stack.source, group.stack.pixel_size_A
            arrays = [group.stack.index.astype(np.float64)]
            if group.stack.x_px is not None and group.stack.y_px is not None:
                arrays += [group.stack.x_px, group.stack.y_px]
        try:
            told = [group.name, source.fingerprint(), pixel]
        except OSError:
            return None
        if not isinstance(group, PickGroup):
            told += [group.stack.light, group.stack.position_pixel_A]
        total.update(json.dumps(told).encode())
        for array in arrays:
            total.update(np.ascontiguousarray(array).tobytes())
        return f"{total.hexdigest()[:40]}{SMALL}"
