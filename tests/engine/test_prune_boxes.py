"""Working boxes: scale, place, grey levels, and the same particle from two sources."""

import numpy as np
import pytest
import torch
from made_images import draw_spots, spots_on_noise, write_mrc
from tiny_pruner import DIAMETER_A, PIXEL_A, SIDE, disc_boxes, tiny_pruner

from frostpick.images.content import ImageFileError
from frostpick.images.stack import Stack
from frostpick.models.pruner.box_network import CLASSES
from frostpick.pruning.box_scorer import UNUSABLE, BoxScorer
from frostpick.pruning.boxes import Boxes, BoxGeometry, boxes_of_images, boxes_of_micrograph
from frostpick.pruning.contrast import settle_prune_contrast
from frostpick.pruning.grey import CLIP, normalise_boxes
from frostpick.pruning.groups import PickGroup, StackGroup
from frostpick.pruning.plan import PrunePlan
from frostpick.pruning.prune import prepare_group
from frostpick.pruning.resample import resample_boxes
from frostpick.runtime.reporter import SilentReporter
from frostpick.types import REASONS, LocalFile, Micrograph, ParticleStack, Picks, sigmoid

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("step", [0.6, 1.0, 1.7, 3.2])
@pytest.mark.parametrize("side", [90, 101])
def test_a_wave_is_resampled_to_its_own_values(step, side):
    """Below both Nyquist limits the values are those of the wave itself at the new places."""
    frequency = 0.18 / max(step, 1.0)
    y, x = np.mgrid[:side, :side] - side // 2
    wave = np.cos(2 * np.pi * frequency * (0.8 * x + 0.6 * y) + 0.4)
    out, inside = resample_boxes(torch.from_numpy(wave.astype(np.float32))[None], step, 16)
    at = (np.arange(16) - 7.5) * step
    expected = np.cos(2 * np.pi * frequency * (0.8 * at[None, :] + 0.6 * at[:, None]) + 0.4)
    assert inside.all()
    assert np.abs(out[0].numpy() - expected).max() < 0.02


def test_what_lies_off_the_box_is_told():
    """A box of 20 pixels, centre 10, covers positions -0.5 to 19.5: 10 steps of 2 of 16 asked."""
    _, inside = resample_boxes(torch.zeros(1, 20, 20), 2.0, 16)
    at = 10 + (np.arange(16) - 7.5) * 2
    expected = (at >= -0.5) & (at <= 19.5)
    assert expected.sum() == 10
    assert np.array_equal(inside[8].numpy(), expected)


def test_grey_levels_do_not_depend_on_factor_offset_or_plane():
    rng = np.random.default_rng(3)
    box = torch.from_numpy(rng.normal(size=(4, 64, 64)).astype(np.float32))
    box[:, 20:44, 20:44] -= 2
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    inside = torch.ones(64, 64, dtype=torch.bool)
    first, _ = normalise_boxes(box, inside, 32.0)
    other, _ = normalise_boxes(37.0 * box + 2000 + 0.5 * x - 0.2 * y, inside, 32.0)
    assert float((first - other).abs().max()) < 2e-3
    radius = torch.hypot(y - 31.5, x - 31.5) / 32
    ring = (radius >= 0.55) & (radius <= 0.75)
    values = first[:, ring]
    assert float(values.mean(1).abs().max()) < 0.15
    assert float((values.std(1) - 1).abs().max()) < 0.1
    assert float(first.abs().max()) <= CLIP


def test_a_box_without_information_is_all_zero():
    boxes = torch.zeros(3, 64, 64)
    boxes[0] = 7.0
    boxes[1] = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    boxes[1, 5, 5] = torch.nan
    boxes[2] = torch.randn(64, 64, generator=torch.Generator().manual_seed(1))
    out, usable = normalise_boxes(boxes, torch.ones(64, 64, dtype=torch.bool), 32.0)
    assert usable.tolist() == [False, False, True]
    assert not out[:2].any() and out[2].any()


