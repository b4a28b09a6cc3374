"""Every host: how a job ends whose inputs cannot be used, one of them or all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from frostpick.errors import FrostpickError
from frostpick.settings import PickSettings
from frostpick_jobs.hosts.relion import markers
from frostpick_jobs.job.endings import NothingYet
from frostpick_jobs.job.lifecycle import execute, run_job
from frostpick_jobs.job.outputs import PicksOutput, Report
from frostpick_jobs.tasks import run_pick

SETTINGS = {"model": "blob", "diameter": 64.0, "threads": 1, "device": "cpu"}


def damage(*files: Path) -> list[bytes]:
    """Cut files short, and return what was in them."""
    before = [file.read_bytes() for file in files]
    for file, content in zip(files, before, strict=True):
        file.write_bytes(content[:700])
    return before


def mend(files: list[Path], contents: list[bytes]) -> None:
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)


def test_a_batch_of_which_nothing_can_be_read_fails(case: Any, spy: Any) -> None:
    damage(*case.files)
    assert spy.pick(case) == 1
    assert spy.ends() == ["failed"] and "deliver" not in spy.names()


def test_a_first_live_round_without_a_readable_micrograph_is_no_failure(
    case: Any, spy: Any, new_case: Any
) -> None:
    contents = damage(*case.files)
    assert spy.pick(case, live=True) == 4
    assert spy.ends() == ["nothing to do yet"]
    assert spy.calls[-1][2].startswith("nothing to do yet: no micrograph could be picked; the fir")
    assert spy.output(PicksOutput).scores.shape == (0,)
    assert len(spy.output(Report).failed) == len(case.files)
    assert not any(len(xy) for xy in case.delivered().values())
    mend(case.files, contents)
    assert spy.pick(case, live=True) == 0 and spy.ends() == ["finished"]
    whole = new_case("another")
    spy.pick(whole)
    assert case.native_files() == whole.native_files()


def test_what_was_delivered_stays_in_a_live_round_without_a_readable_one(
    case: Any, spy: Any
) -> None:
    spy.pick(case, live=True)
    if case.name == "cryosparc":
        pytest.skip("a completed job begins anew")
    before = case.native_files()
    damage(*case.files)
    assert spy.pick(case, live=True) == 4
    assert "deliver" not in spy.names() and case.native_files() == before


def test_single_ones_are_named_and_counted_at_the_end(case: Any, spy: Any) -> None:
    damage(case.files[1])
    assert spy.pick(case) == 0
    assert spy.ends() == ["finished"]
    assert spy.calls[-1][2] == f"1 micrograph could not be used: {case.id_of(case.files[1])}"
    damage(case.files[3])
    host = spy.watch(case.host())
    settings = PickSettings(**SETTINGS, **case.settings, strict=True)
    assert run_job(host, lambda: run_pick(host, settings), strict=settings.strict) == 3
    assert spy.ends()[-1] == "finished"
    assert spy.calls[-1][2] == "2 micrographs could not be used, each named above"


def test_without_any_such_strict_changes_nothing(case: Any, spy: Any) -> None:
    host = case.host()
    settings = PickSettings(**SETTINGS, **case.settings)
    assert run_job(host, lambda: run_pick(host, settings), strict=True) == 0


def test_scripts_get_an_exception_for_each(case: Any) -> None:
    damage(*case.files)
    host = case.host()
    batch = PickSettings(**SETTINGS, **case.settings)
    with pytest.raises(FrostpickError, match="no micrograph could be picked"):
        execute(host, lambda: run_pick(host, batch))
    host = case.host()
    live = batch.model_copy(update={"live": True})
    with pytest.raises(NothingYet):
        execute(host, lambda: run_pick(host, live))


def test_relion_goes_on_in_a_scheme_and_is_warned(case: Any, spy: Any) -> None:
    """The table of a Scheme names the job: nobody had to say that it is live."""
    if case.name != "relion":
        pytest.skip("Schemes are RELION's")
    scheme = case.project / "Schemes/prep/scheme.star"
    scheme.parent.mkdir(parents=True)
    scheme.write_text(
        "data_scheme_general\n\n_rlnSchemeName Schemes/prep/\n\ndata_scheme_jobs\n\nloop_\n"
        "_rlnSchemeJobNameOriginal #1\n_rlnSchemeJobName #2\n_rlnSchemeJobMode #3\n"
        "_rlnSchemeJobHasStarted #4\nctffind CtfFind/job001/ continue 1\n"
        "pick External/job002/ continue 1\n"
    )
    damage(*case.files)
    assert spy.pick(case) == 4
    job = case.folder()
    assert markers.present(job) and (job / markers.SUCCESS).exists()
    assert (job / "logfile.pdf").read_bytes().startswith(b"%PDF")
    assert (job / "autopick.star").exists() and (job / "RELION_OUTPUT_NODES.star").exists()
    scheme.write_text(scheme.read_text().replace("job002", "job003"))
    assert spy.pick(case) == 1 and (job / markers.FAILURE).exists()
