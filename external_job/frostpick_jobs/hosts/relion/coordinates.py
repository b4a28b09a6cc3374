"""A picking job's native outputs: coordinates where RELION looks for them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from frostpick.runtime.atomic import write_text
from frostpick_jobs.formats import StarTable, write_micrograph_star, write_star_blocks
from frostpick_jobs.hosts.relion.generation import Generation
from frostpick_jobs.hosts.relion.nodes import NodeKind
from frostpick_jobs.hosts.relion.paths import SUFFIX, coordinate_file
from frostpick_jobs.job.host import MicrographOutput

logger = logging.getLogger(__name__)

LIST_FILE = f"{SUFFIX}.star"
SUFFIX_FILE = f"coords_suffix_{SUFFIX}.star"


def write_coordinates(job: Path, output: MicrographOutput) -> int:
    """Write the selected picks of one micrograph; return how many lay off the image.

    A header alone when there are none. Rounded to pixels, and those off the image left
    out: Extract truncates, and one coordinate outside ends it with an error.
    """
    path = job / coordinate_file(output.micrograph.id)
    return write_micrograph_star(path, output.picks.keep(output.picks.selected), output.shape)


def write_lists(
    job: Path, prefix: str, in_mics: str, names: Sequence[str], generation: Generation
) -> tuple[str, NodeKind]:
    """Write the file that stands for all coordinates, and return it as a node.

    Parameters
    ----------
    job, prefix
        The job folder, and as RELION wrote it.
    in_mics
        The micrographs STAR file as RELION wrote it.
    names
        Picked micrographs, byte for byte as in that file.
    generation
        4 and 5 read ``autopick.star``, a list of micrographs and their files; 3.1
        reads ``coords_suffix_autopick.star``, whose text is the micrographs STAR
        file. The list is written for 3.1 as well: its Extract does not look at
        it, and our own training can.
    """
    columns = {
        "rlnMicrographName": list(names),
        "rlnMicrographCoordinates": [prefix + coordinate_file(name) for name in names],
    }
    version = 50001 if generation is Generation.RELION_5 else 30001
    write_star_blocks(job / LIST_FILE, [StarTable("coordinate_files", columns)], version)
    if generation is not Generation.RELION_3:
        return LIST_FILE, NodeKind.COORDINATES
    write_text(job / SUFFIX_FILE, in_mics + "\n")
    return SUFFIX_FILE, NodeKind.COORDINATES


def remove_stale(job: Path, names: Iterable[str]) -> None:
    """Remove coordinates of micrographs that this job no longer has or could not pick.

    3.1 finds coordinates by their path alone, and would extract from old ones.
    """
    kept = {job / coordinate_file(name) for name in names}
    stale = [p for p in job.rglob(f"*_{SUFFIX}.star") if p not in kept and p != job / SUFFIX_FILE]
    for path in stale:
        path.unlink(missing_ok=True)
    if stale:
        logger.info("removed the coordinates of %d micrographs not picked this time", len(stale))
