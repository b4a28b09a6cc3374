"""The figures of the pruning benchmark against hand sums."""

from __future__ import annotations

import bench_pruning
import numpy as np
import pytest
import torch
from pruning.figures import box_figures, right_picks
from pruning.stages import STAGES, stage_recipe
from torch.nn import functional as F

from frostpick.models.pruner.registry import build_box_network
from frostpick.training.pruner.losses import class_loss


def test_figures_of_boxes_are_the_hand_sums() -> None:
    # kept: 3, of them right 2; good: 3; right decisions: 2 kept and 1 rejected of 5
    score = np.array([2.0, 0.0, 0.5, -1.0, -3.0])
    good = np.array([True, True, False, True, False])
    accuracy, f1, ece = box_figures(score, good)
    assert accuracy == pytest.approx(3 / 5)
    assert f1 == pytest.approx(2 * 2 / (3 + 3))
    # probabilities .88, .50, .62, .27, .05: each in a tenth of its own
    gaps = [abs(is_good - 1 / (1 + np.exp(-s))) for s, is_good in zip(score, good, strict=True)]
    assert ece == pytest.approx(sum(gaps) / 5)


def test_nothing_kept_and_nothing_good_is_no_division_by_zero() -> None:
    assert box_figures(np.array([-1.0]), np.array([False]))[:2] == (1.0, 0.0)


def test_a_particle_is_found_once_and_a_cut_one_does_not_count() -> None:
    particles = np.array([[100.0, 100.0, 0.0], [200.0, 100.0, 1.0], [300.0, 100.0, 0.0]])
    # Of a diameter of 40: on it; again on the same; beyond 10 px; on the cut one.
    xy = np.array([[104.0, 100.0], [100.0, 100.0], [311.0, 100.0], [200.0, 109.0]])
    right, cut = right_picks(xy, particles, 40.0)
    assert right.tolist() == [True, False, False, False]
    assert cut.tolist() == [False, False, False, True]


def test_picks_without_particles_are_all_wrong() -> None:
    right, cut = right_picks(np.array([[1.0, 2.0]]), np.zeros((0, 3)), 30.0)
    assert not right.any() and not cut.any()


def test_the_table_averages_whole_draws_only() -> None:
    def one(name: str, draw: int, accuracy: float) -> dict[str, object]:
        names = [f"{name}_{looks}" for name in bench_pruning.FIGURES for looks in (1, 4)]
        figures = dict.fromkeys(names, accuracy)
        return {"set": name, "variant": "default", "labels": 20, "draw": draw, **figures}

    found = [
        *(
            one(name, 0, value)
            for name, value in zip(bench_pruning.SETS, (0.9, 0.8, 0.7), strict=True)
        ),
        *(
            one(name, 1, value)
            for name, value in zip(bench_pruning.SETS, (0.7, 0.8, 0.9), strict=True)
        ),
        one("apof_r", 2, 0.1),
    ]
    row = bench_pruning.table(found).splitlines()[2]
    assert row == (
        "| default | 20 + 20 | 1 | 2 | 0.800 / 0.800 | 0.800 / 0.800 | 0.800 / 0.800 "
        "| 0.800 / 0.800 | 0.000 | 0.800 |"
    )


def test_a_stage_variant_leaves_out_what_its_name_says() -> None:
    generator = torch.Generator().manual_seed(0)
    boxes = torch.randn(6, 1, 64, 64, generator=generator)
    classes = torch.tensor([0, 0, 0, 1, 3, 7])
    for variant in STAGES:
        recipe = stage_recipe(variant, 8, 2, 0)
        spec = recipe.spec()
        network = build_box_network(spec.name, spec.arguments).eval()
        with torch.no_grad():
            logits = network(boxes)
        assert logits.shape[1] == (1 if variant.startswith("one-") else 2)
        loss = float(class_loss(logits, classes, recipe.losses))
        plain = float(F.cross_entropy(logits[:, 0], classes))
        if logits.shape[1] > 1:
            plain += float(F.cross_entropy(logits[:, 1], classes, label_smoothing=0.1))
        alone = variant in ("cross-entropies", "one-cross-entropy")
        assert (loss == pytest.approx(plain, rel=1e-6)) == alone
        assert recipe.picker == ""
