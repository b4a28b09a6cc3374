"""Memory that is kept for long beside memory that comes and goes."""

from __future__ import annotations

import ctypes
from mmap import mmap
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)

#: Numbers of two options of glibc's `mallopt`, from its <malloc.h>.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
#: Free bytes on top of the heap that are kept for the next micrograph or step.
KEPT = 256 << 20
#: Blocks from this size on have pages of their own; the largest that glibc takes.
OWN_PAGES = 32 << 20


def in_own_pages(array: NDArray[T]) -> NDArray[T]:
    """Return a writable copy in memory pages of its own, given back when the array goes.

    A block that stays among large ones that come and go keeps the heap from using
    their place again.
    """
    if array.nbytes == 0:
        return array.copy()
    # Shared with nobody: anonymous pages are passed on to a child by a fork alone.
    pages = np.frombuffer(mmap(-1, array.nbytes), array.dtype).reshape(array.shape)
    pages[...] = array
    return pages


def keep_freed_memory() -> None:
    """Let the C library's heap keep freed memory for the next use, where it can (glibc).

    By itself it gives the megabytes of every layer and transform back to the system at once
    and gets them again for the next, page by page, each cleared: a fifth of the CPU time
    of picking a micrograph. Holds for the whole process; no result depends on it.
    """
    set_option: Any = getattr(_c_library(), "mallopt", None)
    if set_option is not None:
        set_option(M_TRIM_THRESHOLD, KEPT)
        set_option(M_MMAP_THRESHOLD, OWN_PAGES)


def give_back_free_memory() -> None:
    """Return free memory of the C library's heap to the system, where it can (glibc).

    By itself it keeps what lies below the topmost block in use, gigabytes after a
    thousand micrographs.
    """
    trim: Any = getattr(_c_library(), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _c_library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):  # no such thing on this system
        return None
