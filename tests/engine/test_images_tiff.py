"""TIFF: rows reversed (as RELION reads them), and every refusal."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from frostpick.errors import MicrographError
from frostpick.images import read_header, read_image

pytestmark = pytest.mark.quick

IMAGE = np.arange(12).reshape(3, 4)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "f2", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_last_row_of_the_file_comes_first(tmp_path, dtype, order):
    path = tmp_path / "mic.tif"
    tifffile.imwrite(path, IMAGE.astype(dtype), byteorder=order)
    image = read_image(path, "m").data
    np.testing.assert_array_equal(image, [[8, 9, 10, 11], [4, 5, 6, 7], [0, 1, 2, 3]])
    assert image.dtype == np.float32 and image.flags.c_contiguous
    assert read_header(path, "m").shape == (3, 4)


def test_tiles_strips_deflate_and_bigtiff(tmp_path):
    values = np.arange(96 * 80, dtype=np.uint16).reshape(96, 80)
    for number, options in enumerate(
        ({"tile": (32, 32)}, {"rowsperstrip": 7}, {"compression": "zlib"}, {"bigtiff": True})
    ):
        path = tmp_path / f"{number}.mrc"  # the name says nothing
        tifffile.imwrite(path, values, **options)
        np.testing.assert_array_equal(read_image(path, "m").data, values[::-1])


def test_pixel_size_from_the_resolution_tags(tmp_path):
    path = tmp_path / "mic.tif"
    tifffile.imwrite(path, IMAGE.astype("f4"), resolution=(5e7, 5e7), resolutionunit="CENTIMETER")
    assert read_header(path, "m").pixel_size_A == pytest.approx(2.0)
    tifffile.imwrite(path, IMAGE.astype("f4"), resolution=(72, 72), resolutionunit="INCH")
    assert read_image(path, "m").pixel_size_A is None


def test_refusals(tmp_path):
    path = tmp_path / "mic.tif"
    cases = (
        (np.zeros((2, 3, 4), "f4"), {"photometric": "minisblack"}, "2 images, a stack"),
        (np.zeros((3, 4, 3), "u1"), {"photometric": "rgb"}, "3 colours"),
        (IMAGE.astype("c8"), {}, "complex64; expected real"),
        (np.full((3, 4), np.nan, "f4"), {}, "12 of 12 pixels"),
        (np.zeros((3, 4), "f4"), {}, "every pixel"),
    )
    for values, options, sentence in cases:
        tifffile.imwrite(path, values, **options)
        with pytest.raises(MicrographError, match=sentence) as caught:
            read_image(path, "m")
        assert str(path) in str(caught.value)


def test_truncated_at_any_length(tmp_path):
    path = tmp_path / "mic.tif"
    tifffile.imwrite(path, np.random.default_rng(0).normal(size=(40, 50)).astype("f4"))
    whole = path.read_bytes()
    for length in [*range(0, 400, 7), len(whole) - 1, len(whole) // 2]:
        path.write_bytes(whole[:length])
        with pytest.raises(MicrographError):
            read_image(path, "m")
