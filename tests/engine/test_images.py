"""Micrograph files written byte by byte, read back."""

from __future__ import annotations

import bz2
import errno
import gzip
import logging
import struct
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from frostpick.errors import MicrographError
from frostpick.images import (
    IMAGE_SUFFIXES,
    PixelSizes,
    read_header,
    read_image,
    resolve_pixel_size,
)
from frostpick.types import LocalFile, Micrograph

pytestmark = pytest.mark.quick

CODES = {0: "b", 1: "h", 2: "f", 6: "H", 12: "e"}
PIXELS = {
    0: [-128, -1, 0, 1, 2, 127],
    1: [-32768, -1, 0, 1, 2, 32767],
    2: [-1.5, 0.25, 3e30, 1.0, 2.0, -3e30],
    6: [0, 1, 2, 3, 40000, 65535],
    12: [-1.5, 0.25, 65504, 1.0, 2.0, -3.0],
}


def mrc_bytes(
    pixels,
    *,
    nx=3,
    ny=2,
    nz=1,
    mode=2,
    order="<",
    extended=b"",
    mx=3,
    cell_x=4.5,
    stamp=True,
    map_word=b"MAP ",
    nsymbt=None,
):
    """An MRC file from the MRC2014 table of offsets alone."""
    raw = bytearray(1024)
    struct.pack_into(order + "4i", raw, 0, nx, ny, nz, mode)
    struct.pack_into(order + "3i", raw, 28, mx, ny, 1)
    struct.pack_into(order + "3f", raw, 40, cell_x, cell_x, 1.0)
    struct.pack_into(order + "i", raw, 92, len(extended) if nsymbt is None else nsymbt)
    raw[208:212] = map_word
    if stamp:
        raw[212:216] = b"\x44\x44\0\0" if order == "<" else b"\x11\x11\0\0"
    body = struct.pack(f"{order}{len(pixels)}{CODES.get(mode, 'f')}", *pixels)
    return bytes(raw) + extended + body


@pytest.fixture
def put(tmp_path):
    def write(content: bytes, name: str = "mic.mrc") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("stamp", [True, False])
@pytest.mark.parametrize("mode", list(CODES))
def test_every_mode_and_byte_order(put, mode, order, stamp):
    path = put(mrc_bytes(PIXELS[mode], mode=mode, order=order, stamp=stamp))
    image = read_image(path, "m")
    expected = np.array(PIXELS[mode], np.float32).reshape(2, 3)
    np.testing.assert_array_equal(image.data, expected)
    assert image.data.dtype == np.float32 and image.data.dtype.isnative
    assert image.data.flags.c_contiguous and image.data.flags.writeable
    assert image.pixel_size_A == 1.5
    header = read_header(path, "m")
    assert header.shape == (2, 3) and header.pixel_size_A == 1.5


def test_every_float16_is_read_as_numpy_reads_it(put):
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]  # subnormals and both zeros among them
    raw = bytearray(mrc_bytes([0.0] * len(finite), nx=1024, ny=62, mode=12))
    raw[1024:] = finite.tobytes()
    read = read_image(put(bytes(raw)), "m").data.ravel()
    np.testing.assert_array_equal(read.view(np.uint32), finite.astype(np.float32).view(np.uint32))


@pytest.mark.parametrize("mode", [2, 12])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 31, 32, 99])
def test_a_value_that_is_not_finite_is_found_in_every_part(put, mode, value, row):
    pixels = np.arange(300.0).reshape(100, 3)
    pixels[row, 1] = value
    path = put(mrc_bytes(pixels.ravel(), nx=3, ny=100, mode=mode))
    with pytest.raises(MicrographError, match="1 of 300 pixels are NaN or infinite"):
        read_image(path, "m")


def test_a_wrong_machine_stamp_is_seen_through(put):
    raw = bytearray(mrc_bytes([1, 2, 3, 4, 5, 6], order=">"))
    raw[212:214] = b"\x44\x44"
    assert read_image(put(bytes(raw)), "m").data[1, 2] == 6


def test_imod_unsigned_bytes(put):
    raw = bytearray(mrc_bytes([-128, -1, 0, 1, 2, 127], mode=0))
    struct.pack_into("<2i", raw, 152, 1146047817, 0)
    np.testing.assert_array_equal(
        read_image(put(bytes(raw)), "m").data, [[128, 255, 0], [1, 2, 127]]
    )


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
@pytest.mark.parametrize("name", ["mic.mrc.gz", "mic.mrc.bz2", "mic.mrc", "mic"])
def test_compression_is_told_by_the_bytes(put, pack, name):
    path = put(pack(mrc_bytes([1, 2, 3, 4, 5, 6], extended=b"x" * 7)), name)
    image = read_image(path, "m")
    np.testing.assert_array_equal(image.data, [[1, 2, 3], [4, 5, 6]])
    assert image.data.flags.writeable
    assert read_header(path, "m").shape == (2, 3)


