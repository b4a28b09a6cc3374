"""Which RELION started this job, and what it calls the kinds of files we write."""

from __future__ import annotations

import enum
import logging
from pathlib import Path

logger = logging.getLogger(__name__)


class Generation(enum.Enum):
    """The three generations of node types."""

    RELION_3 = "3.1"
    RELION_4 = "4.0"
    RELION_5 = "5"

    @property
    def star_version(self) -> int:
        """Number in the version comment of the tables that it writes."""
        return 50001 if self is Generation.RELION_5 else 30001


_RELION_5_TYPES = (
    "MicrographGroupMetadata",
    "MicrographCoordsGroup",
    "MicrographMovieGroupMetadata",
    "ParticleGroupMetadata",
)
_RELION_4_TYPES = ("MicrographsData", "MicrographsCoords", "MicrographMoviesData", "ParticlesData")


def detect_generation(job: Path) -> Generation:
    """Return the generation of the RELION that made a job folder.

    The node table of ``job_pipeline.star`` lists the job's inputs by type before the
    program starts: an integer type is 3.1, a label is 4 or 5 by its words. Without
    an input the version comment of RELION's own two files tells 5 from 4 (an input
    file's comment tells nothing: 5 still imports with that of 3.1). In doubt 5:
    the nodes file carries integers as well as labels.
    """
    pipeline, settings = (_text(job / name) for name in ("job_pipeline.star", "job.star"))
    if any(word in pipeline for word in _RELION_5_TYPES):
        return Generation.RELION_5
    if any(word in pipeline for word in _RELION_4_TYPES):
        return Generation.RELION_4
    columns = {line.split()[0] for line in (pipeline + settings).splitlines() if line.strip()}
    if columns & {"_rlnPipeLineNodeTypeLabel", "_rlnPipeLineProcessTypeLabel", "_rlnJobTypeLabel"}:
        newest = "# version 50001" in pipeline or "# version 50001" in settings
        return Generation.RELION_5 if newest else Generation.RELION_4
    if columns & {"_rlnPipeLineNodeType", "_rlnPipeLineProcessType", "_rlnJobType"}:
        return Generation.RELION_3
    logger.warning("%s: no job_pipeline.star and no job.star; writing for RELION 5", job)
    return Generation.RELION_5


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
