"""The masked autoencoder of few-shot picking: one encoder for crops and whole micrographs."""

from frostpick.models.mae.autoencoder import MaskedAutoencoder, random_masks
from frostpick.models.mae.encoder import Encoder
from frostpick.models.mae.geometry import CROP, PITCH, PX_PER_DIAMETER, WINDOW
from frostpick.models.mae.pooling import RingPooling
from frostpick.models.mae.presets import PRESETS, Preset, preset

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
