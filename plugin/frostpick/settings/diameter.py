"""The particle's longest dimension as a user writes it: Angstrom, or ``auto``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

#: The job finds the diameter in its micrographs (`frostpick.picking.own_scale`).
AUTO: Literal["auto"] = "auto"


def _read(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    text = given.strip().lower()
    if text == AUTO:
        return AUTO
    try:
        return float(text)
    except ValueError as error:
        raise ValueError("expected a length in Angstrom, or auto") from error


#: A number above 0, or ``auto``.
Diameter = Annotated[
    Annotated[float, Field(gt=0, allow_inf_nan=False)] | Literal["auto"], BeforeValidator(_read)
]
