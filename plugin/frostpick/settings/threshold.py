"""The rule by which picks or particles are selected, as a user writes it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from frostpick.errors import ConfigError

Kind = Literal["auto", "score", "p", "precision"]


@dataclass(frozen=True)
class Threshold:
    """A rule: its text, its kind, and the score, probability or precision asked for.

    Which scores it selects depends on all scores of a job (`frostpick.picking.threshold`).
    A setting of this type takes a text or a number, and is written as the text.
    """

    text: str
    kind: Kind
    value: float = field(default=math.nan, compare=False)

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, given: str | float | Threshold) -> Threshold:
        """Return the rule that stands for ``auto``, a score, ``p=0.6`` or ``precision=0.95``.

        Raises
        ------
        ConfigError
            The text is none of these, or its number is out of range.
        """
        if isinstance(given, Threshold):
            return given
        text = str(given)
        wanted = text.strip().lower()
        if wanted == "auto":
            return cls(text, "auto")
        name, equals, number = wanted.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not equals and math.isfinite(value):
            return cls(text, "score", value)
        if equals and name.strip() in ("p", "precision") and 0 < value < 1:
            return cls(text, "p" if name.strip() == "p" else "precision", value)
        raise ConfigError(
            f"threshold {text!r} is not understood; expected auto, a score, p=PROBABILITY or "
            "precision=EXPECTED with a number between 0 and 1"
        )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Let pydantic read a text or a number, and write the text."""
        text = core_schema.no_info_before_validator_function(
            lambda given: given.text if isinstance(given, cls) else given,
            core_schema.str_schema(coerce_numbers_to_str=True),
        )
        return core_schema.no_info_after_validator_function(
            cls.parse,
            text,
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )
