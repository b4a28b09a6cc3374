"""No header, however damaged, gives anything but an image or a MicrographError."""

from __future__ import annotations

import gzip
import io
import struct

import numpy as np
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frostpick.errors import MicrographError
from frostpick.images import read_header, read_image

QUIET = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WORDS = st.one_of(
    st.integers(-(2**31), 2**31 - 1),
    st.sampled_from([0, 1, 2, 3, 4, 6, 12, 64, 1024, -1, 65535, 65536, 2**31 - 1]),
)


def attempt(path, content):
    path.write_bytes(content)
    for read in (read_header, read_image):
        try:
            result = read(path, "m")
        except MicrographError as error:
            assert str(path) in error.reason
        else:
            if read is read_image:
                assert result.data.dtype == np.float32 and np.isfinite(result.data).all()


@QUIET
@given(
    head=st.lists(WORDS, min_size=10, max_size=24),
    stamp=st.sampled_from([b"\x44\x44", b"\x11\x11", b"\0\0", b"zz"]),
    order=st.sampled_from("<>"),
    body=st.binary(max_size=200),
    zipped=st.booleans(),
)
def test_mrc_headers(tmp_path, head, stamp, order, body, zipped):
    raw = bytearray(1024)
    struct.pack_into(f"{order}{len(head)}i", raw, 0, *head)
    raw[212:214] = stamp
    content = bytes(raw) + body
    attempt(tmp_path / "m.mrc", gzip.compress(content) if zipped else content)


@QUIET
@given(places=st.lists(st.tuples(st.integers(4, 400), st.integers(0, 255)), min_size=1, max_size=6))
def test_tiff_bytes(tmp_path, places):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.arange(48, dtype=np.float32).reshape(6, 8))
    content = bytearray(buffer.getvalue())
    for place, value in places:
        content[place % len(content)] = value
    attempt(tmp_path / "m.tif", bytes(content))


@QUIET
@given(st.binary(max_size=1500))
def test_anything(tmp_path, content):
    attempt(tmp_path / "m.mrc", content)
