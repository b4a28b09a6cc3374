"""What a device setting may say. Which of it is there, `frostpick.runtime.device` finds out."""

from __future__ import annotations

import re

from frostpick.errors import ConfigError

_NUMBERS = re.compile(r"(?:cuda:)?(\d+(?:[,:]\d+)*)")


def gpu_numbers(text: str) -> tuple[int, ...]:
    """Return the GPU numbers that a text names, rising; none for auto, cpu, cuda and nothing.

    Parameters
    ----------
    text
        ``auto``, ``cpu``, ``cuda``, ``0``, ``0,1``, ``cuda:0,1``, or RELION's ``0:1``.

    Raises
    ------
    ConfigError
        The text is none of these.
    """
    wanted = text.strip().lower()
    if wanted in ("auto", "cpu", "cuda", ""):
        return ()
    numbers = _NUMBERS.fullmatch(wanted)
    if numbers is None:
        raise ConfigError(
            f"device {text!r} is not known; expected auto, cpu, cuda, or GPU numbers as 0 or 0,1"
        )
    return tuple(sorted({int(number) for number in re.split("[,:]", numbers[1])}))


def check_device(text: str) -> str:
    """Return the text; `ConfigError` where it names no device."""
    gpu_numbers(text)
    return text
