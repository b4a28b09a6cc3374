"""Where RELION looks for the coordinate file of a micrograph."""

from __future__ import annotations

import re

_JOB = re.compile(r"^.*?/job\d{3,}/")


def relion_tail(micrograph: str) -> str:
    """Return the part of a micrograph's path that RELION mirrors in a job folder.

    The path behind the first ``/jobNNN/``, or all of it, without the last extension:
    ``MotionCorr/job002/Movies/gridA/x.12.mrc`` gives ``Movies/gridA/x.12``.
    """
    tail = _JOB.sub("", micrograph, count=1)
    folder, slash, name = tail.rpartition("/")
    stem, dot, _ = name.rpartition(".")
    return folder + slash + (stem if dot else name)
