"""Whether RELION and CryoSPARC answer; a short time is enough for those that are well."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from frostpick_jobs.commands.doctor.finding import Finding, do, note, ok

RELION = "relion_refine"
SECONDS = 5.0


def look_at_relion(needed: bool, seconds: float = SECONDS) -> Iterator[Finding]:
    """Ask RELION's programs for their version.

    Parameters
    ----------
    needed
        Whether the output is a job of RELION: then a missing one is worth a word, though RELION
        itself may run on another machine.
    """
    path = shutil.which(RELION)
    if path is None:
        text = f"RELION: no {RELION} on the PATH here"
        yield do(f"{text}; load RELION's module, or set PATH") if needed else note(text)
        return
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        yield do(f"RELION: {path} does not run: {error}")
        return
    first = next(iter((done.stdout or done.stderr).splitlines()), "").strip()
    if done.returncode:
        yield do(f"RELION: {path} --version ended with status {done.returncode}: {first}")
    else:
        yield ok(f"{first or 'RELION'} at {path}")


def look_at_cryosparc(
    needed: bool, seconds: float = SECONDS, environ: Mapping[str, str] = os.environ
) -> Iterator[Finding]:
    """Ask whether the server of ``CRYOSPARC_BASE_URL`` answers, without a login.

    Parameters
    ----------
    needed
        Whether the output is a job of CryoSPARC.
    """
    url = environ.get("CRYOSPARC_BASE_URL", "")
    if not url:
        text = "CryoSPARC: CRYOSPARC_BASE_URL is not set"
        yield do(f"{text}; set it to http://HOST:39000") if needed else note(text)
        return
    shown = urlsplit(url)._replace(query="").geturl()
    try:
        with urllib.request.urlopen(url, timeout=seconds):
            pass
    except urllib.error.HTTPError:
        pass  # an answer is an answer
    except (OSError, ValueError) as error:
        yield do(
            f"CryoSPARC: {shown} does not answer within {seconds:g} s ({error}); is it up, and can "
            "this machine reach it?"
        )
        return
    yield ok(f"CryoSPARC answers at {shown}; frostpick cryosparc login-check tries the login")
