"""The noise of a new model is told by micrographs that trained nothing, where there are any."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from made_images import spots_on_noise, write_mrc

from frostpick.models.shipped import load_model
from frostpick.report.figure import Figure
from frostpick.runtime.reporter import SilentReporter
from frostpick.runtime.run_record import RunRecord
from frostpick.settings import TrainSettings
from frostpick.types import LocalFile, Micrograph
from frostpick_jobs.job.results import Place
from frostpick_jobs.tasks import training_outputs
from frostpick_jobs.tasks.training_outputs import picked_figures


@pytest.fixture
def micrographs(tmp_path: Path) -> list[Micrograph]:
    found = []
    for seed, name in enumerate("abcdef"):
        image = spots_on_noise((200, 220), [(60, 70), (150, 140)], seed)
        path = write_mrc(tmp_path / f"{name}.mrc", image, 5.0)
        found.append(Micrograph(name, LocalFile(path), 5.0))
    return found


def pictures(
    micrographs: list[Micrograph], record: RunRecord | None, unseen: tuple[str, ...], spool: Path
) -> list[Figure]:
    model = load_model("general")
    card = model.card.model_copy(update={"diameter_A": 160.0})
    host: Any = SimpleNamespace(
        reporter=SilentReporter(), title=str, spool=spool, place=Place("out", spool)
    )
    settings = TrainSettings(device="cpu", threads=1)
    own = type(model)(card, model.network)
    return picked_figures(own, micrographs, {}, settings, "dark", host, None, record, unseen)


def test_those_that_trained_nothing_tell_else_those_that_are_shown_with_a_word(
    micrographs: list[Micrograph], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(
        training_outputs, "on_micrograph", lambda found, *_: drawn.append(found.micrograph_id) or []
    )
    asked: list[list[str]] = []
    real = training_outputs.tell_noise

    def noted(samples: Any, *others: Any, **more: Any) -> None:
        asked.append([one.micrograph_id for one in samples])
        real(samples, *others, **more)

    monkeypatch.setattr(training_outputs, "tell_noise", noted)
    for unseen, told, word in ((("b", "e"), ["b", "e"], False), ((), ["a", "c", "d", "f"], True)):
        record = RunRecord("train", "folder", {})
        pictures(micrographs, record, unseen, tmp_path)
        noise = record.finished()["noise"]
        assert asked.pop() == told and noise["micrographs"] == len(told)
        assert ("learned from these micrographs" in noise["meaning"]) == word
        assert noise["selected"] == noise["picks"]
    pictures(micrographs, None, ("b",), tmp_path)
    assert asked == []
