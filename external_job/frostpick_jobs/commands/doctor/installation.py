"""Versions, and whether the weights that come with frostpick are whole."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata

from frostpick.errors import ModelError
from frostpick.models import facility
from frostpick.models.catalogue import facility_catalogue, find_card
from frostpick.models.versions import VERSIONS
from frostpick.runtime.run_record import versions
from frostpick_jobs.commands.doctor.finding import Finding, do, note, ok


def look_at_versions() -> Iterator[Finding]:
    """Tell the versions of frostpick and of the libraries that touch its numbers."""
    found = versions()
    missing = [name for name, version in found.items() if version == "unknown"]
    told = ", ".join(f"{name} {version}" for name, version in found.items() if name not in missing)
    yield ok(f"{told}; {platform.platform()}")
    if missing:
        yield do(f"{', '.join(missing)}: not installed; install frostpick again with pip")
    try:
        yield ok(f"cryosparc-tools {metadata.version('cryosparc-tools')}")
    except metadata.PackageNotFoundError:
        yield note("cryosparc-tools is not installed: pip install 'frostpick[cryosparc]' adds it")


def look_at_weights() -> Iterator[Finding]:
    """Compare each shipped model with the digest in its file."""
    whole = []
    for version in (one for row in VERSIONS.values() for one in row):
        try:
            whole.append(f"{version} {find_card(version)[1][:12]}")
        except (ModelError, OSError) as error:
            yield do(f"the shipped model {version} is damaged: {error}; install frostpick again")
    if whole:
        yield ok(f"the shipped models are whole: {', '.join(whole)}")


def look_at_facility_models() -> Iterator[Finding]:
    """Tell which of the facility's own models can be used by name, and why others cannot."""
    if not facility.folders():
        return
    try:
        usable, wrong = facility_catalogue()
    except ModelError as error:
        yield do(str(error))
        return
    yield ok(f"{facility.ENVIRONMENT}: {', '.join(usable) or 'no model'}")
    yield from map(do, wrong.values())
