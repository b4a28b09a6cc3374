"""A picker that stays: a model loaded once, micrographs one at a time, files or arrays."""

from __future__ import annotations

from frostpick.picker.picked import Picked
from frostpick.picker.picker import Picker

__all__ = ["Picked", "Picker"]
