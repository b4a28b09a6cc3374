"""From the pixels of a micrograph to the working image a network sees."""

from frostpick.preprocess.contrast import contrast_vote, decide_contrast
from frostpick.preprocess.normalise import full_constants
from frostpick.preprocess.pipeline import WorkingImage, preprocess, working_scale

__all__ = [
    "WorkingImage",
    "contrast_vote",
    "decide_contrast",
    "full_constants",
    "preprocess",
    "working_scale",
]
