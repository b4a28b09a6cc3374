"""Decoys of the inverted contrast: which count, what area is free, and what they come to."""

import math
from dataclasses import replace

import numpy as np
import pytest
from made_images import draw_discs, noise

from frostpick.models.shipped import load_model, shipped
from frostpick.picking.noise import expected_noise, q_values
from frostpick.picking.null import LEAST, MOST, NoiseSample, looked_at_for_noise
from frostpick.picking.pick import pick_image
from frostpick.picking.plan import plan_picking
from frostpick.settings import PickSettings
from frostpick.types import Picks

pytestmark = pytest.mark.quick

SHAPE, D = (800, 1000), 40.0


def some(rows):
    x, y, score = np.array(rows, float).reshape(-1, 3).T
    return Picks.from_xy("m", x, y, score=score, diameter_A=D)


def sample(picks, decoys, **others):
    return NoiseSample.of(some(picks), some(decoys), SHAPE, D, D / 2, **others)


def test_decoys_within_a_diameter_of_a_pick_at_that_cut_do_not_count():
    one = sample(
        [(200, 200, 2.0), (600, 300, -1.0)],
        [(239, 200, 1.5), (241, 200, 1.0), (600, 330, 0.5), (900, 700, -2.0)],
    )
    # At 0 the pick of -1 is none: the decoy beside it counts, and so does that 41 px away.
    assert one.at(0.0)[:3] == (1, 3, 2)
    # At -1 it is a pick, and the decoy beside it does not count.
    assert one.at(-1.0)[:3] == (2, 3, 1)
    assert one.at(-2.0)[:3] == (2, 4, 2)
    assert one.at(3.0)[:3] == (0, 0, 0)


def test_a_decoy_on_a_doubtful_pick_never_counts_and_one_beside_it_does():
    picks = [(200, 200, -3.0), (600, 300, -4.0)]
    assert sample(picks, [(205, 200, 1.0), (605, 300, 1.0)]).at(0.0)[2] == 1
    assert sample(picks, [(215, 200, 1.0)]).at(0.0)[2] == 1


def test_free_area_is_what_is_a_diameter_away_from_the_picks_at_the_cut():
    one = sample([(200, 200, 2.0), (600, 300, 1.0), (0, 799, 0.0)], [])
    cells = len(one.near_cell)
    assert cells == pytest.approx(800 * 1000 / 5**2, rel=1e-3)

    def taken(cut):
        return (1 - one.at(cut).free / cells) * 800 * 1000

    # the doubtful places of a quarter of a diameter are never free
    circle, small = math.pi * D**2, math.pi * (D / 4) ** 2
    assert taken(3.0) == pytest.approx(2.25 * small, rel=0.15)  # a few cells
    assert taken(1.5) == pytest.approx(circle + 1.25 * small, rel=0.05)
    assert taken(0.5) == pytest.approx(2 * circle + 0.25 * small, rel=0.03)
    # a quarter of the disc of the one in the corner
    assert taken(-1.0) == pytest.approx(2.25 * circle, rel=0.05)
    # another pick could be half a diameter away
    for cut, discs in ((3.0, 0), (1.5, 1), (0.5, 2), (-1.0, 2.25)):
        told = (1 - one.at(cut).area / cells) * 800 * 1000
        assert told == pytest.approx(discs * circle / 4, rel=0.06)


def test_the_border_has_no_area():
    whole, inner = sample([], []), sample([], [], border=1.0)
    assert len(inner.near_cell) / len(whole.near_cell) == pytest.approx(
        720 * 920 / (800 * 1000), rel=0.01
    )


def test_expected_noise_is_one_more_than_the_decoys_for_the_area_where_picks_could_be():
    far = [(100 + 90 * k, 700, 1.0) for k in range(3)]
    two = [sample([(200, 200, 2.0)], far), sample([(500, 300, 3.0), (800, 100, 0.5)], [])]
    found = expected_noise(two, 0.0)
    disc = math.pi * D**2 / (2 * 800 * 1000)
    free = (1 - 3 * disc) / (1 - 3 * disc / 4)
    assert (found.micrographs, found.picks, found.inverted, found.decoys) == (2, 3, 3, 3)
    assert found.free == pytest.approx(free, abs=1e-3)
    assert found.expected == pytest.approx(4 / free, rel=1e-3)
    assert found.low < found.expected < found.high
    assert found.share(found.expected) == 1.0  # never more than there are
    # one cut each: at 2.5 the second has one pick, at 4 the first has none
    assert expected_noise(two, [4.0, 2.5]).picks == 1


