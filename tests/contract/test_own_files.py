"""Every host that writes into a folder: what is not the job's own is never written over."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from frostpick.errors import InputError
from frostpick.settings import PruneSettings, VerifySettings
from frostpick_jobs.job.journal import LOG, RUNS
from frostpick_jobs.job.lifecycle import execute
from frostpick_jobs.job.own_files import NOTE
from frostpick_jobs.tasks.declarations import task_named

WRITERS = ("folder", "relion")
MINE = "micrograph,x_px,y_px,remark: three weeks of manual picking\n"


@pytest.fixture
def writer(new_case: Any, request: pytest.FixtureRequest) -> Any:
    """Return a maker of jobs on a host that writes into a folder itself."""
    if new_case().name not in WRITERS:
        pytest.skip("its program alone writes into its folder")
    return new_case


def files_of(case: Any) -> set[str]:
    """Return what a job has left for the user."""
    folder = case.folder()
    found = (p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    left = {p.as_posix() for p in found if not p.parts[0].startswith(".")}
    return {name for name in left if not Path(name).name.startswith(("RELION_JOB_EXIT", "job_"))}


def test_no_file_of_another_is_replaced_whichever_it_is(writer: Any, spy: Any) -> None:
    done = writer("done")
    assert spy.pick(done) == 0
    case = writer("refused")
    case.folder().mkdir(exist_ok=True)
    names = sorted(files_of(done) - {LOG, RUNS})  # which grow, and replace nothing
    assert len(names) >= len(case.files) + 4
    for name in names:
        path = case.folder() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MINE)
        assert spy.pick(case) == 1
        assert spy.inferred == [] and path.name in spy.calls[-1][2]
        assert "overwrite" in spy.calls[-1][2]
        assert path.read_text() == MINE
        path.unlink()
    (case.folder() / "slurm-4711.out").write_text("started\n")
    (case.folder() / "picks_of_mine.csv").write_text(MINE)
    assert spy.pick(case) == 0
    assert (case.folder() / "picks_of_mine.csv").read_text() == MINE


def test_overwrite_is_the_users_word_and_continue_needs_none(writer: Any, spy: Any) -> None:
    case = writer("job")
    spy.pick(case)
    names = sorted(files_of(case))
    shutil.rmtree(case.host().spool)
    assert spy.pick(case) == 1
    assert spy.pick(case, overwrite=True) == 0
    assert sorted(files_of(case)) == names
    assert spy.pick(case) == 0 and spy.pick(case, threshold="p=0.3") == 0


def test_a_job_of_before_there_was_a_note_continues(writer: Any, spy: Any) -> None:
    case = writer("job")
    spy.pick(case)
    before = case.native_files()
    (case.host().spool / NOTE).unlink()
    assert spy.pick(case) == 0 and case.native_files() == before
    case.files.pop().unlink()
    assert spy.pick(case) == 0
    assert set(case.delivered()) == {case.id_of(file) for file in case.files}


def test_an_output_that_is_an_input_is_refused_always(
    writer: Any, data: Any, pruner: str, tmp_path: Path
) -> None:
    """The rows to decide on, under the very name that they would be written to."""
    case = writer("job")
    name = {"folder": "verified.star", "relion": "particles.star"}[case.name]
    given, _ = data.write_particles(case.project)
    case.folder().mkdir(exist_ok=True)
    rows = case.folder() / name
    rows.write_bytes(given.read_bytes())
    for folder in (case.folder(), tmp_path / "link"):
        if not folder.exists():
            folder.symlink_to(case.folder())
        verify = task_named("verify")
        host = case.host("verify", micrographs=False, particles=folder / name)
        settings = VerifySettings(diameter=64.0, threads=1, overwrite=True, pruner=pruner)
        with pytest.raises(InputError, match=f"{name}: an input of this job"):
            execute(host, partial(verify.load_run(), host, settings))
        assert rows.read_bytes() == given.read_bytes()


def test_a_model_is_not_replaced_by_what_is_made_of_it(writer: Any, data: Any, pruner: str) -> None:
    case = writer("job")
    picks = data.write_places(case.project, "rows.csv", data.rows_to_judge())
    mine = case.folder() / "pruner"
    shutil.copytree(Path(pruner), mine)
    host = case.host("prune", picks=picks)
    settings = PruneSettings(diameter=64.0, threads=1, pruner=str(mine), overwrite=True)
    with pytest.raises(InputError, match="an input of this job"):
        execute(host, partial(task_named("prune").load_run(), host, settings))


def test_a_folder_of_picks_that_holds_the_output_is_read_once(
    tmp_path: Path, data: Any, pruner: str
) -> None:
    """The first run writes into the folder that it reads; the second would read its own rows."""
    from frostpick_jobs.api import verify

    data.write_micrographs(tmp_path)
    (tmp_path / "mine").mkdir()
    data.write_places(tmp_path / "mine", "rows.csv", data.rows_to_judge())
    told = {"diameter": 64.0, "threads": 1, "pixel_size": 2.0, "pruner": pruner}
    given = {"micrographs": tmp_path / "Micrographs", "picks": tmp_path / "mine"}
    first = verify(tmp_path / "mine", **given, **told)
    rows = (tmp_path / "mine/verified.star").read_bytes()
    with pytest.raises(InputError, match="an input of this job"):
        verify(tmp_path / "mine", **given, **told)
    assert len(first.decisions) == len(data.rows_to_judge())
    assert (tmp_path / "mine/verified.star").read_bytes() == rows


def test_relion_takes_back_its_own_coordinates_alone(writer: Any, spy: Any) -> None:
    case = writer("job")
    if case.name != "relion":
        pytest.skip("of RELION's layout")
    theirs = case.folder() / "Micrographs/theirs_autopick.star"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n7 8\n")
    assert spy.pick(case) == 0
    gone = case.files.pop()
    gone.unlink()
    assert spy.pick(case) == 0
    assert theirs.is_file()
    assert case.id_of(gone) not in case.delivered()


def test_more_files_that_are_known_at_the_end_only(tmp_path: Path) -> None:
    from frostpick_jobs.hosts.folder import FolderHost
    from frostpick_jobs.job.outputs import Files

    host = FolderHost(tmp_path / "out")
    host.spool.mkdir(parents=True)
    host.own_files.check([])
    (tmp_path / "new.csv").write_text("new\n")
    mine = tmp_path / "out/rounds/best.csv"
    mine.parent.mkdir()
    mine.write_text(MINE)
    with pytest.raises(InputError, match=r"rounds/best.csv: already there"):
        host.deliver([Files({"rounds/best.csv": tmp_path / "new.csv"})])
    assert mine.read_text() == MINE


def test_a_file_where_a_folder_is_to_be(writer: Any, spy: Any) -> None:
    case = writer("job")
    case.folder().mkdir(exist_ok=True)
    blocked = case.folder() / {"folder": "star", "relion": "Micrographs"}[case.name]
    blocked.write_text(MINE)
    assert spy.pick(case) == 1
    assert spy.inferred == [] and "already there" in spy.calls[-1][2]
    assert blocked.read_text() == MINE
