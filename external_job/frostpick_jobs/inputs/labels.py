"""Labels of a training job from the files that a user gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from frostpick.images import PixelSizes
from frostpick.types import Labels, Micrograph
from frostpick_jobs.formats import read_pick_files
from frostpick_jobs.inputs.headers import with_header
from frostpick_jobs.inputs.label_matching import labels_for


def read_labels(
    files: Sequence[str],
    micrographs: Sequence[Micrograph],
    *,
    project: Path | None = None,
    pixel_size_A: float | None = None,
    picks_pixel_size_A: float | None = None,
    allow_missing: bool = False,
) -> Mapping[str, Labels]:
    """Return labels or exemplars, re-centred and matched to the job's micrographs.

    Parameters
    ----------
    files
        Files, folders and patterns of picks and particles.
    project
        Folder that paths inside the files are relative to; None looks for it above each file.
    pixel_size_A
        Pixel size of micrographs of which neither the host nor the header knows it.
    picks_pixel_size_A
        Pixel size the picks were made at, where it is not the micrographs'.
    allow_missing
        Go on without folders that cannot be read, with a warning.

    Raises
    ------
    InputError
        A file or a folder cannot be read.
    LabelError
        Names cannot be matched, or a pixel size is needed and unknown.
    """
    sizes = PixelSizes(pixel_size_A)
    return labels_for(
        read_pick_files(files, project, allow_missing=allow_missing),
        micrographs,
        picks_pixel_size_A=picks_pixel_size_A,
        complete=lambda micrograph: with_header(micrograph, sizes),
    )
