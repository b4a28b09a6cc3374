"""The model card: all that must be known to use a model, and nothing about where it lay."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from frostpick.notebook import html_table

FORMAT: Literal[1] = 1
KNOWN_REQUIREMENTS: frozenset[str] = frozenset()
#: The licence of a model of which nobody has said one.
NOT_STATED = "not stated"


class CardPart(BaseModel):
    """Base of the card and its parts: frozen, unknown keys refused, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NetworkSpec(CardPart):
    """Which network, and the arguments that rebuild it."""

    name: str
    arguments: dict[str, int | float | str | bool] = Field(default_factory=dict)


class PreprocessSpec(CardPart):
    """The normalisation by name, version and constants; never a micrograph's statistics."""

    name: str = "ice-mode"
    version: int = 1
    constants: dict[str, float] = Field(default_factory=dict)


class CalibrationSpec(CardPart):
    """``score = slope * logit + offset``: a pick's log-odds, after NMS, to be a particle."""

    slope: float = Field(1.0, gt=0)
    offset: float = 0.0
    fitted_on: str = "nothing"


class PickerSpec(CardPart):
    """The picking network whose logit, ``weight`` times, joins a pruner's score.

    ``digest`` is that of the picking model it came from; its tensors lie in the pruner's file.
    """

    network: NetworkSpec
    weight: float = Field(ge=0)
    digest: str


class ModelCard(CardPart):
    """Card of a picking model, format 1.

    Parameters
    ----------
    px_per_diameter
        Working pixels a particle diameter the network was trained at.
    diameter_A
        The particle's longest dimension; None for a model that asks for ``--diameter``.
    selector, selector_constants
        How the network's answer becomes picks (`frostpick.picking.selector`), and its numbers.
    threshold
        Default threshold in score units, used where no ``auto`` can be computed.
    min_distance
        Smallest distance between picks, in diameters.
    trained_on
        Counts and names of the kind of data, no paths, no host.
    parent
        Digest of the model the training started from.
    picker
        Of a pruner: the picking network that it asks too, if any.
    license
        Its licence, and those of what it is derived from (`frostpick.models.licence`).
    """

    format: Literal[1] = FORMAT
    requires: tuple[str, ...] = ()
    kind: Literal["dense", "box-classifier", "exemplar", "autoencoder"] = "dense"
    network: NetworkSpec
    preprocess: PreprocessSpec = PreprocessSpec()
    px_per_diameter: float = Field(32.0, gt=0)
    diameter_A: float | None = Field(None, gt=0)
    contrast: Literal["dark", "light", "auto"] = "dark"
    selector: Literal["disc-nms", "four-rotations", "density-cut"] = "disc-nms"
    selector_constants: dict[str, float] = Field(default_factory=dict)
    calibration: CalibrationSpec = CalibrationSpec()
    threshold: float = 0.0
    min_distance: float = Field(0.5, gt=0)
    trained_on: dict[str, Any] = Field(default_factory=dict)
    parent: str | None = None
    picker: PickerSpec | None = None
    license: str = NOT_STATED
    citation: str = ""

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        rows = {
            "kind": self.kind,
            "network": self.network.name,
            "diameter": f"{self.diameter_A:g} A" if self.diameter_A else "any; must be given",
            "particles": self.contrast,
            "picking rule": self.selector,
            "threshold": f"{self.threshold:.3f}",
            "smallest distance": f"{self.min_distance:g} diameters",
            **{
                f"trained on: {k.replace('_', ' ')}": v
                for k, v in self.trained_on.items()
                if _is_short(v)
            },
            "license": self.license,
            "citation": self.citation or None,
        }
        return html_table("frostpick model", rows)

    def canonical(self) -> str:
        """Return the one JSON text of this card: sorted keys, no spaces, ASCII."""
        values = self.model_dump(mode="json")
        for name in ("selector_constants", "picker"):
            if not values[name]:  # as in cards from before there were any
                del values[name]
        return json.dumps(values, sort_keys=True, separators=(",", ":"))


def _is_short(value: object) -> bool:
    return isinstance(value, (str, int, float))
