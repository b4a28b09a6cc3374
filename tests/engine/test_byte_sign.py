"""Bytes of MRC mode 0, signed or unsigned: who says so, and the pixels where nobody does."""

from __future__ import annotations

import gzip
import logging
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from frostpick.errors import MicrographError
from frostpick.images import read_header, read_image
from frostpick.images.byte_sign import histogram, sign_of
from frostpick.images.content import ImageFileError
from frostpick.images.stack import Stack

SHAPE = (160, 200)
UNKNOWN = (0.0, 0.0)


def grey(mean: float, deviation: float, lowest: int, highest: int, seed: int = 1) -> np.ndarray:
    """Noise in whole numbers, clipped to the range."""
    noise = np.random.default_rng(seed).normal(mean, deviation, SHAPE)
    return np.clip(np.round(noise), lowest, highest).astype(np.int64)


def mrc(values: np.ndarray, extremes=UNKNOWN, *, nz: int = 1, imod: int | None = None) -> bytes:
    """A file of mode 0 from the MRC2014 table of offsets alone; values from -128 to 255."""
    raw = bytearray(1024)
    ny, nx = values.shape[-2:]
    struct.pack_into("<4i", raw, 0, nx, ny, nz, 0)
    struct.pack_into("<3i3f", raw, 28, nx, ny, nz, 2.0 * nx, 2.0 * ny, 2.0)
    struct.pack_into("<2f", raw, 76, *extremes)
    if imod is not None:
        struct.pack_into("<2i", raw, 152, 1146047817, imod)
    raw[208:214] = b"MAP \x44\x44"
    return bytes(raw) + (values & 0xFF).astype(np.uint8).tobytes()


UNSIGNED = {
    "middle of the range": grey(128, 25, 0, 255),
    "bright": grey(150, 30, 0, 255),
    "dark": grey(95, 20, 0, 255),
    "clipped at both ends": grey(128, 70, 0, 255),
    "counts": np.random.default_rng(2).poisson(110, SHAPE),
}
SIGNED = {
    "about zero": grey(0, 25, -128, 127),
    "bright": grey(40, 30, -128, 127),
    "dark": grey(-60, 25, -128, 127),
    "clipped at both ends": grey(0, 70, -128, 127),
    "narrow": grey(0, 2, -128, 127),
}


