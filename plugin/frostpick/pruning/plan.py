"""What a pruning job does, decided once, before the first box."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field

import torch

from frostpick.errors import ConfigError, ModelError, option
from frostpick.models.pruner.model import Pruner
from frostpick.pruning.boxes import BoxGeometry
from frostpick.pruning.grey import NAME, VERSION
from frostpick.runtime.device import resolve_device
from frostpick.runtime.precision import native_precision
from frostpick.runtime.threads import resolve_threads
from frostpick.settings import Contrast, PruneSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PrunePlan:
    """The resolved settings of a pruning job.

    Parameters
    ----------
    geometry
        Size and scale of the working boxes.
    min_distance_A
        Of two kept rows nearer than this the worse one is a duplicate.
    border
        Rows nearer to an edge of their micrograph than this many diameters are rejected.
    pixel_size_A
        Pixel size of micrographs of which neither host nor header knows it.
    contrast
        Sign of the particles in micrographs; None is dark, ``auto`` until
        `frostpick.pruning.contrast.settle_prune_contrast`.
    stack_contrast
        Sign of the particles in stacks, where the host does not tell; None is light, as
        every extraction writes them unless told otherwise.
    rotations
        Looks at a box, 1 or 4.
    """

    geometry: BoxGeometry
    min_distance_A: float
    border: float
    pixel_size_A: float | None = None
    contrast: Contrast | None = None
    stack_contrast: Contrast | None = None
    rotations: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    threads: int = 1

    def key(self) -> dict[str, object]:
        """Return what a score depends on besides pruner and box, as JSON values."""
        return {
            "geometry": asdict(self.geometry),
            "border": self.border,
            "pixel_size": self.pixel_size_A,
            "contrast": self.contrast,
            "stack_contrast": self.stack_contrast,
            "rotations": self.rotations,
            "precision": native_precision(self.device),
        }


def plan_pruning(pruner: Pruner, settings: PruneSettings, *, rotations: int = 1) -> PrunePlan:
    """Resolve the settings of a pruning job against its pruner.

    Raises
    ------
    ConfigError
        Neither the settings nor the pruner has a diameter, or the threshold is no rule.
    ModelError
        The pruner's boxes are prepared in a way that is unknown here.
    DeviceError
        The device asked for is not there.
    """
    card = pruner.card
    if (card.preprocess.name, card.preprocess.version) != (NAME, VERSION):
        raise ModelError(
            f"grey levels {card.preprocess.name!r} version {card.preprocess.version} are unknown "
            f"here, expected {NAME!r} version {VERSION}; update frostpick"
        )
    diameter = settings.diameter_A or card.diameter_A
    if diameter is None:
        raise ConfigError(
            f"pruning needs the size of the particle: give {option('diameter')}, its longest "
            "dimension in Angstrom, or auto"
        )
    distance = settings.min_distance
    if distance is None:
        distance = card.min_distance * diameter
    return PrunePlan(
        geometry=BoxGeometry(diameter, pruner.side, card.px_per_diameter),
        min_distance_A=distance,
        border=settings.border,
        pixel_size_A=settings.pixel_size,
        contrast=settings.contrast,
        stack_contrast=settings.contrast,
        rotations=rotations,
        device=resolve_device(settings.device),
        threads=resolve_threads(settings.threads),
    )
