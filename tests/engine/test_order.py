import numpy as np
import pytest
import torch

from frostpick.preprocess.order import SAMPLE, lower_median, order_statistics


def values_of(kind, n):
    rng = np.random.default_rng(3)
    made = {
        "normal": lambda: rng.normal(size=n),
        "few": lambda: rng.integers(0, 3, n),
        "sorted": lambda: np.arange(n),
        "constant": lambda: np.full(n, 7.0),
        # every sampled value is an outlier, so that no bracket from them can hold
        "odd sample": lambda: np.where(np.arange(n) % max(1, n // SAMPLE) == 0, 99.0, np.arange(n)),
        "tails": lambda: rng.standard_t(1.5, n),
        "nan": lambda: np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
        "one nan": lambda: np.where(np.arange(n) == n // 2 + 1, np.nan, rng.normal(size=n)),
        "infinite": lambda: np.where(rng.random(n) < 0.1, -np.inf, rng.normal(size=n)),
    }
    return made[kind]().astype(np.float32)


@pytest.mark.parametrize(
    "kind",
    ["normal", "few", "sorted", "constant", "odd sample", "tails", "nan", "one nan", "infinite"],
)
@pytest.mark.parametrize("n", [1, 2, 9, 4096, 5000, 70_001])
def test_any_rank_is_that_of_a_full_sort(kind, n):
    values = values_of(kind, n)
    ranks = sorted({0, n // 1000, n // 3, (n - 1) // 2, n // 2, n - 1 - n // 1000, n - 1})
    kept = values.copy()
    found = order_statistics(values, ranks)
    np.testing.assert_array_equal(found, np.sort(values)[ranks])
    np.testing.assert_array_equal(values, kept)


@pytest.mark.parametrize("shape", [(1,), (4,), (5,), (30, 40), (101, 333)])
def test_the_lower_median_is_torchs(shape):
    image = torch.randn(shape)
    assert torch.equal(lower_median(image), image.median())
    assert torch.equal(lower_median(image.T if image.ndim == 2 else image), image.median())
