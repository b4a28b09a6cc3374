"""Where frostpick's programs are, and how the pipeliner reads their version."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pipeliner.external_program_utils import ExternalProgram

#: Environment variable: the folder of frostpick's programs, such as ``/opt/frostpick/bin``.
#: Without it they are looked for on PATH.
FOLDER = "FROSTPICK_BIN"

#: ``--version`` prints the bare version, and a job's log has it behind the name.
VERSION = re.compile(r"(?:^|\bfrostpick )(?P<v>\d+(?:\.\d+)+[0-9a-z.+-]*)(?=:|\s*$)", re.MULTILINE)


def command_of(name: str) -> str:
    """Return how one of frostpick's programs is called."""
    folder = os.environ.get(FOLDER, "").strip()
    return str(Path(folder).expanduser() / name) if folder else name


def program(name: str) -> ExternalProgram:
    """Return one of frostpick's programs as the pipeliner knows it."""
    command = command_of(name)
    return ExternalProgram(
        command,
        name="frostpick",
        vers_com=[command, "--version"],
        vers_regex=VERSION,
        onedep_categories={"PARTICLE SELECTION": "em_image_processing"},
    )
