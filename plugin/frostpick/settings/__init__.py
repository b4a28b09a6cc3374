"""Settings of every task, one file each; read `field` and `base` first. No torch, no numpy here."""

from frostpick.settings.base import Contrast, RunSettings, ScaleSettings, Settings
from frostpick.settings.diameter import AUTO, Diameter
from frostpick.settings.fewshot import FewshotSettings
from frostpick.settings.field import About, about
from frostpick.settings.iterate import IterateSettings
from frostpick.settings.model_ref import ModelRef
from frostpick.settings.pick import PickingSettings, PickSettings
from frostpick.settings.pretrain import PretrainSettings
from frostpick.settings.prune import PruneSettings
from frostpick.settings.renamed import both_names, names_of_today, old_names, told_of
from frostpick.settings.resolve import option_key, resolve, resolve_from, unknown_setting
from frostpick.settings.threshold import Threshold
from frostpick.settings.train import Objective, TrainSettings
from frostpick.settings.verify import VerifySettings

__all__ = [
    "AUTO",
    "About",
    "Contrast",
    "Diameter",
    "FewshotSettings",
    "IterateSettings",
    "ModelRef",
    "Objective",
    "PickSettings",
    "PickingSettings",
    "PretrainSettings",
    "PruneSettings",
    "RunSettings",
    "ScaleSettings",
    "Settings",
    "Threshold",
    "TrainSettings",
    "VerifySettings",
    "about",
    "both_names",
    "names_of_today",
    "old_names",
    "option_key",
    "resolve",
    "resolve_from",
    "told_of",
    "unknown_setting",
]
