"""Where the results of a CryoSPARC job lie until they are saved: on this machine, never in the job.

Clearing a job in the web page empties its folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit


def spool_folder(
    url: str,
    project: str,
    job: str,
    base: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Path:
    """Return the local folder of a job.

    Parameters
    ----------
    base
        Given by the user; else ``FROSTPICK_SPOOL``, else ``frostpick`` in
        ``XDG_STATE_HOME`` (``~/.local/state``).
    """
    if base is None:
        given = environ.get("FROSTPICK_SPOOL")
        state = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
        base = Path(given) if given else Path(state) / "frostpick"
    where = urlsplit(url)
    server = re.sub(r"[^A-Za-z0-9.-]+", "_", where.netloc)
    return base / "cryosparc" / server / f"{project}-{job}"