def test_a_pick_lies_in_the_middle_of_its_box_and_off_the_image_is_zero():
    image = spots_on_noise((160, 200), [(90.0, 70.0), (12.0, 140.0)], depth=30.0)
    boxes = Boxes.concat(
        list(
            boxes_of_micrograph(
                image,
                np.array([90.0, 12.0]),
                np.array([70.0, 140.0]),
                PIXEL_A,
                BoxGeometry(DIAMETER_A),
            )
        ),
        64,
    )
    weight = (-boxes.data).clamp_min(3.0).numpy() - 3.0
    at = np.arange(64)
    assert abs((weight[0].sum(0) * at).sum() / weight[0].sum() - 31.5) < 0.5
    assert abs((weight[0].sum(1) * at).sum() / weight[0].sum() - 31.5) < 0.5
    # one working pixel is one pixel here: column 31.5 - 12 - 0.5 is the first on the image
    assert not boxes.data[1, :, :19].any() and boxes.data[1, :19, 19:].abs().sum() > 0
    assert not boxes.data[1, 52:].any() and boxes.data[1, 51, 19:].any()


def extracted(image, x, y, side, binned):
    """Extract as a program does: cut, bin by Fourier cropping, level, standardise, invert."""
    half = side // 2
    box = image[y - half : y + half, x - half : x + half].astype(np.float64)
    if binned != side:
        spectrum = np.fft.fftshift(np.fft.fft2(box))
        low, high = half - binned // 2, half + binned // 2
        box = np.fft.ifft2(np.fft.ifftshift(spectrum[low:high, low:high])).real
        box *= (binned / side) ** 2
    yy, xx = np.mgrid[: len(box), : len(box)] - len(box) // 2
    outside = np.hypot(yy, xx) > 0.5 * 0.75 * len(box)
    basis = np.stack([np.ones(outside.sum()), xx[outside], yy[outside]], 1)
    a, b, c = np.linalg.lstsq(basis, box[outside], rcond=None)[0]
    box = box - (a + b * xx + c * yy)
    return (-(box / box[outside].std())).astype(np.float32)