def test_extended_header_is_skipped(put):
    path = put(mrc_bytes([1, 2, 3, 4, 5, 6], extended=b"FEI1" * 192))
    np.testing.assert_array_equal(read_image(path, "m").data, [[1, 2, 3], [4, 5, 6]])


def test_single_image_stored_as_a_stack_of_one(tmp_path):
    path = tmp_path / "one.mrcs"
    values = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    with mrcfile.new(path) as file:
        file.set_data(values)
        file.set_image_stack()
        file.voxel_size = 2.5
    image = read_image(path, "m")
    np.testing.assert_array_equal(image.data, values[0])
    assert image.pixel_size_A == 2.5


def test_header_statistics_are_not_believed(put):
    raw = bytearray(mrc_bytes([1, 2, 3, 4, 5, 6]))
    struct.pack_into("<3f", raw, 76, float("nan"), -1.0, float("inf"))
    assert read_image(put(bytes(raw)), "m").data.sum() == 21


def test_trailing_bytes_are_a_warning(put, caplog):
    path = put(mrc_bytes([1, 2, 3, 4, 5, 6]) + b"extra")
    with caplog.at_level(logging.WARNING):
        assert read_image(path, "m").data.sum() == 21
    assert "5 bytes behind the image" in caplog.text and str(path) in caplog.text


@pytest.mark.parametrize(
    ("cell_x", "mx"), [(0.0, 3), (3.0, 3), (4.5, 0), (-4.5, 3), (float("nan"), 3), (1e30, 3)]
)
def test_unknown_pixel_sizes(put, cell_x, mx):
    path = put(mrc_bytes([1, 2, 3, 4, 5, 6], cell_x=cell_x, mx=mx))
    assert read_image(path, "m").pixel_size_A is None


