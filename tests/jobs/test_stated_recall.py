"""Recall is stated by labels that a training held out: in log, report and select alike."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_images import spots_on_noise, write_mrc

from frostpick.models.picking_model import PickingModel
from frostpick.models.shipped import load_model
from frostpick.picking.held_out import ENTRY, HeldOutLabels
from frostpick_jobs import api
from frostpick_jobs.job.report import summary_rows
from frostpick_jobs.tasks.pick import finish
from frostpick_jobs.tasks.pick.threshold import Threshold, log_threshold

VISIBLE = "recall of what the model can see"
#: Three of four labels are found at 0, with Jeffreys' interval of 95 %.
HELD = HeldOutLabels(np.array([2.0, 1.0, 0.5, -np.inf]))
WORDS = "recall of 4 held-out labels"


@pytest.mark.quick
def test_the_log_states_recall_by_held_out_labels_or_of_what_the_model_can_see(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    log_threshold(Threshold(0.0, "0", frozen=False), np.array([3.0, 0.0, -3.0]))
    assert VISIBLE in caplog.text and "held-out" not in caplog.text
    caplog.clear()
    log_threshold(Threshold(0.0, "0", frozen=False), np.array([3.0, 0.0, -3.0]), HELD)
    assert VISIBLE not in caplog.text
    (chosen,) = [r.getMessage() for r in caplog.records if "<- chosen" in r.getMessage()]
    assert chosen.split() == "0.00 2 0.726 0.75 (0.28 to 0.97) <- chosen".split()


@pytest.mark.quick
def test_a_training_with_held_out_labels_states_its_recall_in_the_report() -> None:
    recall = {"found": 30, "labels": 40, "low": 0.602, "high": 0.862, "threshold": -0.3}
    rows = dict(summary_rows({"task": "train", "training": {"recall": recall}}))
    assert rows["recall at its threshold"] == "75% (60% to 86%) of 40 held-out labels"
    assert "recall at its threshold" not in dict(summary_rows({"task": "train", "training": {}}))


def test_pick_and_select_state_the_recall_of_the_models_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(finish, "pick_figures", lambda *a: [])
    caplog.set_level(logging.INFO)
    write_mrc(tmp_path / "m" / "a.mrc", spots_on_noise((256, 256), [(80, 90), (170, 160)]), 5.0)
    general = load_model("general")
    card = general.card.model_copy(
        update={"trained_on": {"task": "train", ENTRY: HELD.as_entry()}, "diameter_A": 160.0}
    )
    model: PickingModel = replace(general, card=card)
    out = tmp_path / "out"
    api.pick(out, micrographs=str(tmp_path / "m"), model=model, threads=1, device="cpu")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert WORDS in caplog.text and WORDS in page and VISIBLE not in page
    assert "learned from these micrographs" in (out / "run.json").read_text(encoding="utf-8")
    caplog.clear()
    api.select(out, "p=0.5")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert WORDS in caplog.text and WORDS in page and VISIBLE not in page
    assert "noise: " in caplog.text
