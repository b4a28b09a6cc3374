"""Sizes of the masked autoencoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """Blocks, channels and heads of encoder and decoder.

    Parameters
    ----------
    reach
        Tokens to each side that a token of the encoder attends to.
    """

    blocks: int
    width: int
    heads: int
    decoder_blocks: int
    decoder_width: int
    decoder_heads: int
    reach: int = 3


#: ``base`` is cryoMAE's (Xu, Zhan and Xu 2024); it names no smaller ones.
PRESETS: Mapping[str, Preset] = {
    "tiny": Preset(6, 192, 3, 2, 128, 4),
    "small": Preset(10, 192, 3, 2, 128, 4),
    "base": Preset(12, 768, 12, 8, 512, 16),
}


def preset(name: str) -> Preset:
    """Return the preset of a name; `ValueError` for an unknown one."""
    if name not in PRESETS:
        raise ValueError(f"preset {name!r}, expected one of {', '.join(PRESETS)}")
    return PRESETS[name]
