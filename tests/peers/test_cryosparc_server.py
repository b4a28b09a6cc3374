"""The loopback server is as strict as the public sources say: the real client drives all of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from waits import LONG

pytest.importorskip("cryosparc")
pytest.importorskip("fastapi")

pytestmark = pytest.mark.cryosparc


def test_the_real_client_passes_every_group_of_the_selfcheck():
    clean = {n: v for n, v in os.environ.items() if not n.startswith("CRYOSPARC_")}
    done = subprocess.run(
        [sys.executable, "-m", "csemu.selfcheck"],
        cwd=Path(__file__).parent,
        env=clean,
        capture_output=True,
        text=True,
        timeout=LONG,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "16 groups passed" in done.stdout
