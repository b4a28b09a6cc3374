"""The picture of the labels that a training trusts least."""

from __future__ import annotations

import numpy as np

from frostpick.training.picker.judged_labels import JudgedLabels
from frostpick_jobs.tasks.training_outputs import least_trusted


def test_ten_boxes_and_the_verdict_in_words() -> None:
    boxes = [np.random.default_rng(k).normal(0, 1, (49, 49)).astype(np.float32) for k in range(10)]
    text = "of 2,000 labels about 16 % look like particles; 1,640 are set aside"
    judged = JudgedLabels([], {"text": text}, True, boxes, [f"p = 0.00{k}" for k in range(10)])
    (figure,) = least_trusted(judged)
    assert figure.name == "least_trusted_labels" and text in figure.caption


def test_labels_that_were_not_judged_have_none() -> None:
    assert least_trusted(JudgedLabels([], {})) == []
