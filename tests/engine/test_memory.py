import gc
from pathlib import Path

import numpy as np
import pytest

from frostpick.runtime import memory
from frostpick.runtime.memory import give_back_free_memory, in_own_pages

STATUS = Path("/proc/self/status")


def resident_MB():
    fields = ("RssAnon:", "RssShmem:")
    lines = [line.split() for line in STATUS.read_text().splitlines() if line.startswith(fields)]
    return sum(int(line[1]) for line in lines) / 1e3


@pytest.mark.parametrize("shape", [(3, 5), (700, 701), (0, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_copy_in_pages_of_its_own_is_an_array_like_any_other(shape, dtype):
    array = np.random.default_rng(0).normal(size=shape).astype(dtype)
    copy = in_own_pages(array.T)
    np.testing.assert_array_equal(copy, array.T)
    assert copy.dtype == dtype and copy.flags.c_contiguous and copy.flags.writeable
    copy[...] = 0
    assert not np.shares_memory(copy, array)


@pytest.mark.skipif(not STATUS.exists(), reason="needs Linux to tell the memory in use")
def test_pages_are_given_back_with_the_array():
    before = resident_MB()
    kept = [in_own_pages(np.ones((1000, 1000), np.float32)) for _ in range(25)]
    assert resident_MB() - before > 90
    kept.clear()
    gc.collect()
    assert resident_MB() - before < 30


@pytest.mark.skipif(not STATUS.exists(), reason="needs Linux to tell the memory in use")
def test_free_memory_below_a_block_in_use_is_given_back():
    if not hasattr(memory._c_library(), "malloc_trim"):
        pytest.skip("needs glibc")
    # Small enough for the heap; every other one stays, so that the holes cannot be cut off.
    blocks = [np.ones(25_000, np.float32) for _ in range(1000)]
    holes = resident_MB()
    kept, blocks = blocks[-1], None
    give_back_free_memory()
    assert holes - resident_MB() > 70
    assert kept.sum() == 25_000


def test_a_system_without_such_a_function_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory, "_c_library", lambda: None)
    give_back_free_memory()
