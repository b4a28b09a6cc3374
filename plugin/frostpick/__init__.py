"""frostpick: deep particle picking for cryo-EM. The engine: types and arrays in and out.

It knows no host and no file of picks; those are in ``frostpick_jobs``. The names
below are loaded when they are first used, so that ``import frostpick`` is quick.

>>> model = frostpick.load_model("general")
>>> plan = frostpick.plan_picking(model, frostpick.PickSettings(diameter=120))
>>> found = frostpick.pick_image(model, image, pixel_size_A=5.0, plan=plan, micrograph_id="m0")
>>> len(found.picks.x_px) == len(found.picks.y_px) == len(found.picks.probability)
True

`Picker` does this for one micrograph after the other. What takes `Micrograph`, such as
`train_picker`, takes arrays as `InMemory`:

>>> micrograph = frostpick.Micrograph("m0", frostpick.InMemory(image), pixel_size_A=5.0)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from frostpick._version import __version__

if TYPE_CHECKING:
    from frostpick.errors import FrostpickError
    from frostpick.evaluation import Truth, evaluate
    from frostpick.images import read_image
    from frostpick.images.memory import InMemory
    from frostpick.models.picking_model import PickingModel
    from frostpick.models.shipped import load_model
    from frostpick.picker import Picked, Picker
    from frostpick.picking.pick import pick_image
    from frostpick.picking.plan import plan_picking
    from frostpick.picking.work import pick_micrographs
    from frostpick.settings import PickSettings, TrainSettings
    from frostpick.simulate import SimulationSettings, simulate_dataset
    from frostpick.training.picker.train import train_picker
    from frostpick.types import Labels, LocalFile, Micrograph, Picks

_WHERE = {
    "FrostpickError": "errors",
    "InMemory": "images.memory",
    "Labels": "types",
    "LocalFile": "types",
    "Micrograph": "types",
    "PickSettings": "settings",
    "Picked": "picker",
    "Picker": "picker",
    "PickingModel": "models.picking_model",
    "Picks": "types",
    "SimulationSettings": "simulate",
    "TrainSettings": "settings",
    "Truth": "evaluation",
    "evaluate": "evaluation",
    "load_model": "models.shipped",
    "pick_image": "picking.pick",
    "pick_micrographs": "picking.work",
    "plan_picking": "picking.plan",
    "read_image": "images",
    "simulate_dataset": "simulate",
    "train_picker": "training.picker.train",
}

__all__ = [
    "FrostpickError",
    "InMemory",
    "Labels",
    "LocalFile",
    "Micrograph",
    "PickSettings",
    "Picked",
    "Picker",
    "PickingModel",
    "Picks",
    "SimulationSettings",
    "TrainSettings",
    "Truth",
    "__version__",
    "evaluate",
    "load_model",
    "pick_image",
    "pick_micrographs",
    "plan_picking",
    "read_image",
    "simulate_dataset",
    "train_picker",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'frostpick' has no attribute {name!r}")
    return getattr(import_module(f"frostpick.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
