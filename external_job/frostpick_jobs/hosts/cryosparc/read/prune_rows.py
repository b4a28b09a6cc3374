"""Rows of particle inputs as candidates of a pruning job."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError
from frostpick.types import Micrograph, ParticleStack
from frostpick_jobs.formats.walk import in_project
from frostpick_jobs.hosts.cryosparc.read.exposures import Exposures, shortest
from frostpick_jobs.hosts.cryosparc.read.fields import needed, numbers, places, texts
from frostpick_jobs.hosts.cryosparc.read.particle_labels import match_rows, shift_in_A
from frostpick_jobs.hosts.cryosparc.read.sources import ProjectFiles
from frostpick_jobs.inputs.rows import PickRows
from frostpick_jobs.job.host import InputRows


@dataclass(frozen=True)
class ParticleInput:
    """The rows of a particle input, of all its connections one after the other.

    Parameters
    ----------
    parts
        A cryosparc ``Dataset`` for each connection.
    uid
        ``(n,)`` uint64, no two alike.
    """

    parts: tuple[Any, ...]
    uid: NDArray[np.uint64]

    @classmethod
    def of(cls, name: str, parts: Sequence[Any]) -> ParticleInput:
        """Join the connections of an input; `InputError` when a particle comes twice."""
        uid = np.concatenate(
            [np.zeros(0, np.uint64), *(np.array(p["uid"]).astype(np.uint64) for p in parts)]
        )
        values, count = np.unique(uid, return_counts=True)
        if (count > 1).any():
            raise InputError(
                f"particle {values[count > 1][0]} and {np.count_nonzero(count > 1) - 1} more come "
                f"twice in {name}; connect outputs that do not overlap"
            )
        return cls(tuple(parts), uid)

    def __len__(self) -> int:
        return len(self.uid)

    def on_micrographs(self, exposures: Exposures, *, flip_y: bool) -> PickRows:
        """Return the positions of the rows in pixels of the image that is read."""
        names = [str(uid) for uid in exposures.uid.tolist()]
        ids: list[str] = []
        x, y = [np.zeros(0)], [np.zeros(0)]
        for part in self.parts:
            row = match_rows(part, exposures)
            every = np.arange(len(part))
            shape = exposures.image_shape[row].astype(np.float64)
            px, py = np.full((2, len(part)), np.nan)
            here = np.flatnonzero(row >= 0)
            px[here], py[here] = places(part, here, shape[here])
            shift = shift_in_A(part, every)
            if shift is not None:
                pixel = exposures.image_pixel_size_A[row].astype(np.float64)[:, None]
                px, py = px - (shift / pixel)[:, 0], py - (shift / pixel)[:, 1]
            x.append(px)
            y.append(shape[:, 0] - 1 - py if flip_y else py)
            ids += [names[r] if r >= 0 else "" for r in row.tolist()]
        uids = tuple(str(one) for one in self.uid.tolist())
        return PickRows(uids, tuple(ids), np.concatenate(x), np.concatenate(y))

    def merit(self) -> NDArray[np.float64] | None:
        """Return the figure of merit of each row, NaN where its part has none, None without any."""
        found = np.concatenate([np.zeros(0), *map(_merit, self.parts)])
        return found if np.isfinite(found).any() else None

    def stacks(
        self, files: ProjectFiles, rows: NDArray[np.int64] | None = None
    ) -> list[ParticleStack]:
        """Return the images of the rows, or of some of them, by stack file."""
        wanted = np.ones(len(self), np.bool_)
        if rows is not None:
            wanted = np.zeros(len(self), np.bool_)
            wanted[rows] = True
        found: list[ParticleStack] = []
        begin = 0
        for part in self.parts:
            chosen = np.flatnonzero(wanted[begin : begin + len(part)])
            found += _stacks_of(part, chosen, begin, files)
            begin += len(part)
        return found

    def rows_not_in(self, uids: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the rows whose particle is not among ``uids``."""
        return np.flatnonzero(~np.isin(self.uid, uids))

    def input_rows(
        self,
        micrographs: Sequence[Micrograph],
        exposures: Exposures | None,
        files: ProjectFiles,
        *,
        flip_y: bool,
        rows: NDArray[np.int64] | None = None,
    ) -> InputRows:
        """Return the rows, or some of them: on the micrographs where there are exposures."""
        if exposures is None:
            return InputRows(len(self), stacks=self.stacks(files, rows))
        return self.on_micrographs(exposures, flip_y=flip_y).input_rows(micrographs, rows)