def own_extremes(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("values", UNSIGNED.values(), ids=UNSIGNED)
def test_unsigned_bytes_are_read_so_and_told(tmp_path: Path, caplog, values, told, packed) -> None:
    content = mrc(values, own_extremes(values) if told else UNKNOWN)
    path = tmp_path / "m.mrc"
    path.write_bytes(gzip.compress(content) if packed else content)
    with caplog.at_level(logging.INFO):
        np.testing.assert_array_equal(read_image(path, "m").data, values)
    (record,) = caplog.records
    assert "read as unsigned" in record.getMessage() and str(path) in record.getMessage()


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("values", SIGNED.values(), ids=SIGNED)
def test_signed_bytes_stay_signed_without_a_word(tmp_path: Path, caplog, values, told) -> None:
    path = tmp_path / "m.mrc"
    path.write_bytes(mrc(values, own_extremes(values) if told else UNKNOWN))
    with caplog.at_level(logging.INFO):
        np.testing.assert_array_equal(read_image(path, "m").data, values)
    assert not caplog.records


@pytest.mark.parametrize(("flags", "low"), [(0, 0), (1, -128)])
def test_the_stamp_of_imod_goes_before_all_else(tmp_path: Path, flags: int, low: int) -> None:
    values = grey(low + 128, 25, low, low + 255)
    path = tmp_path / "m.mrc"
    path.write_bytes(mrc(values, (-100.0, 100.0) if flags == 0 else (0.0, 255.0), imod=flags))
    np.testing.assert_array_equal(read_image(path, "m").data, values)


@pytest.mark.parametrize(
    "stated", [(-3.5, 4.25), (0.0, 1.0), (float("nan"), 1.0), (12000.0, 30000.0), (9.0, -9.0)]
)
def test_extremes_of_another_image_decide_nothing(stated: tuple[float, float]) -> None:
    for name, values in UNSIGNED.items():
        counts = histogram((values & 0xFF).astype(np.uint8))
        assert sign_of(counts, stated).unsigned, name
    for name, values in SIGNED.items():
        counts = histogram((values & 0xFF).astype(np.uint8))
        assert not sign_of(counts, stated).unsigned, name


def test_what_cannot_be_told_is_signed_and_said() -> None:
    flat = np.full(256, 100)
    assert not sign_of(flat, UNKNOWN).unsigned
    assert "MRC2014" in str(sign_of(flat, UNKNOWN).why)
    assert sign_of(flat, (0.0, 255.0)).unsigned
    assert not sign_of(flat, (-128.0, 127.0)).unsigned


def test_few_hot_pixels_do_not_turn_an_image(tmp_path: Path) -> None:
    """With the header's word they are bright; without it the image itself is right anyhow."""
    values = grey(20, 4, 0, 255)
    values[::40, ::40] = 250
    path = tmp_path / "m.mrc"
    path.write_bytes(mrc(values, (0.0, 250.0)))
    assert read_image(path, "m").data.max() == 250
    path.write_bytes(mrc(values))
    read = read_image(path, "m").data
    cold = values < 128
    np.testing.assert_array_equal(read[cold], values[cold])


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("sections", [1, 7, 250])
def test_a_stack_of_boxes_is_read_one_way_in_all_its_sections(tmp_path, told, sections) -> None:
    rng = np.random.default_rng(3)
    values = np.clip(np.round(rng.normal(125, 22, (sections, 24, 24))), 0, 255).astype(np.int64)
    path = tmp_path / "s.mrcs"
    path.write_bytes(mrc(values, own_extremes(values) if told else UNKNOWN, nz=sections))
    at = np.array([sections - 1, 0])
    np.testing.assert_array_equal(Stack.open(path).read(at), values[at])
    signed = values - 128
    path.write_bytes(mrc(signed, own_extremes(signed) if told else UNKNOWN, nz=sections))
    np.testing.assert_array_equal(Stack.open(path).read(at), signed[at])


def test_the_sign_of_a_stack_is_told_once_and_when_it_is_read(tmp_path: Path, caplog) -> None:
    rng = np.random.default_rng(3)
    values = np.clip(np.round(rng.normal(125, 22, (7, 24, 24))), 0, 255).astype(np.int64)
    path = tmp_path / "s.mrcs"
    path.write_bytes(mrc(values, own_extremes(values), nz=7))
    with caplog.at_level(logging.INFO):
        stack = Stack.open(path)
        assert not caplog.records
        for at in (np.arange(4), np.arange(4, 7)):
            np.testing.assert_array_equal(stack.read(at), values[at])
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{path}: the bytes of its pixels (mode 0) are read as ")


@pytest.mark.parametrize("length", [512, 2048, 131072])
def test_a_missing_extended_header_is_named(tmp_path: Path, length: int) -> None:
    raw = bytearray(mrc(grey(0, 20, -128, 127)))
    struct.pack_into("<i", raw, 92, length)
    path = tmp_path / "m.mrc"
    path.write_bytes(raw)
    for read in (read_image, read_header):
        with pytest.raises(MicrographError, match=f"extended header of {length} bytes") as caught:
            read(path, "m")
        assert "truncated" not in str(caught.value)
    with pytest.raises(ImageFileError, match=f"extended header of {length} bytes"):
        Stack.open(path)
    path.write_bytes(raw[:-1])
    with pytest.raises(MicrographError, match="truncated"):
        read_image(path, "m")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "x.mrc"
    os.mkfifo(path)
    for read in (read_image, read_header):
        with pytest.raises(MicrographError, match="a pipe"):
            read(path, "m")
    with pytest.raises(ImageFileError, match="a pipe"):
        Stack.open(path)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4"])
def test_a_tiff_whose_lowest_value_is_white(tmp_path: Path, dtype: str) -> None:
    """Dark particles are dark in both, whatever number stands for dark."""
    values = np.arange(20, dtype=dtype).reshape(4, 5)
    tifffile.imwrite(tmp_path / "w.tif", values, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "b.tif", values, photometric="minisblack")
    white = read_image(tmp_path / "w.tif", "m").data
    black = read_image(tmp_path / "b.tif", "m").data
    np.testing.assert_array_equal(black, values[::-1])
    top = {"u1": 255, "u2": 65535, "i2": 0, "f4": 0}[dtype]
    np.testing.assert_array_equal(white, top - black)