@pytest.mark.parametrize("box_diameters", [1.5, 2.25])
def test_one_particle_scores_the_same_from_a_micrograph_and_from_a_stack(box_diameters):
    """Cut from a micrograph, and read inverted, binned twice, levelled and normalised."""
    pixel = PIXEL_A / 2.5
    places = [(300, 260), (700, 300), (320, 700), (720, 690), (500, 480), (900, 500)]
    big = np.random.default_rng(4).normal(size=(1000, 1200)) * 2.5
    draw_spots(big, places[:4], 3.0, 20.0)
    big += 50 + 0.004 * np.arange(1200)
    geometry = BoxGeometry(DIAMETER_A, SIDE)
    xy = np.array(places, np.float64)
    cut = Boxes.concat(
        list(boxes_of_micrograph(big.astype(np.float32), xy[:, 0], xy[:, 1], pixel, geometry)),
        SIDE,
    )
    side = 2 * round(box_diameters * DIAMETER_A / pixel / 4) * 2
    stack = np.stack([extracted(big, px, py, side, side // 2) for px, py in places])
    read = boxes_of_images(torch.from_numpy(stack), 2 * pixel, geometry, light=True)
    scorer = BoxScorer(tiny_pruner())
    first, second = sigmoid(scorer(cut).score), sigmoid(scorer(read).score)
    assert np.abs(first - second).max() < 0.05
    assert (first[:4] > 0.9).all() and (first[4:] < 0.1).all()
    wrong = boxes_of_images(torch.from_numpy(stack), 2 * pixel, geometry, light=False)
    assert np.abs(sigmoid(scorer(wrong).score) - first)[:4].min() > 0.05


def test_scores_do_not_depend_on_what_comes_with_a_box():
    image = spots_on_noise((160, 200), [(90.0, 70.0)])
    x, y = np.linspace(30, 170, 300), np.linspace(30, 130, 300)
    geometry = BoxGeometry(DIAMETER_A, SIDE)
    boxes = Boxes.concat(list(boxes_of_micrograph(image, x, y, PIXEL_A, geometry)), SIDE)
    scorer = BoxScorer(tiny_pruner())
    every = scorer(boxes)
    some = scorer(Boxes(boxes.data[40:43], boxes.usable[40:43]))
    assert np.abs(every.score[40:43] - some.score).max() < 1e-3
    assert len(every) == 300 and np.isnan(every.spread).all()


def test_four_rotations_give_the_mean_and_spread_of_four_looks():
    image = spots_on_noise((160, 200), [(90.0, 70.0)])
    geometry = BoxGeometry(DIAMETER_A, SIDE)
    (boxes,) = boxes_of_micrograph(image, np.array([80.0]), np.array([66.0]), PIXEL_A, geometry)
    one, four = BoxScorer(tiny_pruner()), BoxScorer(tiny_pruner(), rotations=4)
    looks = [
        one(Boxes(torch.rot90(boxes.data, k, (1, 2)), boxes.usable)).score[0] for k in range(4)
    ]
    found = four(boxes)
    assert found.score[0] == pytest.approx(np.mean(looks), abs=1e-4)
    assert found.spread[0] == pytest.approx(np.std(looks), abs=1e-4)
    assert np.std(looks) > 1e-3


def test_contrast_is_found_from_micrographs_and_from_stacks(tmp_path):
    for light in (False, True):
        sign = -1.0 if light else 1.0
        image = sign * spots_on_noise((256, 256), [(64.0, 64.0), (180.0, 90.0), (100.0, 190.0)])
        path = write_mrc(tmp_path / f"{light}.mrc", image)
        micrograph = Micrograph("m", LocalFile(path), PIXEL_A)
        at = np.array([64.0, 180.0, 100.0]), np.array([64.0, 90.0, 190.0])
        picks = Picks.from_xy("m", *at, row=np.arange(3))
        boxes = [image[y - 32 : y + 32, x - 32 : x + 32] for x, y in ((64, 64), (180, 90))]
        stack = write_mrc(tmp_path / f"{light}.mrcs", np.stack(boxes))
        rows = np.arange(2)
        groups = [
            PickGroup(micrograph, picks),
            StackGroup(ParticleStack(LocalFile(stack), rows, rows, PIXEL_A)),
        ]
        plan = PrunePlan(BoxGeometry(DIAMETER_A, SIDE), 8.0, 0.0, contrast="auto")
        for group in groups:
            found = settle_prune_contrast([group], plan, SilentReporter())
            assert found.contrast == found.stack_contrast == ("light" if light else "dark")
            scores = BoxScorer(tiny_pruner())(prepare_group(group, found).boxes)
            assert (scores.score > 0).all()


@pytest.mark.parametrize("light", [False, True])
def test_boxes_and_micrographs_that_contradict_what_is_assumed_are_told(tmp_path, caplog, light):
    """Stacks are taken for light and micrographs for dark unless told otherwise."""
    places = [(64.0, 64.0), (180.0, 90.0), (100.0, 190.0)]
    image = (-1 if light else 1) * spots_on_noise((256, 256), places)
    write_mrc(tmp_path / "m.mrc", image)
    boxes = [image[int(y) - 32 : int(y) + 32, int(x) - 32 : int(x) + 32] for x, y in places]
    write_mrc(tmp_path / "s.mrcs", np.stack(boxes))
    rows = np.arange(3)
    picks = Picks.from_xy("m", *np.array(places).T, row=rows)
    group = PickGroup(Micrograph("m", LocalFile(tmp_path / "m.mrc"), PIXEL_A), picks)
    stack = StackGroup(ParticleStack(LocalFile(tmp_path / "s.mrcs"), rows, rows, PIXEL_A))
    plan = PrunePlan(BoxGeometry(DIAMETER_A, SIDE), 8.0, 0.0)
    wrong, right = (group, stack) if light else (stack, group)
    assert settle_prune_contrast([right], plan, SilentReporter()) == plan and not caplog.records
    assert settle_prune_contrast([wrong], plan, SilentReporter()) == plan
    (record,) = caplog.records
    seen, taken = ("light", "dark") if light else ("dark", "light")
    assert f"particles look {seen}" in record.message and f"taken for {taken}" in record.message
    assert f"--contrast {seen}" in record.message and len(record.message) < 300
    caplog.clear()
    told = PrunePlan(plan.geometry, 8.0, 0.0, contrast=seen, stack_contrast=seen)
    settle_prune_contrast([wrong], told, SilentReporter())
    assert not caplog.records


def test_a_particle_that_the_edge_cuts_is_completed_by_its_other_half():
    """Centres on, 6 and 12 pixels from an edge; discs have 32 pixels. And empty places there."""
    discs = [(0.0, 60.0), (6.0, 140.0), (60.0, 187.0), (140.0, 12.0), (199.0, 120.0)]
    empty = [(60.0, 0.0), (6.0, 100.0), (110.0, 187.0), (199.0, 50.0)]
    image = spots_on_noise((200, 200), discs, seed=8)
    x, y = np.array(discs + empty + [(100.0, 100.0)]).T
    geometry = BoxGeometry(DIAMETER_A, SIDE)
    plain, completed = (
        Boxes.concat(
            list(boxes_of_micrograph(image, x, y, PIXEL_A, geometry, completed=whole)), SIDE
        )
        for whole in (False, True)
    )
    score = BoxScorer(tiny_pruner())(completed).score
    assert (score[:5] > 0).all() and (score[5:] < 0).all()
    # one working pixel is one pixel: column 23.5 of the box lies on column 0
    cut, filled = plain.data[0], completed.data[0]
    assert not cut[:, :23].any() and torch.equal(filled[:, 24:], cut[:, 24:])
    assert torch.equal(filled[:, :23], cut.flip(0, 1)[:, :23])
    assert torch.equal(plain.data[9], completed.data[9])


def test_an_unusable_box_has_the_lowest_score():
    boxes = Boxes(torch.zeros(1, SIDE, SIDE), torch.zeros(1, dtype=torch.bool))
    found = BoxScorer(tiny_pruner())(boxes)
    assert found.score[0] == UNUSABLE
    assert REASONS[int(found.likely[0])] == "not particle"


def test_reasons_are_what_the_boxes_show():
    """Strips of carbon, noise, and discs, of which no other class has most of the probability."""
    boxes, classes = disc_boxes(150, 9)
    found = BoxScorer(tiny_pruner(), rotations=4)(boxes).likely
    of_class = {"carbon": "carbon", "background": "not particle", "particle": "low score"}
    for name, reason in of_class.items():
        these = found[(classes == CLASSES.index(name)).numpy()]
        assert len(these) > 30
        assert (these == REASONS.index(reason)).mean() > 0.9


def test_stack_gives_sections_in_the_order_asked(tmp_path):
    data = np.random.default_rng(0).normal(size=(5, 6, 8)).astype(np.float32)
    path = write_mrc(tmp_path / "a.mrcs", data, 1.5)
    stack = Stack.open(path)
    assert (stack.sections, stack.header.shape) == (5, (6, 8))
    assert stack.header.pixel_size_A == pytest.approx(1.5)
    assert np.array_equal(stack.read(np.array([3, 0, 3])), data[[3, 0, 3]])
    with pytest.raises(ImageFileError, match="image 6 is asked for and the stack has 5"):
        stack.read(np.array([5]))
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(ImageFileError, match="truncated"):
        Stack.open(path)
