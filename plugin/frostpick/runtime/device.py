"""Which device to compute on."""

from __future__ import annotations

import logging
from functools import lru_cache

import torch

from frostpick.errors import DeviceError, option
from frostpick.settings.device import gpu_numbers

log = logging.getLogger(__name__)


def resolve_devices(text: str) -> tuple[torch.device, ...]:
    """Return the devices that a text names.

    Parameters
    ----------
    text
        ``auto`` (the visible GPU with most free memory, else the CPU), ``cpu``,
        ``cuda`` (the same without the else), GPU numbers as ``0``, ``0,1``,
        ``cuda:0,1``, or RELION's ``0:1``.

    Raises
    ------
    ConfigError
        The text is none of these.
    DeviceError
        A GPU was asked for and is not there.
    """
    wanted = text.strip().lower()
    if wanted == "cpu":
        return (torch.device("cpu"),)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted in ("auto", "", "cuda"):
        if count:
            return (_roomiest(count),)
        if wanted == "cuda":
            raise DeviceError(
                "device 'cuda' was asked for and no GPU is visible; "
                f"use {option('device', 'cpu')} or auto"
            )
        log.info("device: cpu (no GPU is visible)")
        return (torch.device("cpu"),)
    chosen = gpu_numbers(text)
    absent = [number for number in chosen if number >= count]
    if absent:
        raise DeviceError(
            f"device {text!r} asks for GPU {absent[0]} and {count} are visible; "
            f"use one of those, {option('device', 'cpu')} or auto"
        )
    return tuple(torch.device("cuda", number) for number in chosen)


def resolve_device(text: str) -> torch.device:
    """Return the one device to use; several GPUs named: the first, with a warning."""
    devices = resolve_devices(text)
    if len(devices) > 1:
        log.warning("device %s: one GPU is used, %s", text, devices[0])
    return devices[0]


@lru_cache
def settled_device(text: str) -> torch.device:
    """Return the first device that a text names, the same at every call in a process."""
    return resolve_devices(text)[0]


def _roomiest(count: int) -> torch.device:
    free = [torch.cuda.mem_get_info(number)[0] for number in range(count)]
    best = max(range(count), key=lambda number: free[number])
    log.info(
        "device: cuda:%d, %s (%.1f GB free, the most of %d visible)",
        best,
        torch.cuda.get_device_name(best),
        free[best] / 1e9,
        count,
    )
    return torch.device("cuda", best)
