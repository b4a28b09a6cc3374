"""Coordinates between grids, at asymmetric known places."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostpick.sampling import Sampling

pytestmark = pytest.mark.quick


def test_known_point() -> None:
    grid = Sampling((10, 20), step_yx=(2.0, 3.0), origin_yx=(5.0, -7.0), pixel_A_yx=(2.0, 3.0))
    assert grid.to_parent(np.array([4.0, 1.5])).tolist() == [13.0, -2.5]
    assert grid.from_parent(np.array([13.0, -2.5])).tolist() == [4.0, 1.5]


def test_crop_of_a_binned_image_by_hand() -> None:
    micrograph = Sampling.identity((100, 200), 1.5)
    binned = micrograph.child((25, 40), step_yx=(4.0, 5.0), origin_yx=(0.0, 0.0))
    crop = binned.child((8, 8), step_yx=(1.0, 1.0), origin_yx=(3.0, 2.0))
    assert crop.to_parent(np.array([1.0, 6.0])).tolist() == [16.0, 40.0]
    assert crop.pixel_A_yx == (6.0, 7.5)


def test_score_map_of_a_padded_tile_by_hand() -> None:
    tile = Sampling.identity((64, 64), 1.0).child((74, 74), (1.0, 1.0), (-5.0, -5.0))
    scores = tile.child((17, 17), step_yx=(4.0, 4.0), origin_yx=(5.0, 5.0))
    assert scores.to_parent(np.array([[0.0, 0.0], [2.0, 3.0]])).tolist() == [[0, 0], [8, 12]]


@given(
    st.tuples(*[st.floats(0.1, 40)] * 2),
    st.tuples(*[st.floats(-99, 99)] * 2),
    st.tuples(*[st.floats(-4000, 4000)] * 2),
)
def test_round_trip(step, origin, point) -> None:
    grid = Sampling((4, 4), step, origin, (1.0, 1.0))
    np.testing.assert_allclose(grid.from_parent(grid.to_parent(np.array(point))), point, atol=1e-6)


@given(st.tuples(*[st.floats(0.1, 9)] * 4), st.tuples(*[st.floats(-50, 50)] * 4))
def test_composition_is_conversion_twice(step, origin) -> None:
    outer = Sampling((9, 9), step[:2], origin[:2], (1.0, 1.0))
    inner = Sampling((5, 5), step[2:], origin[2:], (1.0, 1.0))
    joined = outer.child((5, 5), step[2:], origin[2:])
    point = np.array([3.25, -1.5])
    np.testing.assert_allclose(
        joined.to_parent(point), outer.to_parent(inner.to_parent(point)), atol=1e-6
    )


@pytest.mark.parametrize(
    "bad", [{"shape": (0, 4)}, {"step_yx": (0.0, 1.0)}, {"pixel_A_yx": (1.0, -1.0)}]
)
def test_nonsense_is_refused(bad) -> None:
    good = {
        "shape": (4, 4),
        "step_yx": (1.0, 1.0),
        "origin_yx": (0.0, 0.0),
        "pixel_A_yx": (1.0, 1.0),
    }
    with pytest.raises(ValueError, match="positive"):
        Sampling(**{**good, **bad})
