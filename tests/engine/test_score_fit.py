"""Scores are fitted to the labels and to soft labels, by one rule."""

from __future__ import annotations

import numpy as np
import pytest

from frostpick.models.shipped import load_model
from frostpick.picking.peaks import Peaks
from frostpick.sampling import Sampling
from frostpick.training.examples import TrainingImage
from frostpick.training.picker.score_fit import ScoreFit, fit_scores, known_before_data
from frostpick.types import sigmoid

#: Slope and offset that the labels follow. Logits lie evenly about 0.
BY_LABELS = (2.0, 0.0)
N, RATE = 4000, 0.5


def an_image(name: str, labels: np.ndarray) -> TrainingImage:
    grid = Sampling.identity((8, 8 * N), 1.0)
    pixels = np.zeros(grid.shape, np.float32)
    return TrainingImage(name, pixels, grid, labels, np.zeros((0, 2)))


class SoftTruth:
    """Soft labels that follow a known line."""

    def __init__(self, slope: float, offset: float) -> None:
        self.slope, self.offset = slope, offset

    def worth_of(self, peaks: Peaks, image: TrainingImage, px_per_diameter: float) -> np.ndarray:
        """Return the probabilities of that line; one particle in a hundred looks like nothing."""
        return 0.99 * (0.01 + 0.99 * sigmoid(self.slope * peaks.logit + self.offset))


def fit(labels: int, soft: SoftTruth | None) -> ScoreFit:
    rng = np.random.default_rng(5)
    logit = np.sort(np.concatenate([rng.normal(-3, 2, N // 2), rng.normal(3, 2, N // 2)]))[::-1]
    probability = 0.01 + 0.99 * sigmoid(BY_LABELS[0] * logit + BY_LABELS[1])
    # a row of picks 8 pixels apart; of any neighbours in score as many are labelled as shall be
    yx = np.stack([np.full(N, 4.0), 8.0 * np.arange(N)], axis=1)
    drawn = np.diff(np.floor(np.cumsum(RATE * probability)), prepend=0.0) > 0
    known = yx[drawn] if labels else yx[:0]
    image = an_image("m", known)
    return fit_scores(
        lambda _: Peaks(yx[:, 0], yx[:, 1], logit),
        [image],
        [image] if labels else [],
        labels=labels,
        start=None,
        soft=soft,  # type: ignore[arg-type]
        px_per_diameter=16.0,
        otherwise=1.0,
        most=float(N),
    )


@pytest.mark.parametrize(
    ("labels", "slope"),
    [
        (0, 1.2),  # the picks alone
        (200, np.sqrt(1.2 * 2.0)),  # half-way, of the slope's logarithm
        (600, 1.2**0.25 * 2.0**0.75),  # three quarters of the way
    ],
)
def test_two_hundred_labels_weigh_as_much_as_the_picks(labels: int, slope: float) -> None:
    found = fit(labels, SoftTruth(1.2, 0.0)).calibration
    assert found.slope == pytest.approx(slope, rel=0.05)
    assert found.offset == pytest.approx(0.0, abs=0.15)
    assert found.fitted_on.endswith("picks as soft labels")


def test_without_a_start_the_labels_decide() -> None:
    found = fit(600, None)
    assert found.calibration.slope == pytest.approx(BY_LABELS[0], rel=0.05)
    assert found.calibration.offset == pytest.approx(BY_LABELS[1], abs=0.15)
    assert found.calibration.fitted_on == "training labels"


def test_particles_are_those_that_are_there() -> None:
    # labels are a random draw of the truth, which by symmetry is half of the picks
    assert fit(600, None).particles == pytest.approx(0.5 * N, rel=0.06)
    # the picks of the start see fewer, and alone they count
    rng = np.random.default_rng(6)
    drawn = np.concatenate([rng.normal(-3, 2, 200_000), rng.normal(3, 2, 200_000)])
    fewer = N * float(sigmoid(1.2 * drawn - 2.0).mean())
    doubting = SoftTruth(1.2, -2.0)
    assert fit(0, doubting).particles == pytest.approx(fewer, rel=0.06)
    assert fit(200, doubting).particles == pytest.approx(0.5 * (0.5 * N + fewer), rel=0.06)


def test_a_fine_tuned_network_is_known_more_closely_before_its_labels() -> None:
    # Measured on simulated sets: a fine-tuned network's slope is about 1.45, and its
    # offset strays by .4 with fewer than 30 labels and by 1 with more.
    start = load_model("blob")
    assert known_before_data(None, 20) == {}
    assert known_before_data(start, 29) == {"slope": 1.45, "offset_spread": 0.4}
    assert known_before_data(start, 30) == {"slope": 1.45, "offset_spread": 1.0}
