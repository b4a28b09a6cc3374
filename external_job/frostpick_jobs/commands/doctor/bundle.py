"""One file for the help desk: log, records and settings; no image, no model, no secret."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from frostpick.errors import InputError
from frostpick.runtime.atomic import atomic_write
from frostpick_jobs.commands.doctor.finding import Finding
from frostpick_jobs.commands.doctor.output import JobFolder
from frostpick_jobs.job.journal import LOG, RUNS
from frostpick_jobs.job.secrets import hide_secrets, without_secrets

#: Texts of a job's folder, and of its spool; nothing else is taken.
OF_JOB = (
    *(LOG, RUNS, "run.json", "frostpick.json", "micrographs.csv", "training.csv", "rounds.csv"),
    *("job.star", "run.out", "run.err", "note.txt", "RELION_OUTPUT_NODES.star"),
)
OF_SPOOL = ("job.json", "lock", "traceback.txt", "models/names.json")
#: Variables that say how a job ran.
_VARIABLES = ("FROSTPICK_", "SLURM_", "CRYOSPARC_BASE_URL", "CUDA_", "OMP_NUM_THREADS", "TMPDIR")
#: Of each text the end is taken, where the newest is.
MOST_BYTES = 5_000_000


def write_bundle(
    file: Path,
    findings: Sequence[Finding],
    job: JobFolder | None,
    environ: Mapping[str, str] = os.environ,
) -> list[str]:
    """Write the zip file; return the names in it.

    Raises
    ------
    InputError
        The file is there.
    """
    if file.exists():
        raise InputError(f"{file}: already there; give another name for the bundle")
    texts = {"doctor.txt": "".join(f"{one}\n" for one in findings)}
    chosen = {k: v for k, v in sorted(environ.items()) if k.startswith(_VARIABLES)}
    texts["environment.json"] = json.dumps(chosen, indent=1)
    if job is not None:
        texts |= dict(_texts(job))
        if job.runs:
            texts["settings.json"] = json.dumps(job.runs[-1].get("settings", {}), indent=1)
    with (
        atomic_write(file) as handle,
        zipfile.ZipFile(handle, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name, text in texts.items():
            packed.writestr(name, _clean(name, text, environ))
    return list(texts)


def _texts(job: JobFolder) -> Iterator[tuple[str, str]]:
    places = {name: job.path / name for name in OF_JOB}
    places |= {f"spool/{name}": job.spool / name for name in OF_SPOOL}
    for name, path in places.items():
        try:
            with path.open("rb") as handle:
                handle.seek(max(0, path.stat().st_size - MOST_BYTES))
                yield name, handle.read().decode("utf-8", "replace")
        except OSError:
            continue


def _clean(name: str, text: str, environ: Mapping[str, str]) -> str:
    """Return a text without secrets; of JSON those that lie deeper below a telling name, too."""
    try:
        if name.endswith(".json"):
            return json.dumps(hide_secrets(json.loads(text), environ), indent=1)
        if name.endswith(".jsonl"):
            lines = [json.loads(line) for line in text.splitlines() if line]
            return "".join(f"{json.dumps(hide_secrets(one, environ))}\n" for one in lines)
    except ValueError:
        pass
    return without_secrets(text, environ)