def _merit(part: Any) -> NDArray[np.float64]:
    """Return ``ncc_score``; or ``power`` where that is the same for all: Topaz's is there."""
    for field in ("pick_stats/ncc_score", "pick_stats/power"):
        if field in part.fields():
            found = np.asarray(part[field]).astype(np.float64)
            found[~np.isfinite(found)] = np.nan
            if len(np.unique(found[np.isfinite(found)])) > 1:
                return found
    return np.full(len(part), np.nan)


def _stacks_of(
    part: Any, chosen: NDArray[np.int64], begin: int, files: ProjectFiles
) -> list[ParticleStack]:
    def column(name: str) -> NDArray[np.float64]:
        return numbers(part, name)[chosen]

    paths = texts(needed(part, "blob/path"))[chosen]
    index = needed(part, "blob/idx").astype(np.int64)[chosen]
    pixel = column("blob/psize_A")
    for name, bad in (
        ("an image (blob/path)", np.array([not in_project(path) for path in paths], np.bool_)),
        ("a pixel size (blob/psize_A)", ~(pixel > 0)),
    ):
        if bad.any():
            raise InputError(
                f"{np.count_nonzero(bad)} of {len(chosen)} particles without {name}; "
                "extract them again"
            )
    sign, signature = column("blob/sign"), column("blob/import_sig")
    position = column("location/micrograph_psize_A")
    x, y, names = _positions(part, chosen)
    shape = np.zeros((len(chosen), 2), np.int64)
    if "blob/shape" in part.fields():
        shape = np.asarray(part["blob/shape"]).astype(np.int64).reshape(-1, 2)[chosen]
    groups: dict[tuple[str, float, float, float, int, int, int], list[int]] = defaultdict(list)
    for at in range(len(chosen)):
        values = (float(pixel[at]), float(sign[at]), float(position[at]), int(signature[at]))
        groups[(str(paths[at]), *values, int(shape[at, 0]), int(shape[at, 1]))].append(at)
    found = []
    for (path, size, sign_of, position_of, signature_of, ny, nx), rows in groups.items():
        at_rows = np.array(rows, np.int64)
        found.append(
            ParticleStack(
                source=files.source(path, signature_of),
                row=begin + chosen[at_rows],
                index=index[at_rows],
                pixel_size_A=shortest(size),
                # -1 is dark particles on light ground; 0 or no field tells nothing.
                light=None if sign_of == 0 else sign_of > 0,
                micrograph_id=names[at_rows],
                x_px=x[at_rows],
                y_px=y[at_rows],
                position_pixel_A=position_of if position_of > 0 else None,
                shape=(ny, nx) if ny > 0 and nx > 0 else None,
            )
        )
    return found


def _positions(
    part: Any, chosen: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.str_]]:
    """Return x and y in pixels of the micrograph and its uid; NaN and empty without locations."""
    if not {"location/micrograph_uid", "location/micrograph_shape"} <= set(part.fields()):
        nothing = np.full(len(chosen), np.nan)
        return nothing, nothing, np.full(len(chosen), "")
    shape = np.asarray(part["location/micrograph_shape"]).astype(np.float64).reshape(-1, 2)[chosen]
    # a picture needs no place: one that is no number stays NaN
    x, y = (
        needed(part, f"location/center_{name}_frac").astype(np.float64)[chosen] * shape[:, axis]
        for name, axis in (("x", 1), ("y", 0))
    )
    uids = np.asarray(part["location/micrograph_uid"]).astype(np.uint64)[chosen]
    return x, y, np.array([str(uid) for uid in uids.tolist()], np.str_)
