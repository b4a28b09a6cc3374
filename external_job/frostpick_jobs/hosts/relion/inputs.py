"""The files that RELION names in a job's input fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from frostpick.errors import InputError
from frostpick.images import PixelSizes
from frostpick.types import Labels, LocalFile, Micrograph
from frostpick_jobs.formats import read_micrographs_star, read_picks
from frostpick_jobs.hosts.relion.arguments import JobArguments
from frostpick_jobs.hosts.relion.paths import check_tails
from frostpick_jobs.inputs.headers import with_header
from frostpick_jobs.inputs.label_matching import labels_for


def check_inputs(arguments: JobArguments, labelled: bool) -> None:
    """Check that the fields a task needs are filled and their files exist.

    Raises
    ------
    InputError
        Naming the field of the External job.
    """
    if arguments.in_mics is None:
        raise InputError("no micrographs; fill in the field 'Input micrographs'")
    if labelled and arguments.in_coords is None and arguments.in_parts is None:
        raise InputError(
            "no picks to learn from; fill in the field 'Input coordinates' or 'Input particles'"
        )
    for flag in ("in_mics", "in_coords", "in_parts"):
        name = getattr(arguments, flag)
        if name is not None and not Path(name).is_file():
            raise InputError(f"{name}: no such file (--{flag}); run the job that writes it first")


def read_micrographs(in_mics: str) -> list[Micrograph]:
    """Return the micrographs of a STAR file, in its order.

    The id is the text of ``rlnMicrographName``; the file lies below the project
    folder, which is the working folder, and links stay as they are. A file that is
    missing is found out when it is read, and costs that micrograph alone.

    Raises
    ------
    InputError
        Not a micrographs STAR file, none in it, one named twice, or names
        that RELION cannot keep apart.
    """
    project = Path.cwd()
    rows = read_micrographs_star(Path(in_mics))
    if not rows:
        raise InputError(f"{in_mics}: no micrographs in it; expected at least one row")
    names = [row.name for row in rows]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{in_mics}: micrograph {twice[0]!r} is in it more than once")
    check_tails(names)
    return [
        Micrograph(row.name, LocalFile(project / row.name), row.pixel_size_A, group=row.group)
        for row in rows
    ]


def read_labels(
    arguments: JobArguments,
    micrographs: Sequence[Micrograph],
    *,
    pixel_size_A: float | None,
    picks_pixel_size_A: float | None,
) -> Mapping[str, Labels]:
    """Return labels from the coordinates and the particles that the job was given.

    Parameters
    ----------
    pixel_size_A
        Pixel size of micrographs of which neither RELION nor the header knows it.
    picks_pixel_size_A
        Pixel size the picks were made at, where it is not the micrographs'.
    """
    sizes = PixelSizes(pixel_size_A)
    files = [name for name in (arguments.in_coords, arguments.in_parts) if name is not None]
    return labels_for(
        [read_picks(Path(name), Path()) for name in files],
        micrographs,
        picks_pixel_size_A=picks_pixel_size_A,
        complete=lambda micrograph: with_header(micrograph, sizes),
    )