def test_without_decoys_the_interval_is_that_of_a_poisson_rate():
    found = expected_noise([sample([(200, 200, 2.0)], []) for _ in range(5)], 0.0)
    assert found.expected * found.free == pytest.approx(1.0)
    # of no event: -ln(.95) and -ln(.05)
    assert found.low * found.free == pytest.approx(0.0513, abs=1e-3)
    assert found.high * found.free == pytest.approx(2.996, abs=1e-3)


def test_the_interval_is_of_micrographs_and_the_same_each_time():
    bad = [(100 + 45 * (k % 18), 100 + 45 * (k // 18), 1.0) for k in range(180)]
    even = [sample([], bad[:18]) for _ in range(10)]
    uneven = [sample([], bad), *(sample([], []) for _ in range(9))]
    narrow, wide = expected_noise(even, 0.0), expected_noise(uneven, 0.0)
    assert narrow.expected == wide.expected == 181
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)
    assert expected_noise(uneven, 0.0) == wide


def test_nothing_is_told_where_no_area_is_free():
    rows = [(x, y, 5.0) for x in range(0, 1001, 25) for y in range(0, 801, 25)]
    found = expected_noise([sample(rows, [(1, 1, 6.0)])], 0.0)
    assert math.isnan(found.expected) and found.free == 0.0
    assert q_values([sample(rows, [])], [0.0]).tolist() == [1.0]


def test_q_values_are_the_least_share_at_looser_cuts():
    # At -1: 2 decoys for 4 picks, at 1: 1 for 2, at 3: 1 for 1, which is worse than looser.
    picks = [(100, 100, 4.0), (300, 100, 2.0), (500, 100, 0.0), (700, 100, 0.0)]
    one = sample(picks, [(500, 600, 3.5), (700, 600, 0.0)])
    free = [one.at(cut).free / one.at(cut).area for cut in (-1.0, 1.0)]
    expected = [3 / 4 / free[0], min(3 / 4 / free[0], 2 / 2 / free[1])]
    found = q_values([one], [-1.0, 1.0, 3.0])
    assert found[:2] == pytest.approx(expected)
    assert found[2] == found[1] and q_values([one], [5.0]).tolist() == [1.0]


def test_a_part_of_a_job_is_looked_at_and_none_for_a_cut_of_its_own():
    model, names = load_model("general"), [f"m{k}" for k in range(1000)]
    assert len(looked_at_for_noise(model, names[:3])) == 3
    assert len(looked_at_for_noise(model, names[:100])) == LEAST
    assert len(looked_at_for_noise(model, names)) == MOST
    own = replace(model, card=model.card.model_copy(update={"selector": "density-cut"}))
    assert not looked_at_for_noise(own, names)
    assert not looked_at_for_noise(shipped("blob"), names)


def picked(image, contrast):
    plan = plan_picking(
        shipped("blob"), PickSettings(diameter=120.0, device="cpu", threads=1, contrast=contrast)
    )
    plan = replace(plan, decoy_ids=frozenset(["m"]))
    return pick_image(shipped("blob"), image.astype(np.float32), 2.0, plan, "m")


def test_decoys_are_found_on_what_is_light_where_particles_are_dark():
    image = noise((420, 460), 3)
    draw_discs(image, [(100, 120)], 2.0, 30)
    draw_discs(image, [(340, 300)], -2.0, 30)
    for contrast, dark, light in (
        ("dark", (100, 120), (340, 300)),
        ("light", (340, 300), (100, 120)),
    ):
        found = picked(image, contrast)
        for picks, place in ((found.picks, dark), (found.decoys, light)):
            assert math.hypot(picks.x_px[0] - place[0], picks.y_px[0] - place[1]) < 4
    plan = plan_picking(shipped("blob"), PickSettings(diameter=120.0, device="cpu", threads=1))
    assert pick_image(shipped("blob"), image.astype(np.float32), 2.0, plan, "m").decoys is None


def test_on_noise_alone_as_many_decoys_as_picks_are_found():
    """The 40 best picks of noise, all false, against what the decoys say of them."""
    found = [picked(noise((700, 700), seed), "dark") for seed in range(6)]
    samples = [NoiseSample.of(one.picks, one.decoys, one.shape, 60.0, 42.0) for one in found]
    cut = np.sort(np.concatenate([one.picks.score for one in found]))[-40]
    told = expected_noise(samples, cut)
    assert told.picks == 40 and told.low < 40 < told.high and 40 / 1.5 < told.expected < 40 * 1.5
