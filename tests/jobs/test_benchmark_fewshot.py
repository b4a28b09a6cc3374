"""The few-shot benchmark: its table, the exemplars it draws, and windows against shared tokens."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bench_fewshot import WAYS, table
from fewshot.ceiling import SEED, autocovariance, linear_guess, parts_of
from fewshot.windows import window_head, window_maps

from frostpick.models.cryomae import PRESETS, Preset
from frostpick.models.cryomae.exemplar import ExemplarNetwork
from frostpick.picking.dense import score_map
from frostpick.preprocess import WorkingImage
from frostpick.sampling import Sampling


def result(variant: str, name: str, seed: int, f1: float) -> dict[str, object]:
    scored = {way: {"best_f1": f1} for way in ("max", *WAYS)}
    return {"variant": variant, "set": name, "seed": seed, **scored}


def test_a_change_counts_when_it_exceeds_twice_its_deviation_over_seeds() -> None:
    base = {("a", 0): 0.80, ("b", 0): 0.70, ("a", 1): 0.84, ("b", 1): 0.70, ("a", 2): 0.88}
    # Means over the sets of the two complete seeds: .75 and .77.
    changes = {
        # -.1 and -.5 on the sets: -.30 and -.34 by seed, however unlike the sets are
        "no_similarity": (-0.10, -0.50, -0.14, -0.54),
        # +.1 and -.1: mean 0
        "not_adjusted": (0.1, 0.1, -0.1, -0.1),
        # clear, but against the paper's direction
        "from_nothing": (0.10, 0.11, 0.09, 0.10),
        "not_pulled": (-0.2, -0.2, -0.21, -0.21),
    }
    results = [result("cryomae", *key, f1) for key, f1 in base.items()]
    for name, some in changes.items():
        for key, change in zip(base, some, strict=False):
            results.append(result(name, *key, base[key] + change))
    results.append(result("masked_25", "a", 0, 0.6))
    lines = {line.split()[0]: line.split() for line in table(results).splitlines()}
    # sets a (three seeds) and b, complete seeds, mean and deviation over them
    assert lines["cryomae"][1:] == ["0.840", "0.700", "2", "0.760", "0.014"]
    assert lines["no_similarity"][3:9] == ["2", "0.440", "0.014", "-0.320", "0.028", "holds;"]
    assert lines["not_adjusted"][6] in ("+0.000", "-0.000")
    assert " ".join(lines["not_adjusted"][8:10]) == "not reproduced;"
    assert " ".join(lines["from_nothing"][8:10]) == "not reproduced;"
    assert " ".join(lines["not_pulled"][8:]) == "a difference"
    assert lines["masked_25"][1:] == ["0.600", "-", "0"]


def test_windows_score_the_places_of_the_shared_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a reach that never leaves a window, both ways see the same and must agree."""
    monkeypatch.setitem(PRESETS, "tiny", Preset(1, 32, 2, 1, 16, 2, reach=2))  # type: ignore[arg-type]
    torch.manual_seed(0)
    network = ExemplarNetwork("tiny", 5).eval().requires_grad_(False)
    network.head.get_buffer("exemplars").copy_(
        torch.nn.functional.normalize(torch.randn(5, 128), dim=1)
    )
    torch.nn.init.normal_(network.encoder.blocks[0].attention.bias)
    image = torch.randn(90, 110)
    working = WorkingImage(image, Sampling.identity((90, 110), 2.0))
    shared = score_map(network, working)
    single = window_maps(network, working, 2, {"own": network.head})["own"]
    assert single.logits.shape == (12, 14)
    np.testing.assert_allclose(
        single.logits.numpy(), shared.logits[::2, ::2].numpy(), atol=0.02 if _bfloat() else 1e-4
    )
    assert single.sampling.step_yx == (8.0, 8.0) and single.sampling.origin_yx == (0.0, 0.0)


def test_an_exemplar_described_as_a_window_is_like_its_own_window() -> None:
    torch.manual_seed(0)
    network = ExemplarNetwork("tiny", 4).eval().requires_grad_(False)
    working = WorkingImage(torch.randn(72, 88), Sampling.identity((72, 88), 2.0))
    kept = network.head.get_buffer("exemplars").clone()
    head = window_head(network, working, np.array([[40.0, 56.0]]), pull=0.0)
    assert head.get_buffer("exemplars").shape == (4, 768)
    assert torch.equal(network.head.get_buffer("exemplars"), kept)
    logits = window_maps(network, working, 2, {"own": head})["own"].logits
    # one place every 8 pixels; a cosine of 1, pulled in by .999
    assert divmod(int(logits.argmax()), logits.shape[1]) == (5, 7)
    assert float(logits[5, 7]) == pytest.approx(np.arctanh(0.999), abs=1e-2)
    assert float(logits.flatten().topk(2).values[1]) < 3.0


def _bfloat() -> bool:
    from frostpick.runtime.precision import native_precision

    return native_precision(torch.device("cpu")) == "bfloat16"


def test_autocovariance_is_a_mean_over_all_pixels() -> None:
    image = np.random.default_rng(0).normal(size=(12, 9)).astype(np.float32)
    moved = image - image.mean()
    found = autocovariance(image, 3)
    assert found.shape == (7, 7)
    assert found[3, 3] == pytest.approx(moved.var())
    assert found[3 + 2, 3 - 1] == pytest.approx((moved[2:, :-1] * moved[:-2, 1:]).sum() / 108)


def test_linear_guess_is_the_conditional_mean() -> None:
    # A field of covariance .5 ** distance along rows and columns; one pixel is known.
    line = 0.5 ** np.abs(np.arange(-4, 5))
    seen = np.zeros((5, 5), bool)
    seen[1, 2] = True
    guess = linear_guess(np.full((5, 5), 3.0, np.float32), seen, np.outer(line, line), 1.0)
    y, x = np.mgrid[:5, :5]
    np.testing.assert_allclose(
        guess, 1 + 2 * 0.5 ** (np.abs(y - 1) + np.abs(x - 2)) / 1.001, rtol=1e-5
    )


def test_what_is_drawn_is_in_the_image_once() -> None:
    parts = next(p for k in range(9) if (p := parts_of(SEED, k)).protein.std() > 0.2)
    # Noise knows nothing of the protein: the image's steps follow the protein's one to one.
    # Carbon, where protein never is, has no steps inside.
    whole, protein = (np.diff(one, axis=1).ravel() for one in (parts.whole, parts.protein))
    assert (whole * protein).sum() / (protein**2).sum() == pytest.approx(1, abs=0.05)
    # dark, but for the fringes
    assert parts.protein.min() < -2 * parts.protein.max()
