import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from frostpick.runtime import memory
from frostpick.runtime.memory import give_back_free_memory, in_own_pages, keep_freed_memory

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


#: Takes and frees what a layer of a network does, and tells the pages it was given.
LAYERS = """
import resource
import numpy as np
from frostpick.runtime.memory import keep_freed_memory
{call}
def layer():
    blocks = [np.ones(300_000, np.float32) for _ in range(20)]
layer()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    layer()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_freed_memory_is_kept_for_the_next_use():
    if not hasattr(memory._c_library(), "mallopt"):
        pytest.skip("needs glibc")

    def pages(call):
        run = [sys.executable, "-c", LAYERS.format(call=call)]
        return int(subprocess.run(run, check=True, capture_output=True, text=True).stdout)

    # 10 times 24 MB are 58,594 pages of 4 KiB, all new to a heap that keeps nothing;
    # a system with huge pages hands out fewer
    assert 10 * pages("keep_freed_memory()") < pages("")


def test_a_system_without_such_functions_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory, "_c_library", lambda: None)
    give_back_free_memory()
    keep_freed_memory()
