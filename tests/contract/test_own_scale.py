"""Every host: a diameter of auto is found once, holds when the job goes on, and is recorded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from frostpick.picking.scale_curve import ScaleCurve
from frostpick.settings import TrainSettings, VerifySettings
from frostpick.types import Micrograph
from frostpick_jobs.job.lifecycle import run_job
from frostpick_jobs.job.outputs import ModelOutput, Report
from frostpick_jobs.tasks import own_scale, run_train, run_verify


class Search:
    """Stands for the search: finds what it is told to, and notes the micrographs it was given."""

    def __init__(self) -> None:
        self.given: list[list[str]] = []
        self.surplus = np.array([5.0, 40.0, 20.0])

    def __call__(self, model: Any, micrographs: Sequence[Micrograph], *rest: Any) -> ScaleCurve:
        self.given.append([one.id for one in micrographs])
        diameters = np.array([51.2, 64.0, 80.0])
        return ScaleCurve(diameters, self.surplus, self.surplus, min(3, len(micrographs)))


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> Search:
    found = Search()
    monkeypatch.setattr(own_scale, "find_diameter", found)
    return found


@pytest.mark.quick
def test_auto_is_found_once_and_a_continue_keeps_it(case: Any, spy: Any, search: Search) -> None:
    files = list(case.files)
    case.files = files[:5]
    if case.name in ("folder", "hostile"):
        later = files[5].read_bytes()
        files[5].unlink()
    assert spy.pick(case, diameter="auto") == 0
    assert len(search.given) == 1 and len(search.given[0]) == 5
    record = spy.output(Report).record
    assert record["settings"]["diameter"] == "auto" and record["diameter_A"] == 64.0
    assert record["own_scale"]["surplus"] == [5.0, 40.0, 20.0]
    assert "own_scale" in [one.name for one in spy.output(Report).figures]
    assert {one.picks.diameter_A for one in spy.outputs()} == {64.0}
    first = case.delivered()

    # micrographs arrive, and would say another diameter
    search.surplus = np.array([90.0, 40.0, 20.0])
    case.files = files
    if case.name in ("folder", "hostile"):
        files[5].write_bytes(later)
    assert spy.pick(case, diameter="auto") == 0
    assert len(search.given) == 1 and len(spy.inferred) == 1
    assert spy.output(Report).record["diameter_A"] == 64.0
    assert {one.picks.diameter_A for one in spy.outputs()} == {64.0}
    assert all(np.array_equal(case.delivered()[name], xy) for name, xy in first.items())


def test_auto_without_particles_is_one_sentence(case: Any, spy: Any, search: Search) -> None:
    search.surplus = np.zeros(3)
    assert spy.pick(case, diameter="auto") == 1
    assert spy.ends() == ["failed"]
    told = spy.calls[-1][2]
    assert "found 0 particles" in told and "diameter" in told


def test_a_growing_session_waits_for_particles(case: Any, spy: Any, search: Search) -> None:
    search.surplus = np.array([5.0, 12.0, 3.0])
    assert spy.pick(case, diameter="auto", live=True) == 4
    search.surplus = np.array([5.0, 40.0, 3.0])
    assert spy.pick(case, diameter="auto", live=True) == 0
    assert len(search.given) == 2
    assert spy.output(Report).record["diameter_A"] == 64.0


def test_training_takes_it_too(case: Any, spy: Any, data: Any, search: Search) -> None:
    rows = [(n, x, y) for n in range(len(data.names)) for x, y in data.truth(n)]
    labels = data.write_places(case.project, "labels.csv", rows)
    options = {"network": "conv31", "steps": 2, "threads": 1, "device": "cpu", **case.settings}
    host = spy.watch(case.host("train", labels=labels))
    settings = TrainSettings(diameter="auto", **options)
    assert run_job(host, lambda: run_train(host, settings)) == 0
    assert spy.output(ModelOutput).model.card.diameter_A == 64.0
    report = spy.output(Report)
    assert report.record["diameter_A"] == 64.0
    assert "own_scale" in [one.name for one in report.figures]
    kept = json.loads((host.spool / own_scale.STATE).read_text())
    assert kept["diameter_A"] == 64.0


def test_verifying_takes_it_where_there_are_micrographs(
    new_case: Any, spy: Any, data: Any, pruner: str, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frostpick_jobs.tasks.prune.run.prune_figures", lambda *a: [])

    def verify(host: Any, **settings: Any) -> int:
        told = VerifySettings(diameter="auto", pruner=pruner, threads=1, device="cpu", **settings)
        return run_job(spy.watch(host), lambda: run_verify(host, told))

    case = new_case("picks")
    rows = data.write_places(case.project, "rows.csv", data.rows_to_judge())
    assert verify(case.host("verify", picks=rows), **case.settings) == 0
    report = spy.output(Report)
    assert report.record["diameter_A"] == 64.0 and len(search.given[0]) == 2
    assert [one.name for one in report.figures] == ["own_scale"]

    spy.calls.clear()
    case = new_case("particles")
    particles = data.write_particles(case.project)[0]
    host = case.host("verify", micrographs=False, particles=particles)
    assert verify(host, **case.settings) == 1
    assert "this job has none" in spy.calls[-1][2] and len(search.given) == 1
