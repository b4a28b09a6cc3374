"""Native coordinates: files where RELION looks for them, and the one that stands for all."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from frostpick.runtime.atomic import write_text
from frostpick_jobs.formats import StarTable, write_micrograph_star, write_star_blocks
from frostpick_jobs.hosts.relion.arguments import JobArguments
from frostpick_jobs.hosts.relion.generation import Generation
from frostpick_jobs.hosts.relion.nodes import Node, NodeKind
from frostpick_jobs.hosts.relion.paths import SUFFIX, coordinate_file
from frostpick_jobs.job.outputs import MicrographOutput
from frostpick_jobs.job.own_files import OwnFiles

logger = logging.getLogger(__name__)

LIST_FILE = f"{SUFFIX}.star"
SUFFIX_FILE = f"coords_suffix_{SUFFIX}.star"


class PickFiles:
    """The picks of a job, micrograph by micrograph, and then the files that stand for all.

    Parameters
    ----------
    arguments
        Of the job.
    generation
        Whose files to write.
    own
        Which files the job has written.
    """

    def __init__(self, arguments: JobArguments, generation: Generation, own: OwnFiles) -> None:
        self._arguments, self._generation, self._own = arguments, generation, own
        self._names: list[str] = []
        self._dropped = 0

    def add(self, output: MicrographOutput) -> None:
        """Write the selected picks of one micrograph.

        A header alone when there are none. Rounded to pixels, and those off the image left
        out: Extract truncates, and one coordinate outside ends it with an error.
        """
        path = self._arguments.job / coordinate_file(output.micrograph.id)
        picks = output.picks.keep(output.picks.selected)
        self._own.note(path)
        self._dropped += write_micrograph_star(path, picks, output.shape)
        self._names.append(output.micrograph.id)

    def complete(self) -> Node:
        """Write the lists, take back what is stale, and return the node."""
        if self._dropped:
            logger.warning("%d picks lay off their micrographs and are left out", self._dropped)
        names, self._names = self._names, []
        remove_stale(self._arguments.job, names, self._own)
        return write_lists(self._arguments, names, self._generation, self._own)


def stands_for_all(generation: Generation) -> str:
    """Return the name of the file that a generation takes for all coordinates of a job.

    4 and 5 read ``autopick.star``, a list of micrographs and their files; 3.1 reads
    ``coords_suffix_autopick.star``, whose text is the micrographs STAR file.
    """
    return SUFFIX_FILE if generation is Generation.RELION_3 else LIST_FILE


def write_lists(
    arguments: JobArguments, names: Sequence[str], generation: Generation, own: OwnFiles
) -> Node:
    """Write the file that stands for all coordinates, and return it as a node.

    Parameters
    ----------
    names
        Picked micrographs, byte for byte as in the micrographs STAR file.
    generation
        The list is written for 3.1 as well: its Extract does not look at it, and our own
        training can.
    """
    job, prefix = arguments.job, arguments.prefix
    own.note(job / LIST_FILE, job / stands_for_all(generation))
    columns = {
        "rlnMicrographName": list(names),
        "rlnMicrographCoordinates": [prefix + coordinate_file(name) for name in names],
    }
    table = StarTable("coordinate_files", columns)
    write_star_blocks(job / LIST_FILE, [table], generation.star_version)
    if generation is Generation.RELION_3:
        assert arguments.in_mics is not None
        write_text(job / SUFFIX_FILE, arguments.in_mics + "\n")
    return stands_for_all(generation), NodeKind.COORDINATES


def remove_stale(job: Path, names: Iterable[str], own: OwnFiles) -> None:
    """Remove this job's coordinates of micrographs that it no longer has or could not pick.

    3.1 finds coordinates by their path alone, and would extract from old ones.
    """
    kept = {job / SUFFIX_FILE, *(job / coordinate_file(name) for name in names)}
    stale = [p for p in job.rglob(f"*_{SUFFIX}.star") if p not in kept and p in own]
    for path in stale:
        path.unlink(missing_ok=True)
    if stale:
        logger.info("removed the coordinates of %d micrographs not picked this time", len(stale))
