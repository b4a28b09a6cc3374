"""In which floating-point type a network computes on a device."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

Precision = Literal["float32", "bfloat16"]

CPU_INFO = Path("/proc/cpuinfo")
#: Flags of processors that multiply bfloat16 natively; without them it is slower than float32.
NATIVE_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})


def native_precision(device: torch.device) -> Precision:
    """Return ``bfloat16`` where the device has it natively, else ``float32``.

    GPUs have it from compute capability 8.0 on; of processors those whose flags, which
    only Linux tells, name it.
    """
    if device.type == "cuda":
        major, _ = torch.cuda.get_device_capability(device)
        return "bfloat16" if major >= 8 else "float32"
    if device.type == "cpu" and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return "bfloat16" if NATIVE_FLAGS & _cpu_flags(CPU_INFO) else "float32"
    return "float32"


def _cpu_flags(file: Path) -> frozenset[str]:
    try:
        text = file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return frozenset(value.split())
    return frozenset()
