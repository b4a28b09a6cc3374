"""DeepEM's network against windows one by one, and its picking rule against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_images import draw_discs
from numpy.typing import NDArray
from scipy.signal import correlate

from frostpick.errors import ModelError
from frostpick.models.card import ModelCard, NetworkSpec
from frostpick.models.networks.deepem import LAYOUTS, DeepEM
from frostpick.models.registry import build_network
from frostpick.picking.dense import ScoreMap, score_map
from frostpick.picking.deviation import local_deviation
from frostpick.picking.rotations import FourRotations, logits_at, mean_log_odds
from frostpick.picking.selector import Selector
from frostpick.picking.selectors.four_rotations import gated, two_pass_maxima
from frostpick.preprocess import WorkingImage
from frostpick.sampling import Sampling

Array = NDArray[np.float64]


def make(layout: str, seed: int = 1, **arguments: int) -> DeepEM:
    torch.manual_seed(seed)
    network = DeepEM(layout, **arguments).eval().requires_grad_(False)
    for parameter in network.parameters():  # larger than at first, so that an error shows
        parameter.mul_(3.0)
        if parameter.ndim == 1:
            parameter.normal_(0, 0.3)
    return network


def by_hand(network: DeepEM, image: Array, top: int, left: int) -> float:
    """Score the window at ``(top, left)`` layer by layer, in float64, with numpy alone."""
    layout = next(one for one in LAYOUTS.values() if one.box == network.box)
    box = network.box
    low = box // 2
    window = np.empty((box, box))
    part = image[top : top + 2 * box - 1, left : left + 2 * box - 1]
    around = np.lib.stride_tricks.sliding_window_view(part, (box, box))
    for y in range(box):
        for x in range(box):
            near = around[y, x]
            window[y, x] = (part[y + low, x + low] - near.mean()) / near.std()
    maps = [window]
    convolutions = [m for m in network.features if isinstance(m, torch.nn.Conv2d)]
    for convolution, pool in zip(convolutions, layout.pools, strict=True):
        weight = convolution.weight.double().numpy()
        bias = convolution.bias.double().numpy()  # type: ignore[union-attr]
        made = []
        for k in range(len(weight)):
            total = sum(
                correlate(m, weight[k, j], mode="valid", method="fft") for j, m in enumerate(maps)
            )
            after = 1 / (1 + np.exp(-(total + bias[k])))
            side = after.shape[0] // pool
            assert side * pool == after.shape[0]
            made.append(after.reshape(side, pool, side, pool).mean((1, 3)))
        maps = made
    weight = network.head.weight.double().numpy()[0]
    return float((np.stack(maps) * weight).sum() + network.head.bias.double().item())


@pytest.mark.parametrize(("layout", "outputs"), [("working", (3, 5)), ("19s", (1, 2))])
def test_dense_equals_windows_one_by_one(layout: str, outputs: tuple[int, int]) -> None:
    network = make(layout)
    sides = [network.input_side(n) for n in outputs]
    image = np.random.default_rng(0).normal(0.3, 1.7, sides)
    image[: sides[0] // 2] += np.linspace(0, 3, sides[1])  # deviations that differ
    dense = network(torch.from_numpy(image).float()[None, None])[0, 0].double().numpy()
    assert dense.shape == outputs
    windows = [
        [by_hand(network, image, network.stride * i, network.stride * j) for j in range(outputs[1])]
        for i in range(outputs[0])
    ]
    assert np.std(windows) > 1e-3
    np.testing.assert_allclose(dense, windows, atol=2e-4)


def test_sizes_of_the_paper() -> None:
    # 62,761 and 12,703 weights, and S6 of 9 and 8 pixels: counted by hand from the maps
    klh, proteasome = DeepEM("klh"), DeepEM("19s")
    assert sum(p.numel() for p in klh.parameters()) == 62761
    assert sum(p.numel() for p in proteasome.parameters()) == 12703
    assert (LAYOUTS["klh"].last_side(), LAYOUTS["19s"].last_side()) == (9, 8)
    assert (klh.stride, klh.receptive_field) == (12, 545)
    with torch.inference_mode():
        assert klh(torch.randn(1, 1, 545, 545 + 12)).shape == (1, 1, 1, 2)


@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_every_stride_gives_the_same_windows(stride: int) -> None:
    fine, coarse = make("working", stride=1), make("working", stride=stride)
    image = torch.randn(1, 1, fine.input_side(17), fine.input_side(25))
    expected = fine(image)[..., ::stride, ::stride]
    torch.testing.assert_close(coarse(image), expected, atol=1e-5, rtol=1e-4)


def test_centre_of_an_even_box_is_the_middle_of_the_field() -> None:
    network = make("19s")
    field = network.receptive_field
    x = torch.randn(1, 1, field, field, requires_grad=True)
    network(x).sum().backward()
    assert x.grad is not None
    touched = (x.grad[0, 0].abs() > 0).any(0).nonzero().flatten()
    first, last = int(touched[0]), int(touched[-1])
    # box 160: the standardised window covers 80 left of its centre and 79 right of it, and
    # half a box of surroundings likewise
    assert (first, last) == (0, 2 * 160 - 2)
    assert (field - 1) // 2 == 160


def test_tile_equals_whole() -> None:
    network = make("working")
    image = WorkingImage(torch.randn(150, 131), Sampling.identity((150, 131), 1.0))
    whole, tiles = score_map(network, image), score_map(network, image, tile=9)
    torch.testing.assert_close(whole.logits, tiles.logits, atol=1e-4, rtol=1e-4)


def test_wrong_arguments_are_model_errors() -> None:
    for arguments in ({"layout": "26s"}, {"units": 0}, {"stride": 3}):
        with pytest.raises(ModelError, match="deepem"):
            build_network("deepem", arguments)


@pytest.mark.parametrize("name", ["deepem", "resnet8"])
def test_four_rotations_are_those_of_the_image(name: str) -> None:
    torch.manual_seed(0)
    network = build_network(name, {}).eval().requires_grad_(False)
    stride, field = network.stride, network.receptive_field
    rows, columns = field + 3 * stride, field + 2 * stride
    image = torch.randn(rows + 2, columns + 3)
    found = FourRotations(network)(image[None, None])[0, 0]
    assert found.shape == (4, 3)
    for i in range(4):
        for j in range(3):
            window = image[stride * i : stride * i + field, stride * j : stride * j + field]
            logits = [network(torch.rot90(window, k)[None, None]).item() for k in range(4)]
            mean = np.mean([1 / (1 + np.exp(-v)) for v in logits])
            assert found[i, j].item() == pytest.approx(np.log(mean / (1 - mean)), abs=1e-4)


def test_single_places_are_scored_as_windows_about_them() -> None:
    network = make("working")
    image = torch.randn(120, 130)
    half = network.receptive_field // 2
    found = logits_at(network, image, [[60.2, 63.7], [0, 0]])
    window = image[60 - half : 61 + half, 64 - half : 65 + half]
    expected = [network(torch.rot90(window, k)[None, None]).item() for k in range(4)]
    np.testing.assert_allclose(found[0], expected, atol=1e-5)
    assert found.shape == (2, 4) and np.isfinite(found).all()
    assert logits_at(network, image, np.zeros((0, 2))).shape == (0, 4)


def test_log_odds_of_the_mean() -> None:
    assert mean_log_odds(torch.tensor([0.0, 0.0, 0.0, np.log(3)])).item() == pytest.approx(
        np.log(2.25 / 1.75)
    )
    sure = mean_log_odds(torch.tensor([[90.0, -200.0]]).expand(4, 2))
    torch.testing.assert_close(sure, torch.tensor([90.0, -200.0]))


def test_local_deviation_by_hand() -> None:
    rng = np.random.default_rng(2)
    image = rng.normal(5, 2, (30, 33))
    padded = np.pad(image, 3, mode="reflect")
    expected = np.lib.stride_tricks.sliding_window_view(padded, (7, 7)).std((2, 3))
    found = local_deviation(torch.from_numpy(image).float(), 7).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_gate_shuts_what_is_rougher_or_smoother_than_the_ice() -> None:
    torch.manual_seed(1)
    image = torch.randn(200, 300)
    image[:, :90] *= 3  # carbon
    image[:, 210:] *= 0.2  # nothing
    working = WorkingImage(image, Sampling((200, 300), (2.0, 2.0), (0.0, 0.0), (1.0, 1.0)))
    grid = working.sampling.child((50, 75), (4, 4), (0, 0))
    opened = gated(ScoreMap(torch.zeros(50, 75), grid), working, 20.0, (0.6, 1.7)).logits
    assert torch.isneginf(opened[:, : 60 // 4]).all()
    assert torch.isneginf(opened[:, 240 // 4 :]).all()
    assert torch.isfinite(opened[:, 112 // 4 : 188 // 4]).all()


def two_passes_by_hand(
    values: Array, first: int, second: int, floor: float
) -> set[tuple[int, int]]:
    """Move each cell to the best one near it, as the rule says, with loops."""
    cells = {(i, j) for i, j in np.argwhere(values >= floor).tolist()}

    def best(at: tuple[int, int], among: set[tuple[int, int]], reach: int) -> tuple[int, int]:
        near = [c for c in among if max(abs(c[0] - at[0]), abs(c[1] - at[1])) <= reach]
        return max(near, key=lambda c: values[c])

    heads = {best(c, cells, first) for c in cells}
    while True:
        merged = {best(c, heads, second) for c in heads}
        if merged == heads:
            return heads
        heads = merged


@pytest.mark.parametrize("seed", range(6))
def test_two_passes_against_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (23, 31))
    values[rng.uniform(size=values.shape) < 0.1] = -np.inf
    grid = Sampling((23, 31), (4.0, 4.0), (1.0, 2.0), (1.0, 1.0))
    scores = ScoreMap(torch.from_numpy(values).float(), grid)
    # 13 pixels are 3 cells; nearer than 20 pixels is at most 4 cells
    found = two_pass_maxima(scores, 13.0, 20.0, 0.3, 1000)
    expected = two_passes_by_hand(values, 3, 4, 0.3)
    cells = np.round((np.stack([found.y_px, found.x_px], 1) - (1.0, 2.0)) / 4.0 - 1e-9)
    near = {min(expected, key=lambda c: np.hypot(*(np.array(c) - cell))) for cell in cells}
    assert len(found) == len(expected) and near == expected
    assert np.allclose(np.sort(found.logit), np.sort([values[c] for c in expected]), atol=1e-6)
    assert (np.diff(found.logit) <= 0).all()
    best = two_pass_maxima(scores, 13.0, 20.0, 0.3, 3)
    np.testing.assert_array_equal(best.logit, found.logit[:3])


def test_nothing_above_the_floor_is_no_pick() -> None:
    grid = Sampling.identity((9, 9), 1.0)
    assert len(two_pass_maxima(ScoreMap(torch.zeros(9, 9), grid), 3.0, 3.0, 1.0, 10)) == 0


def test_selector_of_a_card_finds_a_blob_once() -> None:
    card = ModelCard(
        network=NetworkSpec(name="dog"),
        selector="four-rotations",
        selector_constants={"gate_low": 0.1, "gate_high": 10.0},
    )
    selector = Selector.of(card)
    image = np.random.default_rng(0).normal(0, 0.3, (200, 220))
    draw_discs(image, (130, 90), 2.0, 16)
    working = WorkingImage(torch.from_numpy(image).float(), Sampling.identity((200, 220), 1.0))
    scores = selector.map(build_network("dog", {}), working)
    peaks = selector.peaks(
        scores, diameter_px=32, min_distance_px=16, floor_logit=-10, max_peaks=50
    )
    assert abs(peaks.x_px[0] - 130) < 1 and abs(peaks.y_px[0] - 90) < 1
    assert peaks.logit[0] > peaks.logit[1] + 1


def test_a_card_without_constants_is_written_as_before_there_were_any() -> None:
    card = ModelCard(network=NetworkSpec(name="dog"))
    assert "selector_constants" not in card.canonical()
    gated_card = card.model_copy(update={"selector_constants": {"gate_low": 0.5}})
    assert ModelCard.model_validate_json(gated_card.canonical()) == gated_card
