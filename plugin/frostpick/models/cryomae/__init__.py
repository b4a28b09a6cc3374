"""The masked autoencoder of few-shot picking: one encoder for crops and whole micrographs."""

from frostpick.models.cryomae.autoencoder import MaskedAutoencoder, random_masks
from frostpick.models.cryomae.encoder import Encoder
from frostpick.models.cryomae.geometry import CROP, PITCH, PX_PER_DIAMETER, WINDOW
from frostpick.models.cryomae.pooling import RingPooling
from frostpick.models.cryomae.presets import PRESETS, Preset, preset

__all__ = [
    "CROP",
    "PITCH",
    "PRESETS",
    "PX_PER_DIAMETER",
    "WINDOW",
    "Encoder",
    "MaskedAutoencoder",
    "Preset",
    "RingPooling",
    "preset",
    "random_masks",
]
