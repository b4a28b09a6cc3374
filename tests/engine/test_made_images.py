"""The images that the tests are run on are what they say, and no test has drawings of its own."""

import ast
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from made_images import (
    draw_discs,
    draw_soft_discs,
    draw_spots,
    noise,
    places_apart,
    spots_on_noise,
    write_mrc,
)

pytestmark = pytest.mark.quick

TESTS = Path(__file__).parents[1]


def test_a_disc_lies_where_it_is_said_and_has_no_rim_at_its_radius() -> None:
    image = np.zeros((9, 12))
    draw_discs(image, (7, 3), 2.0, 2)
    # Within less than 2 pixels of column 7, row 3: a square of 3 by 3.
    assert {tuple(one) for one in np.argwhere(image)} == {
        (y, x) for y in (2, 3, 4) for x in (6, 7, 8)
    }
    assert set(np.unique(image)) == {-2.0, 0.0}


def test_a_ring_has_a_hole() -> None:
    image = np.zeros((9, 9), np.float32)
    draw_discs(image, [(4, 4)], 1.0, 2, hole_px=1.1)
    assert image[4, 4] == image[4, 5] == 0 and image[3, 3] == image[5, 5] == -1


def test_spots_and_soft_discs_by_hand() -> None:
    image = np.zeros((7, 9))
    draw_spots(image, [(2, 3), (6, 3)], depth=[4.0, 8.0], deviation_px=0.5)
    assert image[3, 2] == pytest.approx(-4 - 8 * np.exp(-32))
    assert image[3, 7] == pytest.approx(-8 * np.exp(-2) - 4 * np.exp(-50))
    image = np.zeros((21, 21))
    draw_soft_discs(image, [(10, 10)], 6.0, 4.0, 0.5)
    assert image[10, 14] == pytest.approx(-3.0)  # half the depth at the radius
    assert image[10, 15] == pytest.approx(-6 / (1 + np.e**2))
    assert image[10, 10] == pytest.approx(-6, rel=1e-3)


def test_places_are_apart_and_the_noise_is_that_of_its_seed() -> None:
    xy = places_apart(np.random.default_rng(1), (90, 200), 20, 10, 22)
    apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) + 1e9 * np.eye(20)
    assert apart.min() > 22
    assert (xy >= 10).all() and (xy <= [190, 80]).all() and xy[:, 0].max() > 90
    assert np.array_equal(noise((5, 6), 3), np.random.default_rng(3).normal(size=(5, 6)))
    bare = spots_on_noise((40, 50), [], 3)
    assert bare.dtype == np.float32 and np.array_equal(bare, noise((40, 50), 3).astype("f4"))


@pytest.mark.parametrize("pixel", [None, 2.5])
def test_a_file_is_what_was_given(tmp_path: Path, pixel: float | None) -> None:
    path = write_mrc(
        tmp_path / "new" / "a.mrc", np.arange(6, dtype=np.float32).reshape(2, 3), pixel
    )
    with mrcfile.open(path) as file:
        assert np.array_equal(file.data, [[0, 1, 2], [3, 4, 5]])
        assert float(file.voxel_size.x) == (pixel or 0.0)


def test_files_of_images_are_written_in_one_place() -> None:
    """A special header may be made by hand, in the tests of the reader; so may the benchmarks'."""
    allowed = {"made_images.py", "test_images.py"}
    found = set()
    for folder in ("engine", "jobs", "contract", "peers", "support"):
        for path in (TESTS / folder).rglob("*.py"):
            calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
            if any(ast.unparse(n.func) in ("mrcfile.new", "mrcfile.write") for n in calls):
                found.add(path.name)
    assert found == allowed
