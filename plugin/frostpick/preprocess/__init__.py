"""From the pixels of a micrograph to the working image a network sees."""

from frostpick.preprocess.contrast import detect_contrast
from frostpick.preprocess.normalise import full_constants
from frostpick.preprocess.pipeline import WorkingImage, preprocess

__all__ = ["WorkingImage", "detect_contrast", "full_constants", "preprocess"]
