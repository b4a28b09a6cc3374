"""The values that flow between hosts and engine: micrographs, picks and labels."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from frostpick.pick_columns import OPTIONAL, PickColumns, join_optional, typed


class MicrographSource(Protocol):
    """Where the bytes of a micrograph come from. Must be picklable."""

    @property
    def name(self) -> str:
        """File name with extension, for messages and for telling the format."""
        ...

    def fetch(self) -> AbstractContextManager[Path]:
        """Give a readable local file for the length of a ``with`` block.

        A local source does nothing; a remote one downloads and deletes. Raises
        ``OSError`` when the file cannot be had.
        """
        ...

    def fingerprint(self) -> str:
        """Return a short text that changes when the file does (size and time, or a hash)."""
        ...


@dataclass(frozen=True)
class LocalFile:
    """A micrograph on a disk that this process reads."""

    path: Path
    #: See `at_hand`.
    in_place: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """File name with extension."""
        return self.path.name

    def fetch(self) -> AbstractContextManager[Path]:
        """Give the path itself."""
        return nullcontext(self.path)

    def fingerprint(self) -> str:
        """Return size and modification time; ``OSError`` when the file is not there."""
        stat = self.path.stat()
        return f"{stat.st_size}:{stat.st_mtime_ns}"


def at_hand(source: MicrographSource) -> bool:
    """Return whether a file is read where it lies; one that must be fetched is fetched once."""
    return bool(getattr(source, "in_place", False))


@dataclass(frozen=True)
class Micrograph:
    """One micrograph of a job.

    Parameters
    ----------
    id
        The host's own identifier, opaque: a path relative to the folder that was
        searched, RELION's text byte for byte, CryoSPARC's decimal uid.
    source
        Where the file comes from.
    pixel_size_A
        The host's pixel size in Angstrom; None when only the header can tell.
    shape
        Rows and columns, where the host knows them before the file is read.
    group
        The host's optics or exposure group, opaque.
    reverse_tiff
        Whether row 0 of the host's positions is the last row of a TIFF file, as in RELION.
    """

    id: str
    source: MicrographSource
    pixel_size_A: float | None = None
    shape: tuple[int, int] | None = None
    group: str | None = None
    reverse_tiff: bool = True


P = TypeVar("P", bound="Picks")


@dataclass(frozen=True)
class Picks(PickColumns):
    """Picks on one micrograph, one array a column; see `OptionalColumns` for more of them.

    Parameters
    ----------
    micrograph_id
        `Micrograph.id`.
    x_px, y_px
        ``(n,)`` float64, column and row in full-resolution pixels, 0-based pixel centres.
    score
        ``(n,)`` float64, calibrated log-odds that the pick is a particle.
    probability
        ``(n,)`` float64, ``sigmoid(score)``.
    selected
        ``(n,)`` bool, above the job's threshold.
    row
        ``(n,)`` int64, row in the host's own table; -1 for a new pick.
    diameter_A
        Longest dimension of the particle in Angstrom, where known.
    source
        What made the picks: ``frostpick``, ``manual``, a file's format.
    """

    micrograph_id: str
    x_px: NDArray[np.float64] = field(metadata=typed(np.float64))
    y_px: NDArray[np.float64] = field(metadata=typed(np.float64))
    score: NDArray[np.float64] = field(metadata=typed(np.float64))
    probability: NDArray[np.float64] = field(metadata=typed(np.float64))
    selected: NDArray[np.bool_] = field(metadata=typed(np.bool_))
    row: NDArray[np.int64] = field(metadata=typed(np.int64))
    diameter_A: float | None = None
    source: str = "frostpick"

    def __post_init__(self) -> None:
        n = len(np.atleast_1d(self.x_px))
        types = self.types()
        for name, values in self.present().items():
            array = np.array(values, dtype=types[name], ndmin=1)
            if array.shape != (n,):
                raise ValueError(
                    f"{self.micrograph_id}: column {name} has shape {array.shape}, expected ({n},)"
                )
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def from_xy(
        cls: type[P],
        micrograph_id: str,
        x_px: ArrayLike,
        y_px: ArrayLike,
        *,
        score: ArrayLike | None = None,
        probability: ArrayLike | None = None,
        selected: ArrayLike | None = None,
        row: ArrayLike | None = None,
        **others: Any,
    ) -> P:
        """Build from coordinates; missing scores are 0 (probability 0.5), missing rows -1.

        A missing ``probability`` is ``sigmoid(score)``; missing ``selected`` is True.
        Optional columns are among the ``others``.
        """
        x = np.array(x_px, dtype=np.float64, ndmin=1)
        n = len(x)
        s = np.zeros(n) if score is None else np.array(score, dtype=np.float64, ndmin=1)
        return cls(
            micrograph_id=micrograph_id,
            x_px=x,
            y_px=np.array(y_px, dtype=np.float64, ndmin=1),
            score=s,
            probability=sigmoid(s) if probability is None else np.asarray(probability, np.float64),
            selected=np.ones(n, np.bool_) if selected is None else np.asarray(selected, np.bool_),
            row=np.full(n, -1, np.int64) if row is None else np.asarray(row, np.int64),
            **others,
        )

    @classmethod
    def empty(cls: type[P], micrograph_id: str, **others: Any) -> P:
        """Return no picks for a micrograph."""
        return cls.from_xy(micrograph_id, np.zeros(0), np.zeros(0), **others)

    def __len__(self) -> int:
        return len(self.x_px)

    def sorted(self: P) -> P:
        """Return the rows by descending score; ties by row (y) then column (x)."""
        return self.keep(np.lexsort((self.x_px, self.y_px, -self.score)))

    @classmethod
    def concat(cls: type[P], parts: Sequence[P]) -> P:
        """Join picks of the same micrograph; `ValueError` if they differ in optional columns."""
        if len({p.micrograph_id for p in parts}) != 1:
            raise ValueError("concat needs parts of one micrograph")
        joined: dict[str, Any] = {
            n: np.concatenate([getattr(p, n) for p in parts]) for n in cls.columns()
        }
        joined |= dict.fromkeys(OPTIONAL) | join_optional(parts)
        return replace(parts[0], **joined)


@dataclass(frozen=True)
class Labels(Picks):
    """Picks that teach: known particles, and (rarely) known non-particles.

    Parameters
    ----------
    sign
        ``(n,)`` int8: +1 for a particle, -1 for a place that is none.
    worth
        ``(n,)`` float64, what each counts in a training, 0 to 1; 1 unless labels were judged.
    complete
        True when every particle of the micrograph is labelled.
    """

    sign: NDArray[np.int8] = field(
        default=None,  # type: ignore[arg-type]
        metadata=typed(np.int8),
    )
    worth: NDArray[np.float64] = field(
        default=None,  # type: ignore[arg-type]
        metadata=typed(np.float64),
    )
    complete: bool = False

    def __post_init__(self) -> None:
        if self.worth is None:
            object.__setattr__(self, "worth", np.ones(len(np.atleast_1d(self.x_px))))
        if self.sign is None:
            object.__setattr__(self, "sign", np.ones(len(np.atleast_1d(self.x_px)), np.int8))
        super().__post_init__()
        if not np.isin(self.sign, (-1, 1)).all():
            raise ValueError(f"{self.micrograph_id}: a label's sign is +1 or -1")


#: Why a row is rejected; an empty text is the reason of a row that is kept.
REASONS = (
    "",
    "not particle",
    "carbon",
    "ice",
    "aggregate",
    "edge",
    "duplicate",
    "low score",
    "not read",
)


@dataclass(frozen=True)
class ParticleStack:
    """Extracted particles of a job that lie in one stack file.

    Parameters
    ----------
    source
        The stack, an MRC file of many sections.
    row
        ``(n,)`` int64, row of each particle in the host's own table.
    index
        ``(n,)`` int64, its section in the file, from 0.
    pixel_size_A
        Pixel size of the images.
    light
        True when the particles are lighter than the ice, as RELION and CryoSPARC store
        them; None when the host does not know.
    micrograph_id
        ``(n,)`` text, where each was cut; empty where unknown.
    x_px, y_px
        ``(n,)`` float64 position on the micrograph in pixels of ``position_pixel_A``; NaN
        where unknown.
    position_pixel_A
        Pixel size of the positions; None where unknown.
    shape
        Rows and columns of an image, as the host has it; None where it does not say.
    """

    source: MicrographSource
    row: NDArray[np.int64]
    index: NDArray[np.int64]
    pixel_size_A: float
    light: bool | None = None
    micrograph_id: NDArray[np.str_] | None = None
    x_px: NDArray[np.float64] | None = None
    y_px: NDArray[np.float64] | None = None
    position_pixel_A: float | None = None
    shape: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.row)

    def keep(self, index: ArrayLike) -> ParticleStack:
        """Return the particles of a mask or of an index array, in that order."""
        at = np.asarray(index)
        given = {n: getattr(self, n) for n in ("row", "index", "micrograph_id", "x_px", "y_px")}
        return replace(self, **{n: v[at] for n, v in given.items() if v is not None})


@dataclass(frozen=True)
class Decisions:
    """What becomes of every row of a host's table: exactly one line a row, by rising row.

    Parameters
    ----------
    row
        ``(n,)`` int64, 0 ... n - 1.
    keep
        ``(n,)`` bool.
    score, probability
        ``(n,)`` float64, log-odds of a particle and their sigmoid; NaN for a row whose
        image could not be read.
    spread
        ``(n,)`` float64, standard deviation of the score over four rotations; NaN where
        only one was looked at.
    reason
        ``(n,)`` int8, index into `REASONS`; 0 for a row that is kept.
    """

    row: NDArray[np.int64]
    keep: NDArray[np.bool_]
    score: NDArray[np.float64]
    probability: NDArray[np.float64]
    spread: NDArray[np.float64]
    reason: NDArray[np.int8]

    def __post_init__(self) -> None:
        n = len(self.row)
        if not np.array_equal(self.row, np.arange(n)):
            raise ValueError("decisions need every row exactly once, by rising row")
        for name in ("keep", "score", "probability", "spread", "reason"):
            if getattr(self, name).shape != (n,):
                raise ValueError(f"decisions: column {name} does not have {n} rows")
        if not np.array_equal(self.keep, self.reason == 0):
            raise ValueError("decisions: a row is kept exactly when it has no reason")

    def __len__(self) -> int:
        return len(self.row)

    def counts(self) -> dict[str, int]:
        """Return the number of rows kept, and rejected for each reason that occurs."""
        found = {"kept": int(self.keep.sum())}
        for number, reason in enumerate(REASONS):
            if number and (count := int(np.count_nonzero(self.reason == number))):
                found[reason] = count
        return found


def sigmoid(score: ArrayLike) -> NDArray[np.float64]:
    """Return ``1 / (1 + exp(-score))`` without overflow, float64."""
    s = np.asarray(score, dtype=np.float64)
    e = np.exp(-np.abs(s))
    return np.where(s >= 0, 1.0, e) / (1.0 + e)
