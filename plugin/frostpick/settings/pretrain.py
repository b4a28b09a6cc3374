"""Settings of ``pretrain``."""

from __future__ import annotations

from typing import Literal

from frostpick.settings.base import ScaleSettings
from frostpick.settings.field import setting
from frostpick.settings.licence import LICENSE, Licence


class PretrainSettings(ScaleSettings):
    """Options of ``pretrain``."""

    diameter: float | None = setting(
        None,
        "Longest dimension of the particle in Angstrom; rather too large than too small.",
        "Data",
        unit="A",
        gt=0,
    )
    method: Literal["picker", "mae", "pruner"] = setting(
        "picker",
        "picker: what train starts from; mae: the masked autoencoder that fewshot starts from; "
        "pruner: what prune starts from.",
        "Training",
    )
    encoder_size: Literal["tiny", "small", "base"] = setting(
        "tiny", "Size of the autoencoder: tiny, small or base.", "Model", was="preset"
    )
    corpus: int | None = setting(
        None,
        "Simulated micrographs to learn from (picker, pruner).",
        "Data",
        unset="as many as the method needs",
        unit="micrographs",
        ge=20,
    )
    steps: int | None = setting(
        None, "Training steps.", "Training", unit="steps", unset="those of the method", ge=1
    )
    imagenet: str | None = setting(
        None,
        "Start the pruner from this ResNet-18 checkpoint of general images, a safetensors file "
        "or a torch file of weights; its network is then a ResNet-18.",
        "Model",
        advanced=True,
        path="file",
    )
    boxes: str | None = setting(
        None,
        "Folder of labelled boxes that the pruner learns from too: one stack a class, "
        "particle.mrcs, carbon.mrcs, ice.mrcs and so on; needs --diameter and --pixel-size.",
        "Data",
        path="folder",
    )
    license: Licence = setting(
        "", LICENSE, "Model", advanced=True, unset="not stated", changes_results=False
    )
    restart: bool = setting(
        False,
        "Throw away an unfinished pretraining of this folder and begin again.",
        "Running",
        changes_results=False,
    )