GOOD = mrc_bytes([1, 2, 3, 4, 5, 6])
BAD = {
    "stack": (mrc_bytes(range(12), nz=2), "2 sections.*expected 1"),
    "truncated": (GOOD[:-1], "1047 bytes; expected 1048"),
    "truncated in the header": (GOOD[:500], "500 bytes; expected at least the 1024"),
    "truncated in the extended header": (
        mrc_bytes([1, 2, 3, 4, 5, 6], nsymbt=1 << 30),
        "1048 bytes; expected 1073742872",
    ),
    "negative extended header": (mrc_bytes([1, 2, 3, 4, 5, 6], nsymbt=-8), "-8 bytes"),
    "nan": (mrc_bytes([1, 2, float("nan"), 4, 5, float("nan")]), "2 of 6 pixels are NaN"),
    "inf": (mrc_bytes([1, 2, float("-inf"), 4, 5, 6]), "1 of 6 pixels are NaN or infinite"),
    "float16 inf": (mrc_bytes([1, 2, float("inf"), 4, 5, 6], mode=12), "1 of 6 pixels"),
    "constant": (mrc_bytes([7] * 6), "every pixel has the value 7"),
    "empty": (b"", "an empty file"),
    "text": (b"# version 30001\n" * 100, "neither an MRC nor a TIFF"),
    "complex": (mrc_bytes([1] * 12, mode=4), "MRC mode 4 .complex"),
    "complex integers": (mrc_bytes([1] * 12, mode=3), "MRC mode 3 .complex"),
    "4 bit": (mrc_bytes([1] * 6, mode=101), "MRC mode 101"),
    "unknown mode": (mrc_bytes([1] * 6, mode=9), "MRC mode 9"),
    "zero width": (mrc_bytes([], nx=0), "zero size, 0 x 2"),
    "no section": (mrc_bytes([1] * 6, nz=0), "0 sections"),
    "overflow": (
        mrc_bytes([1] * 6, nx=2**31 - 1, ny=2**31 - 1),
        "2147483647 x 2147483647 pixels; expected sides of 1 to 65535",
    ),
    "negative": (mrc_bytes([1] * 6, nx=-3), "-3 x 2 pixels"),
    "too large for the file": (mrc_bytes([1] * 6, nx=65535, ny=65535), "is truncated"),
    "truncated gzip": (gzip.compress(GOOD)[:-12], "compressed data end early"),
    "gzip, checksum": (gzip.compress(GOOD)[:-8] + b"\0" * 8, "compressed data"),
    "gzip of a truncated file": (gzip.compress(GOOD[:-1]), "1047 bytes; expected 1048"),
    "gzip of a huge claim": (
        gzip.compress(mrc_bytes([1] * 6, nx=65535, ny=65535)),
        "is truncated",
    ),
    "truncated bzip2": (bz2.compress(GOOD)[:-12], "compressed data end early"),
    "gzip of text": (gzip.compress(b"hello\n" * 300), "neither an MRC nor a TIFF"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_wrong_files_are_named(put, name):
    content, sentence = BAD[name]
    path = put(content)
    with pytest.raises(MicrographError, match=sentence) as caught:
        read_image(path, "grid/mic_7")
    assert caught.value.micrograph_id == "grid/mic_7"
    assert str(path) in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    for path, reason in ((tmp_path / "no.mrc", "No such file"), (tmp_path, "directory")):
        with pytest.raises(MicrographError, match=reason):
            read_image(path, "m")
        with pytest.raises(MicrographError, match=reason):
            read_header(path, "m")


def test_header_of_a_truncated_file_is_refused(put):
    with pytest.raises(MicrographError, match="expected 1048"):
        read_header(put(GOOD[:-1]), "m")


def test_suffixes_are_lower_case_endings():
    assert {".mrc", ".mrc.gz", ".mrc.bz2", ".tif", ".tiff"} <= set(IMAGE_SUFFIXES)
    assert all(s == s.lower() and s.startswith(".") for s in IMAGE_SUFFIXES)


def test_pixel_size_precedence(caplog):
    assert resolve_pixel_size("m", 1.0, 2.0, 3.0) == 1.0
    assert "m: the header says 3 A a pixel; 1 A is used" in caplog.text
    assert resolve_pixel_size("m", None, 2.0, 2.0) == 2.0
    assert resolve_pixel_size("m", 0.0, float("nan"), 3.0) == 3.0
    with pytest.raises(MicrographError, match="--pixel-size"):
        resolve_pixel_size("m", None, None, None)


def test_pixel_size_warnings(caplog):
    resolve_pixel_size("m", 1.0, None, 1.009)
    assert not caplog.records
    warned: set[tuple[float, float]] = set()
    for name in "abc":
        resolve_pixel_size(name, 1.0, None, 1.02, warned=warned)
    assert len(caplog.records) == 1


def test_a_failure_of_the_machine_is_not_the_micrographs(tmp_path, monkeypatch):
    path = tmp_path / "m.mrc"
    path.write_bytes(b"x")

    def no_more_files(*arguments, **options):
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    monkeypatch.setattr("builtins.open", no_more_files)
    with pytest.raises(OSError, match="Too many open files"):
        read_image(path, "m")


def test_an_option_that_the_host_overrules_is_told_once(caplog):
    warned: set[tuple[float, float]] = set()
    for name in ("a", "b"):
        assert resolve_pixel_size(name, 1.2, 2.4, None, warned=warned) == 1.2
    (record,) = caplog.records
    assert record.message == "a: --pixel-size says 2.4 A a pixel; 1.2 A is used"


def test_many_micrographs_tell_a_contradiction_once(caplog):
    sizes = PixelSizes(2.4)
    for name in ("a", "b"):
        micrograph = Micrograph(name, LocalFile(Path(name)), 1.2)
        assert sizes.of(micrograph, None) == 1.2
    assert [record.message for record in caplog.records] == [
        "a: --pixel-size says 2.4 A a pixel; 1.2 A is used"
    ]
    PixelSizes(2.4).of(Micrograph("c", LocalFile(Path("c")), 1.2), None)
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    "pixel, shape, told",
    [(0.5, (384, 512), True), (0.35, (2000, 1500), False), (0.11, (3838, 3710), True)],
)
def test_a_scale_at_which_a_particle_fills_the_micrograph_is_told_once(caplog, pixel, shape, told):
    """160 A: 320 of 384 pixels, 457 of 1500; 180 A at 1.1 A a pixel given in nm: 1636 of 3710."""
    diameter = 160.0 if pixel > 0.2 else 180.0
    sizes = PixelSizes(None, diameter)
    for name in ("a", "b"):
        assert sizes.of(Micrograph(name, LocalFile(Path(name))), pixel, shape) == pixel
    assert len(caplog.records) == told
    if told:
        message = caplog.records[0].message
        pixels = {0.5: "320 of the 384 pixels", 0.11: "1636 of the 3710 pixels"}[pixel]
        assert f"a: at a pixel size of {pixel:g} A" in message and pixels in message
        assert "would be plausible" in message and "--pixel-size" in message
        assert len(message) < 300
    PixelSizes(None, diameter, quiet=True).of(Micrograph("c", LocalFile(Path("c"))), pixel, shape)
    assert len(caplog.records) == told
