"""All that the doctor looks at, in its order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from frostpick_jobs.commands.doctor.bundle import write_bundle
from frostpick_jobs.commands.doctor.disks import look_at_disks
from frostpick_jobs.commands.doctor.finding import Finding, Level, ok
from frostpick_jobs.commands.doctor.installation import (
    look_at_facility_models,
    look_at_versions,
    look_at_weights,
)
from frostpick_jobs.commands.doctor.machine import look_at_devices, look_at_threads
from frostpick_jobs.commands.doctor.output import JobFolder, look_at_output
from frostpick_jobs.commands.doctor.programs import look_at_cryosparc, look_at_relion


def examine(job: JobFolder | None, site: Sequence[Finding] = ()) -> Iterator[Finding]:
    """Yield what there is to say of the installation, the machine and a job's folder.

    Parameters
    ----------
    site
        What there is to say of the site's files of settings.
    """
    host = "" if job is None else job.host
    yield from look_at_versions()
    yield from look_at_weights()
    yield from look_at_facility_models()
    yield from site
    yield from look_at_devices()
    yield from look_at_threads()
    yield from look_at_disks(None if job is None else job.path)
    yield from look_at_relion(host == "relion")
    yield from look_at_cryosparc(host == "cryosparc")
    if job is not None:
        yield from look_at_output(job)


def run_doctor(
    out: Path | None, bundle: Path | None = None, *, site: Sequence[Finding] = ()
) -> Iterator[Finding]:
    """Yield the findings as they come, and pack them where a bundle is asked for.

    Parameters
    ----------
    site
        As for `examine`.

    Raises
    ------
    InputError
        The bundle's file is there already.
    """
    job = None if out is None else JobFolder.read(out)
    found = []
    for one in examine(job, site):
        found.append(one)
        yield one
    if bundle is not None:
        names = write_bundle(bundle, found, job)
        yield ok(f"{bundle}: {', '.join(names)}; no image, no model, no password in it")


def anything_to_do(found: list[Finding]) -> bool:
    """Tell whether somebody has to do something."""
    return any(one.level is Level.DO for one in found)
