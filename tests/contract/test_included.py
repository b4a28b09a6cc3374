"""Every host: kinds of repeated objects that an earlier job found teach, beside the labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frostpick.settings import TrainSettings
from frostpick_jobs.job.lifecycle import run_job
from frostpick_jobs.tasks import run_train
from frostpick_jobs.tasks import train as train_task


class Reached(Exception):
    """Ends a task where its training would begin."""


def test_included_objects_are_labels_like_others(
    case: Any, data: Any, spy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught: dict[str, Any] = {}

    def stub(micrographs: Any, labels: Any, settings: Any, **others: Any) -> Any:
        caught.update(labels)
        raise Reached

    monkeypatch.setattr(train_task, "train_picker", stub)
    labels = case.project / "labels.csv"
    rows = [f"{data.names[0]},{x},{y}" for x, y in data.truth(0)]
    labels.write_text("\n".join(["micrograph,x_px,y_px", *rows]) + "\n")
    # (192, 224) is the shape: a column beyond the last row tells x from y
    new = [(210.0, 20.0), (205.0, 100.0)]
    earlier = case.project / "earlier"
    earlier.mkdir()
    name = case.id_of(case.files[1])
    lines = [f"2,{name},{x},{y},0.3," for x, y in new]
    head = "kind_number,micrograph,x_px,y_px,away,named"
    (earlier / "repeated_objects.csv").write_text("\n".join([head, *lines]) + "\n")
    options = {"diameter": 64.0, "threads": 1, "device": "cpu", **case.settings}
    settings = TrainSettings(include=f"{earlier}:2", **options)
    host = spy.watch(case.host("train", labels=labels))
    assert run_job(host, lambda: run_train(host, settings)) == 1
    assert len(caught[case.id_of(case.files[0])]) == len(data.truth(0))
    found = caught[name]
    np.testing.assert_allclose(np.stack([found.x_px, found.y_px], axis=1), new)
