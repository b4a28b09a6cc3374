"""Copies the further files of a delivery into a job's folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from frostpick.models.model_file import CARD, WEIGHTS
from frostpick.runtime.atomic import atomic_write
from frostpick_jobs.job.own_files import OwnFiles


def copy_files(files: Mapping[str, Path], folder: Path, own: OwnFiles | None = None) -> None:
    """Copy each file to its place below ``folder``, whole or not at all.

    Parameters
    ----------
    own
        What of the folder is the job's own; `InputError` before anything else is replaced.
        None where that is known.
    """
    if own is not None:
        places = [folder / name for name in files]
        own.refuse_foreign(places)
        own.note(*places)
    for name, source in files.items():
        with source.open("rb") as given, atomic_write(folder / name) as handle:
            shutil.copyfileobj(given, handle)


def model_files(name: str) -> tuple[str, str]:
    """Return the files of a model that is saved in a folder of this name."""
    return f"{name}/{WEIGHTS}", f"{name}/{CARD}"
