"""Every host: the three phases of picking, called one by one."""

from __future__ import annotations

from multiprocessing import Pipe
from typing import Any

import pytest

from frostpick.settings import PickSettings
from frostpick_jobs.job.lifecycle import execute
from frostpick_jobs.job.outputs import PicksOutput
from frostpick_jobs.job.results import PickingResult
from frostpick_jobs.tasks.begin import begin
from frostpick_jobs.tasks.declarations import PICK
from frostpick_jobs.tasks.pick.finish import finish_picking
from frostpick_jobs.tasks.pick.not_yet_picked import Part, pick_part
from frostpick_jobs.tasks.pick.prepare import prepare_picking, read_inputs


@pytest.mark.parametrize("told", [True, False], ids=["sums come along", "sums are read"])
def test_parts_that_are_picked_apart_make_the_job_that_is_picked_whole(
    case: Any, spy: Any, new_case: Any, told: bool
) -> None:
    settings = PickSettings(
        model="blob", diameter=64.0, threads=1, device="cpu", contrast="auto", **case.settings
    )
    bad = case.files[3]
    bad.write_bytes(b"not an image")

    def by_parts(host: Any) -> PickingResult:
        record = begin(host, PICK, settings)
        micrographs, model = read_inputs(host, settings)
        store, job = prepare_picking(host, settings, micrographs, model)
        assert job.plan.contrast == "dark"
        # Each with a store of its own, as another process has; the second does not vote anew.
        elsewhere, again = prepare_picking(host, settings, micrographs, model)
        assert again.plan == job.plan
        there = pick_part(elsewhere, again, micrographs[::2], host.reporter)
        here = pick_part(store, job, micrographs[1::2], host.reporter)
        far, near = Pipe()
        far.send(there if told else Part(there.failed))
        return finish_picking(host, store, job, [here, near.recv()], record)

    host = spy.watch(case.host())
    summary = execute(host, lambda: by_parts(host))
    assert sorted(spy.inferred) == sorted(map(case.id_of, case.files))
    assert list(summary.failed) == [case.id_of(bad)]
    assert summary.micrographs == len(case.files) - 1
    picks = spy.output(PicksOutput)

    whole = new_case("whole")
    whole.files[3].write_bytes(b"not an image")
    assert spy.pick(whole, contrast="auto") == 0
    assert case.native_files() == whole.native_files()
    expected = spy.output(PicksOutput)
    assert picks.scores.tolist() == expected.scores.tolist()
    assert picks.threshold == expected.threshold == summary.threshold
