"""Digests of what is given to a training: what its course depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostpick.images import is_machine_error
from frostpick.runtime.basis import Basis
from frostpick.runtime.checkpoint import training_key
from frostpick.training.examples import TrainingImage
from frostpick.types import Labels, Micrograph, Picks


def labels_digest(labels: Mapping[str, Labels]) -> str:
    """Return a digest over the positions and signs of all labels, and what they are worth."""
    return _digest(
        (f"{name}|{len(one)}|{one.complete}|", _told(one)) for name, one in sorted(labels.items())
    )


def worth_digest(images: Sequence[TrainingImage]) -> str:
    """Return a digest over the labels of judged images and what each counts."""
    return _digest(
        (
            f"{one.micrograph_id}|",
            (one.particles_yx, np.zeros(0) if one.worth is None else one.worth),
        )
        for one in images
    )


def _told(one: Labels) -> tuple[NDArray[Any], ...]:
    """Return what labels are; what they are worth, only where that is not 1 for all."""
    told = (one.x_px, one.y_px, one.sign)
    return (*told, one.worth) if (one.worth < 1.0).any() else told


def picks_digest(picks: Mapping[str, Picks]) -> str:
    """Return a digest over the positions and probabilities of all picks."""
    return _digest(
        (f"{name}|{len(one)}|", (one.x_px, one.y_px, one.probability))
        for name, one in sorted(picks.items())
    )


def with_labels(labels: Mapping[str, Labels]) -> dict[str, Labels]:
    """Return the micrographs that something is known of: new ones without labels do not count."""
    return {name: one for name, one in labels.items() if len(one) or one.complete}


def fingerprint(micrograph: Micrograph) -> str | None:
    """Return the fingerprint of a file; None where it is not there, which ends no job.

    A machine or a disk that fails does: the file may be the same as before.
    """
    try:
        return micrograph.source.fingerprint()
    except OSError as error:
        if is_machine_error(error):
            raise
        return None


def micrographs_told(
    micrographs: Iterable[Micrograph],
) -> list[tuple[str, str | None, float | None]]:
    """Return name, `fingerprint` and pixel size (Angstrom) of each micrograph, as JSON values."""
    return [(m.id, fingerprint(m), m.pixel_size_A) for m in micrographs]


def basis_of(
    parts: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    method: Collection[str] = ("format", "recipe"),
    **inputs: Any,
) -> Basis:
    """Return the basis of a training.

    Parameters
    ----------
    parts
        JSON values: all that its course depends on.
    settings
        What the user asked for, by the names of the options.
    method
        Names of the ``parts`` that are numbers of the method.
    inputs
        JSON values by what they are called in a message, ``_`` read as a blank.
    """
    return Basis(
        key=training_key(parts),
        settings=settings,
        inputs={name.replace("_", " "): training_key({"": told}) for name, told in inputs.items()},
        method=training_key({name: parts[name] for name in method}),
    )


def _digest(parts: Iterable[tuple[str, Sequence[NDArray[Any]]]]) -> str:
    total = hashlib.sha256()
    for text, columns in parts:
        total.update(text.encode())
        for column in columns:
            total.update(np.ascontiguousarray(column).tobytes())
    return total.hexdigest()
