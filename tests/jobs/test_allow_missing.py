"""``--allow-missing`` reaches every reader of a folder job's input, and ``evaluate``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.testing
from made_images import write_mrc

from frostpick.errors import InputError
from frostpick_jobs import api
from frostpick_jobs.cli.main import app
from frostpick_jobs.hosts.folder import FolderHost

Read = Callable[[FolderHost], Any]


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two folders of one micrograph and its picks each, of which ``two`` cannot be listed."""
    rng = np.random.default_rng(3)
    for number, name in enumerate(("one", "two")):
        folder = tmp_path / "in" / name
        write_mrc(folder / "m.mrc", rng.normal(size=(160, 192)).astype(np.float32), 2.0)
        rows = f"micrograph,x_px,y_px,score\n{name}/m.mrc,{50 + number},60,1\n"
        (folder / "m.csv").write_text(rows)
    two, own = tmp_path / "in" / "two", os.scandir

    def scandir(path: Any = ".") -> Any:
        if Path(os.fspath(path)) == two and os.geteuid() == 0:  # root has every right
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return own(path)

    monkeypatch.setattr("os.scandir", scandir)
    two.chmod(0)
    yield tmp_path / "in"
    two.chmod(0o755)


READS: list[tuple[str, Read, Callable[[Any], list[str]]]] = [
    ("micrographs", FolderHost.micrographs, lambda found: [m.id for m in found]),
    ("labels", FolderHost.labels, list),
    ("picks", FolderHost.input_rows, lambda found: [m.id for m, _ in found.picks]),
    ("labels", FolderHost.labelled_rows, lambda found: [m.id for m, _ in found.good.picks]),
    ("bad", FolderHost.labelled_rows, lambda found: [m.id for m, _ in found.bad.picks]),
]


@pytest.mark.parametrize(("name", "read", "ids"), READS)
def test_a_folder_job_goes_on_without_a_locked_folder(
    tmp_path: Path, locked: Path, name: str, read: Read, ids: Callable[[Any], list[str]]
) -> None:
    given = {"micrographs": [str(locked / "one" / "m.mrc")], name: [str(locked)]}
    with pytest.raises(InputError, match=r"two \(Permission denied\).*--allow-missing"):
        read(FolderHost(tmp_path / "out", given))
    found = ids(read(FolderHost(tmp_path / "out", given, allow_missing=True)))
    assert found == ["one/m.mrc" if name == "micrographs" else "m.mrc"]


def test_a_job_is_given_the_setting(tmp_path: Path, locked: Path) -> None:
    told: dict[str, Any] = {"model": "blob", "diameter": 64, "threads": 1, "device": "cpu"}
    with pytest.raises(InputError, match="--allow-missing"):
        api.pick(tmp_path / "out", micrographs=locked, **told)
    api.pick(tmp_path / "out", micrographs=locked, **told, allow_missing=True)
    picked = (tmp_path / "out" / "micrographs.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in picked] == ["one/m.mrc"]
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["settings"]["allow_missing"] is True


@pytest.mark.parametrize("words", [(), ("--allow-missing",)])
def test_both_commands_take_the_option(tmp_path: Path, locked: Path, words: tuple[str]) -> None:
    """The exit code tells whether the locked folder stopped the command."""
    one = str(locked / "one" / "m.mrc")
    run = typer.testing.CliRunner().invoke
    told = ["--out", str(tmp_path / "out"), "--device", "cpu", "--threads", "1"]
    told += ["--model", "blob", "--diameter", "64"]
    picked = run(app, ["pick", "--micrographs", str(locked), *told, *words])
    assert picked.exit_code == (0 if words else 1), picked.output
    both = ["--picks", str(locked), "--truth", str(locked), "--micrographs", one]
    scored = run(app, ["evaluate", *both, "--diameter", "64", "--json", *words])
    assert (scored.exit_code == 0) == bool(words), scored.output
    if words:
        assert json.loads(scored.stdout[scored.stdout.index("{") :])["micrographs"] == 1
