"""What the machine gives at this moment: a plain convolution, and a copy of memory."""

from __future__ import annotations

import time

import numpy as np
import torch


def convolution_rate(dtype: torch.dtype = torch.float32) -> float:
    """Return multiply-adds a CPU second of a 3 x 3 convolution, 64 to 64 channels, channels last.

    The best of eight; of CPU time, so that other programs and the number of threads
    matter little.
    """
    x = torch.randn(1, 64, 184, 184, dtype=dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(64, 64, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last)
    best = float("inf")
    with torch.inference_mode():
        for _ in range(8):
            start = time.process_time()
            torch.nn.functional.conv2d(x, weight)
            best = min(best, time.process_time() - start)
    return 182 * 182 * 64 * 64 * 9 / best


def copy_rate() -> float:
    """Return bytes a CPU second, read plus written, of a copy of 64 MiB; the best of eight."""
    source = np.ones(1 << 24, np.float32)
    target = np.empty_like(source)
    best = float("inf")
    for _ in range(8):
        start = time.process_time()
        np.copyto(target, source)
        best = min(best, time.process_time() - start)
    return 2 * source.nbytes / best
