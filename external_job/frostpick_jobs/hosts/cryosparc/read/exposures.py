"""Rows of an exposure input as micrographs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.errors import InputError, option
from frostpick.types import Micrograph
from frostpick_jobs.formats.walk import in_project
from frostpick_jobs.hosts.cryosparc.read.fields import texts
from frostpick_jobs.hosts.cryosparc.read.sources import ProjectFiles

log = logging.getLogger(__name__)

#: The slot that names a micrograph; outputs always refer to it.
ORIGINAL = "micrograph_blob"


@dataclass(frozen=True)
class Exposures:
    """Exposures of a job, one array a column.

    Parameters
    ----------
    uid
        ``(n,)`` uint64.
    path, shape, pixel_size_A
        ``(n,)`` object, ``(n, 2)`` uint32 rows and columns, ``(n,)`` float32: the
        original micrograph, which outputs name.
    image_path, image_shape, image_pixel_size_A
        The same of the image that is read: another slot's where the user asked for one.
    group
        ``(n,)`` uint32 exposure group.
    subtracted
        ``(n,)`` bool: CryoSPARC has subtracted the background of the image.
    signature
        ``(n,)`` uint64, CryoSPARC's signature of the image file; 0 unknown.
    """

    uid: NDArray[np.uint64]
    path: NDArray[np.object_]
    shape: NDArray[np.uint32]
    pixel_size_A: NDArray[np.float32]
    image_path: NDArray[np.object_]
    image_shape: NDArray[np.uint32]
    image_pixel_size_A: NDArray[np.float32]
    group: NDArray[np.uint32]
    subtracted: NDArray[np.bool_]
    signature: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.uid)

    def originals(self) -> Exposures:
        """Return the same exposures, of which the original micrographs are read."""
        return replace(
            self,
            image_path=self.path,
            image_shape=self.shape,
            image_pixel_size_A=self.pixel_size_A,
        )

    def rows(self) -> dict[str, int]:
        """Return the row of each micrograph id."""
        return {str(uid): row for row, uid in enumerate(self.uid.tolist())}


def read_exposures(parts: Sequence[Any], image_slot: str) -> Exposures:
    """Join the datasets of all connections of a micrograph input.

    Parameters
    ----------
    parts
        A cryosparc ``Dataset`` for each connection.
    image_slot
        The slot whose image is to be read.

    Raises
    ------
    InputError
        An exposure comes twice, or has no file, shape or pixel size.
    """
    read = [_read_part(part, image_slot) for part in parts]
    joined = Exposures(
        **{
            f.name: np.concatenate([getattr(one, f.name) for one in read])
            for f in fields(Exposures)
        }
    )
    _check(joined)
    return joined


def log_exposures(exposures: Exposures, image_slot: str) -> None:
    """Log how many images of which slot there are, their sizes, and what was done to them."""
    sizes = np.unique(exposures.image_shape, axis=0)
    pixels = np.unique(exposures.image_pixel_size_A)
    log.info(
        "%d exposures, slot %s, %d image sizes, pixel size %s; CryoSPARC has subtracted the "
        "background of %d; nothing more is subtracted",
        len(exposures),
        image_slot,
        len(sizes),
        " to ".join(f"{p:.4g}" for p in dict.fromkeys((pixels.min(), pixels.max()))) + " A",
        np.count_nonzero(exposures.subtracted),
    )


def as_micrographs(exposures: Exposures, files: ProjectFiles) -> list[Micrograph]:
    """Return the exposures as micrographs; the id is the uid in decimal."""
    columns = zip(
        exposures.uid.tolist(),
        exposures.image_path,
        exposures.signature.tolist(),
        exposures.image_pixel_size_A.astype(np.float64).tolist(),
        exposures.image_shape.tolist(),
        exposures.group.tolist(),
        strict=True,
    )
    return [
        Micrograph(
            id=str(uid),
            source=files.source(str(path), signature),
            pixel_size_A=shortest(pixel_size),
            shape=(int(shape[0]), int(shape[1])),
            group=str(group),
            reverse_tiff=False,  # row 0 of any file is row 0 in CryoSPARC
        )
        for uid, path, signature, pixel_size, shape, group in columns
    ]


def shortest(pixel_size_A: float) -> float:
    """Return the shortest decimal that is this single-precision number: 1.1, not 1.10000002."""
    return float(str(np.float32(pixel_size_A)))


def _read_part(part: Any, image_slot: str) -> Exposures:
    n, known = len(part), set(part.fields())

    def column(field: str, dtype: Any, shape: tuple[int, ...] = ()) -> Any:
        if field not in known:
            return np.full(n, "", object) if dtype is object else np.zeros((n, *shape), dtype)
        if dtype is object:
            return texts(part[field])
        return np.array(part[field]).astype(dtype).reshape(n, *shape)

    groups = [f"{slot}/exp_group_id" for slot in ("mscope_params", "ctf")]
    return Exposures(
        uid=column("uid", np.uint64),
        path=column(f"{ORIGINAL}/path", object),
        shape=column(f"{ORIGINAL}/shape", np.uint32, (2,)),
        pixel_size_A=column(f"{ORIGINAL}/psize_A", np.float32),
        image_path=column(f"{image_slot}/path", object),
        image_shape=column(f"{image_slot}/shape", np.uint32, (2,)),
        image_pixel_size_A=column(f"{image_slot}/psize_A", np.float32),
        group=column(next((g for g in groups if g in known), groups[0]), np.uint32),
        subtracted=column(f"{image_slot}/is_background_subtracted", np.bool_),
        signature=column(f"{image_slot}/import_sig", np.uint64),
    )


def _check(exposures: Exposures) -> None:
    uid, count = np.unique(exposures.uid, return_counts=True)
    if (count > 1).any():
        raise InputError(
            f"exposure {uid[count > 1][0]} and {np.count_nonzero(count > 1) - 1} more come twice "
            "in the micrograph inputs; connect outputs that do not overlap"
        )
    pixel_A = exposures.image_pixel_size_A
    for name, bad in (
        ("path", np.array([not in_project(p) for p in exposures.image_path], np.bool_)),
        ("shape", (exposures.image_shape == 0).any(axis=1)),
        ("pixel size", ~(np.isfinite(pixel_A) & (pixel_A > 0))),
    ):
        if bad.any():
            raise InputError(
                f"exposure {exposures.uid[bad][0]}: its image has no {name} in the dataset "
                f"({np.count_nonzero(bad)} of {len(bad)} exposures); "
                f"choose another {option('blob')}"
            )
