"""The masked autoencoder: patches, masks, its loss, and one encoding for crops and images."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from fewshot.flops import dense_flops, image_flops, sliding_flops, window_flops
from torch.utils.flop_counter import FlopCounterMode

from frostpick.models.cryomae import (
    CROP,
    PITCH,
    WINDOW,
    Encoder,
    MaskedAutoencoder,
    Preset,
    RingPooling,
    preset,
    random_masks,
)
from frostpick.models.cryomae.attention import attend
from frostpick.models.cryomae.autoencoder import reconstruction_loss
from frostpick.models.cryomae.exemplar import SHY, ExemplarNetwork
from frostpick.models.cryomae.geometry import enlarged_patches, grid
from frostpick.models.cryomae.shipped_encoder import shipped_encoder
from frostpick.models.versions import VERSIONS, WEIGHTS
from frostpick.picking.dense import TILE, score_map
from frostpick.preprocess import WorkingImage
from frostpick.pretraining.cryomae.tiles import BACKGROUND
from frostpick.pretraining.cryomae.windows import SimulatedWindows
from frostpick.sampling import Sampling

SMALL = Preset(2, 24, 3, 1, 16, 2, reach=2)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small_encoder() -> Encoder:
    torch.manual_seed(1)
    encoder = Encoder(SMALL).eval().requires_grad_(False)
    for block in encoder.blocks:
        torch.nn.init.normal_(block.attention.bias, std=0.5)
    return encoder


def test_a_patch_is_the_fourfold_linear_enlargement() -> None:
    image = torch.randn(1, 1, CROP, CROP, generator=seeded(0))
    patches = enlarged_patches(image)
    assert patches.shape == (1, WINDOW**2, 256)
    values = image[0, 0].numpy()
    for patch, row, column in ((0, 0, 0), (WINDOW + 3, 7, 11), (WINDOW**2 - 1, 15, 15)):
        y = PITCH * (patch // WINDOW) + (row + 0.5) / 4
        x = PITCH * (patch % WINDOW) + (column + 0.5) / 4
        i, j = int(y), int(x)
        expected = sum(
            values[i + a, j + b] * (1 - abs(y - i - a)) * (1 - abs(x - j - b))
            for a, b in itertools.product((0, 1), (0, 1))
        )
        assert patches[0, patch, 16 * row + column].item() == pytest.approx(expected, abs=1e-5)


def test_embedding_is_a_linear_map_of_the_16_by_16_patch() -> None:
    encoder = small_encoder()
    images = torch.randn(2, 1, CROP, CROP, generator=seeded(2))
    weight = encoder.embedding.weight.flatten(1)
    expected = enlarged_patches(images) @ weight.T + encoder.embedding.bias
    torch.testing.assert_close(
        encoder.embedding(images).flatten(1, 2), expected, atol=1e-4, rtol=1e-4
    )


def test_masks_hide_three_quarters_and_keep_the_order() -> None:
    kept = random_masks(50, 0.75, seeded(3))
    assert kept.shape == (50, 49)
    assert (kept.diff(dim=1) > 0).all()
    # each token is visible in about a quarter of the windows
    shares = torch.bincount(kept.flatten(), minlength=WINDOW**2) / 50
    assert shares.min() > 0 and shares.max() < 0.6
    assert random_masks(2, 0.0, seeded(0)).tolist() == [list(range(WINDOW**2))] * 2


def test_reconstruction_loss_is_the_sum_by_hand_over_hidden_patches() -> None:
    crops = torch.randn(3, 1, CROP, CROP, generator=seeded(4))
    rebuilt = torch.randn(3, WINDOW**2, 256, generator=seeded(5))
    kept = random_masks(3, 0.75, seeded(6))
    target = enlarged_patches(crops)
    total, count = 0.0, 0
    for window in range(3):
        for patch in range(WINDOW**2):
            if patch in kept[window].tolist():
                continue
            for pixel in range(256):
                error = float(rebuilt[window, patch, pixel] - target[window, patch, pixel])
                total, count = total + error**2, count + 1
    assert float(reconstruction_loss(rebuilt, crops, kept)) == pytest.approx(
        total / count, rel=1e-5
    )


def test_attention_sees_the_reach_and_no_further() -> None:
    encoder = Encoder(Preset(1, 24, 3, 1, 16, 2, reach=2)).eval().requires_grad_(False)
    image = torch.randn(1, 1, CROP, CROP, generator=seeded(7))
    before = encoder(image)[0].view(WINDOW, WINDOW, -1)
    changed = image.clone()
    # the last pixels of token (7, 7) and of no other
    changed[0, 0, PITCH * 7 + 2, PITCH * 7 + 2] += 5.0
    differs = (encoder(changed)[0].view(WINDOW, WINDOW, -1) - before).abs().amax(-1) > 1e-6
    expected = torch.zeros(WINDOW, WINDOW, dtype=torch.bool)
    expected[5:10, 5:10] = True
    assert torch.equal(differs, expected)


def test_masked_encoding_does_not_see_hidden_tokens() -> None:
    encoder = small_encoder()
    image = torch.randn(1, 1, CROP, CROP, generator=seeded(8))
    kept = random_masks(1, 0.5, seeded(9))
    hidden = sorted(set(range(WINDOW**2)) - set(kept[0].tolist()))
    changed = image.clone()
    for token in hidden:
        y, x = PITCH * (token // WINDOW) + 2, PITCH * (token % WINDOW) + 2
        changed[0, 0, y, x] += 3.0
    torch.testing.assert_close(encoder(changed, kept), encoder(image, kept))


@pytest.mark.parametrize("sides", [(17, 17), (21, 34)])
def test_dense_encoding_equals_the_whole_image_as_one_crop(sides: tuple[int, int]) -> None:
    encoder = small_encoder()
    halo = encoder.halo
    side = max(sides)
    image = torch.randn(1, 1, 4 * side + 1, 4 * side + 1, generator=seeded(10))
    whole = encoder(image).view(side, side, -1)[halo : sides[0] - halo, halo : sides[1] - halo]
    part = image[:, :, : 4 * sides[0] + 1, : 4 * sides[1] + 1]
    dense = encoder.dense(part)[0]
    assert dense.shape[:2] == (sides[0] - 2 * halo, sides[1] - 2 * halo)
    torch.testing.assert_close(dense, whole, atol=1e-5, rtol=1e-4)


def test_attention_is_that_of_torch() -> None:
    q, k, v = (torch.randn(2, 3, n, 8, generator=seeded(n)) for n in (5, 7, 7))
    mask = torch.randn(3, 5, 7, generator=seeded(1)).masked_fill(torch.eye(5, 7) > 0, -torch.inf)
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    torch.testing.assert_close(attend(q, k, v, mask), expected)


def test_a_tile_is_encoded_as_a_crop_is() -> None:
    encoder = small_encoder().requires_grad_(True)
    images = torch.randn(2, 1, 4 * 18 + 1, 4 * 18 + 1, generator=seeded(16))
    as_crop, as_tile = encoder(images).view(2, 18, 18, -1), encoder.tile(images)
    torch.testing.assert_close(as_tile, as_crop, atol=1e-5, rtol=1e-4)
    weights = torch.randn(as_crop.shape, generator=seeded(17))
    bias = encoder.blocks[0].attention.bias
    gradients = [torch.autograd.grad((x * weights).sum(), bias)[0] for x in (as_crop, as_tile)]
    torch.testing.assert_close(gradients[1], gradients[0], atol=1e-4, rtol=1e-3)
    with pytest.raises(ValueError, match="14 tokens a side, expected a multiple of 6"):
        encoder.tile(torch.zeros(1, 1, CROP, CROP))


def test_ring_pooling_of_a_crop_and_of_a_map_agree_with_means_by_hand() -> None:
    pooling = RingPooling()
    tokens = torch.randn(1, WINDOW, WINDOW, 5, generator=seeded(11))
    dense = pooling.dense(tokens)
    assert dense.shape == (1, 6, 6, 20)
    yx = grid().numpy()
    for row, column in ((4, 4), (9, 6)):
        radius = np.hypot(*(yx - [row, column]).T)
        by_hand = []
        for inner, outer in ((-1, 1.5), (1.5, 2.5), (2.5, 3.5), (3.5, 4.5)):
            ring = (radius > inner) & (radius <= outer)
            by_hand.append(tokens.view(-1, 5)[torch.from_numpy(ring)].mean(0))
        expected = torch.cat(by_hand)
        crop = pooling(tokens.flatten(1, 2), torch.tensor([[row, column]]), grid())
        torch.testing.assert_close(crop[0], expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(dense[0, row - 4, column - 4], expected, atol=1e-5, rtol=1e-4)


def test_ring_pooling_of_a_masked_crop_is_the_mean_of_what_is_left() -> None:
    pooling = RingPooling()
    tokens = torch.randn(1, 3, 4, generator=seeded(12))
    at = torch.tensor([[[7, 7], [6, 7], [7, 11]]])
    pooled = pooling(tokens, torch.tensor([[7, 7]]), at)[0].view(4, 4)
    torch.testing.assert_close(pooled[0], tokens[0, :2].mean(0))
    assert not pooled[1:3].any()
    torch.testing.assert_close(pooled[3], tokens[0, 2])


def exemplar_network(matching: str = "max") -> ExemplarNetwork:
    torch.manual_seed(13)
    network = ExemplarNetwork("tiny", 3, matching).eval().requires_grad_(False)
    for name, value in (("exemplars", torch.randn(3, 768)), ("centre", torch.randn(768))):
        network.head.get_buffer(name).copy_(value)
    network.head.get_buffer("exemplars").copy_(
        torch.nn.functional.normalize(network.head.get_buffer("exemplars"), dim=1)
    )
    return network


def test_logit_is_the_inverse_tangent_of_the_largest_cosine_by_hand() -> None:
    network = exemplar_network()
    x = torch.randn(1, 1, network.receptive_field, network.receptive_field, generator=seeded(14))
    logit = network(x)
    assert logit.shape == (1, 1, 1, 1)
    side = network.output_side(network.receptive_field)
    assert side == 1
    pooled = network.pooling.dense(network.encoder.dense(x))[0, 0, 0].double().numpy()
    moved = pooled - network.head.get_buffer("centre").double().numpy()
    cosines = [
        float(moved @ e / np.linalg.norm(moved) / np.linalg.norm(e))
        for e in network.head.get_buffer("exemplars").double().numpy()
    ]
    assert float(logit) == pytest.approx(np.arctanh(SHY * max(cosines)), abs=1e-5)
    mean = exemplar_network("mean")
    assert float(mean(x)) == pytest.approx(np.arctanh(SHY * np.mean(cosines)), abs=1e-5)


def test_tiles_of_a_micrograph_give_the_same_scores() -> None:
    network = exemplar_network()
    image = torch.randn(130, 150, generator=seeded(15))
    working = WorkingImage(image, Sampling.identity((130, 150), 1.0))
    whole = score_map(network, working)
    assert whole.logits.shape == (33, 38)
    torch.testing.assert_close(
        score_map(network, working, tile=13).logits, whole.logits, atol=1e-4, rtol=1e-4
    )


def counted(function: object, *inputs: torch.Tensor) -> int:
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        function(*inputs)  # type: ignore[operator]
    return counter.get_total_flops()


def test_flops_of_a_window_and_of_an_image_are_those_that_torch_counts() -> None:
    encoder = Encoder(preset("tiny")).eval().requires_grad_(False)
    window = torch.zeros(1, 1, CROP, CROP)
    side = 4 * 50 + 1
    image = torch.zeros(1, 1, side, side)
    pooling = RingPooling()
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        alone = counted(encoder, window)
        shared = counted(lambda x: pooling.dense(encoder.dense(x)), image)
    # torch also counts the few products that enlarge the embedding's weights
    assert alone == pytest.approx(window_flops(encoder.preset), rel=0.01)
    assert shared == pytest.approx(image_flops(encoder.preset, (side, side)), rel=0.02)


@pytest.mark.parametrize("name", ["tiny", "small", "base"])
@pytest.mark.parametrize("window_px", [200.0, 400.0])
def test_shared_encoding_is_twenty_times_less_work(name: str, window_px: float) -> None:
    shape = (4096, 4096)
    sliding = sliding_flops(preset(name), shape, window_px, 28)
    assert sliding == (int((4096 - window_px) / 28) + 1) ** 2 * window_flops(preset(name))
    assert sliding / dense_flops(preset(name), shape, window_px, TILE) > 20


def test_wrong_presets_and_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="preset 'huge', expected one of tiny, small, base"):
        MaskedAutoencoder("huge")
    with pytest.raises(ValueError, match="exemplars 0, expected at least 1"):
        ExemplarNetwork("tiny", 0)
    with pytest.raises(ValueError, match="matching 'sum'"):
        ExemplarNetwork("tiny", 1, "sum")


def test_the_shipped_encoder_is_small_and_knows_particles_it_never_saw() -> None:
    model = shipped_encoder("tiny")
    assert model is not None and shipped_encoder("base") is None
    assert sum(f.stat().st_size for f in (WEIGHTS / VERSIONS["mae-tiny"][-1]).iterdir()) < 10e6
    seed = 2025
    assert model.card.trained_on["seed"] != seed
    source = SimulatedWindows(seed)
    margins = []
    for number in range(4):
        tiles = source.shown(number, 1, 4, np.random.default_rng(number)).tiles
        if tiles is None or (tiles.shows >= 0).sum() < 4:
            continue
        with torch.inference_mode():
            pooled = RingPooling().dense(model.network.encoder.tile(tiles.crops)).flatten(0, 2)
        shows = tiles.shows.flatten()
        deviation, mean = torch.std_mean(pooled[shows == BACKGROUND], dim=0)
        unit = torch.nn.functional.normalize((pooled - mean) / deviation, dim=1)
        own, other = unit[shows >= 0], unit[shows == BACKGROUND]
        same = (own @ own.T).masked_fill(torch.eye(len(own)) > 0, torch.nan).nanmean()
        margins.append(float(same - (own @ other.T).mean()))
    assert len(margins) > 1
    assert np.mean(margins) > 0.2
