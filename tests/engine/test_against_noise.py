"""What scores are worth in a job: the model's word against the noise of inverted contrast."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_images import draw_discs, noise

from frostpick.models.shipped import load_model
from frostpick.picking.against_noise import (
    LOWEST,
    AgainstNoise,
    weigh_against_noise,
)
from frostpick.picking.null import NoiseSample
from frostpick.picking.threshold import choose_threshold, expected_table
from frostpick.sampling import Sampling
from frostpick.training.examples import TrainingImage
from frostpick.training.picker.soft_labels import ModelSoftLabels

pytestmark = pytest.mark.quick

CELLS = 4000


def sample(picks, decoys, free=CELLS):
    """Return a sample whose decoys all count, with so many of 4,000 cells free."""
    near = np.sort(np.where(np.arange(CELLS) < free, -np.inf, 9.0))
    ordered = np.sort(np.asarray(decoys, float))
    return NoiseSample("m", np.sort(picks), ordered, np.full(len(ordered), -np.inf), near, near)


def falling(rate, count, seed):
    """Return scores above the lowest, of a density that falls exponentially."""
    return LOWEST + np.random.default_rng(seed).exponential(1 / rate, count)


@pytest.mark.parametrize("free", [CELLS, CELLS // 2])
def test_the_ratio_of_two_exponential_densities_is_found(free):
    # 4,000 candidates that fall with .5, 2,000 of noise with 1.5: ratio 2/3 e^(s - lowest)
    seen = 2000 * free // CELLS  # as much of the noise as area is free
    samples = [sample(falling(0.5, 2000, k), falling(1.5, seen // 2, 10 + k), free) for k in (0, 1)]
    found = weigh_against_noise(samples)
    assert found.slope == pytest.approx(1.0, abs=0.12)
    assert found.offset + found.slope * 0.0 == pytest.approx(math.log(2 / 3) - LOWEST, abs=0.25)
    # at a score of -2 there are 2/3 e^1.89 = 4.4 candidates for one of noise: 1 - 1.5 / 4.4 of them
    # are none, and half way to the log-odds of that lies what the score is worth
    share = 1 / (1 + math.exp(-(2 * float(found.log_odds(-2.0)) + 2.0)))
    assert share == pytest.approx(1 - 1.5 / (2 / 3 * math.exp(-2.0 - LOWEST)), abs=0.07)


def test_the_two_words_are_averaged_as_log_odds():
    one = AgainstNoise(offset=1.0, slope=0.5)
    told = 1 - 1.5 * math.exp(-(1.0 + 0.5 * 2.0))
    assert float(one.log_odds(2.0)) == pytest.approx((2.0 + math.log(told / (1 - told))) / 2)
    # noise adds nothing to a score so low that it is not compared
    assert float(one.log_odds(-6.0)) <= -6.0


@pytest.mark.parametrize("seed", range(6))
def test_order_is_kept(seed):
    rng = np.random.default_rng(seed)
    one = AgainstNoise(rng.normal(0, 3), abs(rng.normal(0, 1)))
    scores = np.sort(rng.normal(0, 4, 500))
    assert (np.diff(one.log_odds(scores)) >= 0).all()


def test_noise_alone_is_worth_less_than_it_says():
    samples = [sample(falling(1.0, 400, k), falling(1.0, 400, 9 + k)) for k in range(3)]
    one = weigh_against_noise(samples)
    for score in (-3.0, -1.0, 0.0):
        assert float(one.log_odds(score)) < score - 0.3


def test_where_there_is_no_noise_sure_words_stay_and_doubtful_ones_rise():
    one = weigh_against_noise([sample(falling(0.3, 500, 1), [])])
    assert float(one.log_odds(-1.0)) > 1.0
    assert float(one.log_odds(6.0)) > 6.0


def test_nothing_is_known_without_a_sample_or_a_free_place():
    assert weigh_against_noise([]) is None
    assert weigh_against_noise([sample([1.0, 2.0], [], free=0)]) is None


def test_a_few_candidates_are_no_reason_to_fall_over():
    assert weigh_against_noise([sample([], [])]) is not None
    one = weigh_against_noise([sample([3.0], [-2.0])])
    assert np.isfinite(one.log_odds([-30.0, 0.0, 30.0])).all()


class Worth(AgainstNoise):
    """Scores 3, 1, -1 and -3 are worth probabilities of .9, .8, .7 and .1."""

    def log_odds(self, score):
        share = np.interp(score, [-3.0, -1.0, 1.0, 3.0], [0.1, 0.7, 0.8, 0.9])
        return np.log(share / (1 - share))


SCORES = np.array([-3.0, 1.0, 3.0, -1.0])
MADE = Worth(0.0, 1.0)


def test_the_threshold_follows_what_scores_are_worth():
    # the model alone: .953, .731, .269, .047 add up to 2.00; F1 .636, .842, .779, .667
    assert choose_threshold(SCORES, "auto") == 1.0
    # .9, .8, .7, .1 add up to 2.5: 2 .9 / 3.5, 3.4 / 4.5, 4.8 / 5.5 = .873, 5 / 6.5 = .769
    assert choose_threshold(SCORES, "auto", MADE) == -1.0
    rows = expected_table(SCORES, [-1.0, 1.0], MADE)
    assert [row.precision for row in rows] == pytest.approx([2.4 / 3, 1.7 / 2])
    assert [row.recall for row in rows] == pytest.approx([2.4 / 2.5, 1.7 / 2.5])


def test_rules_of_a_number_are_the_models_own():
    assert choose_threshold(SCORES, "p=.5", MADE) == 0.0
    assert choose_threshold(SCORES, "-1.25", MADE) == -1.25


def test_a_precision_that_none_reaches_selects_none():
    assert choose_threshold(SCORES, "precision=.84", MADE) == 1.0
    cut = choose_threshold(SCORES, "precision=.93", MADE)  # the model alone says .953 of the best
    assert not (cut <= SCORES).any()


def test_a_start_that_teaches_alone_is_weighed_against_the_noise_of_the_images():
    """Faint particles that the start doubts are worth more, candidates of blank noise less."""
    start, grid, none = load_model("general"), Sampling.identity((256, 256), 1.0), np.zeros((0, 2))
    rng = np.random.default_rng(0)
    images = []
    for number in range(4):
        pixels = noise((256, 256), number)
        for _ in range(10):
            draw_discs(pixels, tuple(rng.uniform(20, 236, 2)), 0.6, 13)
        images.append(TrainingImage(str(number), pixels.astype(np.float32), grid, none, none))
    blank = [
        replace(one, pixels=noise((256, 256), 50 + k).astype(np.float32))
        for k, one in enumerate(images)
    ]

    def mass(of, weighed):
        soft = ModelSoftLabels(start, 1.0, torch.device("cpu"))
        if weighed:
            soft.weigh(of)
        return sum(float(soft.on(image)[1].sum()) for image in of)

    assert mass(images, True) > 1.03 * mass(images, False)
    assert mass(blank, True) <= mass(blank, False) + 0.05
