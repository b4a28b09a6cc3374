"""What libraries warn of is one clean line without paths, on the terminal and in run files."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
from made_images import write_mrc

from frostpick_jobs.cli.console import log_to_terminal
from frostpick_jobs.cli.notes import MOST
from frostpick_jobs.cli.relion_job import log_to_run_files


@pytest.fixture(autouse=True)
def _every_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        yield
        logging.captureWarnings(False)


@pytest.fixture
def not_mrc(tmp_path: Path) -> Path:
    """A file whose stamp is gone: mrcfile warns."""
    path = write_mrc(tmp_path / "a.mrc", np.ones((4, 4), np.float32))
    data = bytearray(path.read_bytes())
    data[208:212] = b"XXXX"
    path.write_bytes(data)
    return path


def read_it(path: Path) -> None:
    mrcfile.open(path, permissive=True).close()


def test_a_warning_is_one_line_without_paths(
    not_mrc: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_to_terminal()
    read_it(not_mrc)
    logging.getLogger("tifffile").warning("<tifffile.TiffFile '%s'> has\n  no tag", not_mrc)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and lines[0].startswith("note of mrcfile: Map ID string not found")
    assert lines[1] == "note of tifffile: <tifffile.TiffFile 'a.mrc'> has no tag"
    assert not [line for line in lines if "/" in line or "Warning" in line or ".py" in line]


def test_in_relion_notes_are_no_errors(not_mrc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log_to_run_files()
    read_it(not_mrc)
    said = capsys.readouterr()
    assert said.err == "" and "note of mrcfile: Map ID string not found" in said.out
    assert str(not_mrc.parent) not in said.out and "site-packages" not in said.out


def test_one_library_does_not_fill_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_terminal()
    for number in range(40):
        logging.getLogger("tifffile").warning("page %d", number)
    warnings.warn("of a user's module", UserWarning, stacklevel=1)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == MOST + 2 and lines[MOST] == "more notes of tifffile are not shown"
    assert lines[-1] == "note of Python: of a user's module"


def test_what_the_client_of_a_server_warns_of_is_told_otherwise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("cryosparc")
    import httpx
    from cryosparc.api import APINamespace

    schema: dict[str, Any] = {"summary": "x", "responses": {}}
    log_to_terminal()
    with httpx.Client(base_url="http://127.0.0.1:9") as client, pytest.raises(httpx.ConnectError):
        APINamespace(client)._call("get", "/x", schema)
    assert capsys.readouterr().err == ""
    logging.getLogger("frostpick_jobs").setLevel(logging.DEBUG)
    with httpx.Client(base_url="http://127.0.0.1:9") as client, pytest.raises(httpx.ConnectError):
        APINamespace(client)._call("get", "/x", schema)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and lines[0].startswith("cryosparc: *** API client GET /x failed due")


def test_our_own_log_is_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_terminal()
    logging.getLogger("frostpick.images").warning("/data/a.mrc: truncated")
    logging.getLogger("frostpick_jobs.x").info("3 of 4")
    assert capsys.readouterr().err == "/data/a.mrc: truncated\n3 of 4\n"
