"""One micrograph's stored result: a small ``.npz`` without pickle."""

from __future__ import annotations

import io
import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.pick_columns import OPTIONAL
from frostpick.types import Picks

#: All that zipfile, numpy and json raise for damaged bytes (seen with every bit of a file flipped).
_DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    RuntimeError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
#: Optional columns are arrays of this name and theirs.
_ARRAY = "column_"


@dataclass(frozen=True)
class StoredPicks:
    """A finished micrograph.

    Parameters
    ----------
    micrograph_id
        The host's id.
    picks
        All picks above the floor, by descending score; ``selected`` is not meant.
    shape
        Rows and columns of the micrograph.
    pixel_size_A
        The pixel size in force, in Angstrom.
    seconds
        Time of each stage.
    preview
        ``(h, w)`` uint8 small picture, kept for a few micrographs only.
    decoys
        Picks with inverted contrast, of some micrographs only: places and scores.
    """

    micrograph_id: str
    picks: Picks
    shape: tuple[int, int]
    pixel_size_A: float
    seconds: Mapping[str, float]
    preview: NDArray[np.uint8] | None = None
    decoys: Picks | None = None


def result_bytes(result: StoredPicks, key: Mapping[str, Any]) -> bytes:
    """Return the file of a result and the parts of its key.

    An optional column of the picks is an array of its own, and is named only when present.
    """
    picks = result.picks
    optional = picks.optional()
    about = {
        "id": result.micrograph_id,
        "key": dict(key),
        "shape": list(result.shape),
        "pixel_size_A": result.pixel_size_A,
        "diameter_A": picks.diameter_A,
        "source": picks.source,
        "seconds": dict(result.seconds),
        "preview": result.preview is not None,
    }
    if optional:
        about["columns"] = list(optional)
    arrays = {
        "about": np.frombuffer(json.dumps(about).encode("ascii"), np.uint8),
        "picks": _columns(picks),
    }
    if result.decoys is not None:
        arrays["decoys"] = _columns(result.decoys)
    if result.preview is not None:
        arrays["preview"] = np.ascontiguousarray(result.preview, np.uint8)
    for name, values in optional.items():
        arrays[_ARRAY + name] = values.astype(OPTIONAL[name].newbyteorder("<"))
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def _columns(picks: Picks) -> NDArray[np.float64]:
    return np.stack([picks.x_px, picks.y_px, picks.score]).astype("<f8")


def read_result(
    source: Path | bytes, micrograph_id: str
) -> tuple[StoredPicks, dict[str, Any]] | None:
    """Return a result and the parts of its key, from its file or from what was in it.

    None where the file is missing, damaged or another micrograph's. All of it is read, so
    that a truncated or damaged file shows now and not when the outputs are written.
    """
    try:
        opened = io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")
        with opened as handle, np.load(handle, allow_pickle=False) as archive:
            about = json.loads(archive["about"].tobytes())
            x, y, score = archive["picks"].astype(np.float64)
            preview = archive["preview"] if about["preview"] else None
            decoys = archive["decoys"].astype(np.float64) if "decoys" in archive else None
            # a column that is not declared is one of a later version: the file is not understood
            optional = {
                name: archive[_ARRAY + name].astype(OPTIONAL[name])
                for name in about.get("columns", ())
            }
        if about["id"] != micrograph_id:
            return None
        picks = Picks.from_xy(
            micrograph_id,
            x,
            y,
            score=score,
            diameter_A=about["diameter_A"],
            source=about["source"],
            **optional,
        )
        rows, columns = about["shape"]
        result = StoredPicks(
            micrograph_id=micrograph_id,
            picks=picks,
            shape=(int(rows), int(columns)),
            pixel_size_A=float(about["pixel_size_A"]),
            seconds=dict(about["seconds"]),
            preview=preview,
            decoys=None
            if decoys is None
            else Picks.from_xy(
                micrograph_id, decoys[0], decoys[1], score=decoys[2], diameter_A=about["diameter_A"]
            ),
        )
        return result, dict(about["key"])
    except _DAMAGED:
        return None
