"""Environments of other programs, for tests that run those: made once and kept.

They lie in ``.venv-peers`` of the checkout, or where ``FROSTPICK_PEER_ENVS`` says.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Longest installation, in seconds.
_LONG = 900


def environment(name: str, *packages: str) -> Path:
    """Return the Python of an environment that has some packages; skip where it cannot be made."""
    folder = Path(os.environ.get("FROSTPICK_PEER_ENVS", ROOT / ".venv-peers")) / name
    python, ready = folder / "bin" / "python", folder / ".ready"
    wanted = "\n".join(packages)
    if ready.is_file() and ready.read_text() == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages],
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LONG)
        except subprocess.TimeoutExpired:
            pytest.skip(f"{' '.join(packages)} took more than {_LONG} s to install")
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            pytest.skip(f"{' '.join(packages)} cannot be installed: {last}")
    ready.write_text(wanted)
    return python
