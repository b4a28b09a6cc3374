"""The rule by which picks or particles are selected, as a user writes it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from frostpick.errors import ConfigError

Kind = Literal["auto", "score", "p", "precision", "fraction", "per-micrograph"]
#: What a help text says of a rule.
RULES = (
    "auto (the best expected F1), a score, p=0.6 (a least probability), precision=0.95 (a "
    "precision that frostpick audit guarantees, else an expected one), fraction=0.7 (the best "
    "part of all) or per-micrograph=300 (the best so many of each)"
)


@dataclass(frozen=True)
class Threshold:
    """A rule: its text, its kind, and the number asked for.

    That is a score, a probability, a precision, a part of all picks, or how many of each
    micrograph. Which scores it selects depends on all scores of a job
    (`frostpick.picking.threshold`). A setting of this type takes a text or a number, and is
    written as the text.
    """

    text: str
    kind: Kind
    value: float = field(default=math.nan, compare=False)

    def __str__(self) -> str:
        return self.text

    @property
    def counts_picks(self) -> bool:
        """Whether a number of picks is asked for, whatever their scores are."""
        return self.kind in ("fraction", "per-micrograph")

    @classmethod
    def parse(cls, given: str | float | Threshold) -> Threshold:
        """Return the rule that a text stands for.

        ``auto``, a score, ``p=0.6``, ``precision=0.95``, ``fraction=0.7`` or
        ``per-micrograph=300``.

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
        kind = name.strip()
        if equals and kind == "p" and 0 < value < 1:
            return cls(text, "p", value)
        if equals and kind == "precision" and 0 < value < 1:
            return cls(text, "precision", value)
        if equals and kind == "fraction" and 0 < value <= 1:
            return cls(text, "fraction", value)
        if equals and kind == "per-micrograph" and value >= 1 and value.is_integer():
            return cls(text, "per-micrograph", value)
        raise ConfigError(
            f"threshold {text!r} is not understood; expected auto, a score, p=PROBABILITY, "
            "precision=EXPECTED or fraction=PART with a number between 0 and 1, or "
            "per-micrograph=NUMBER"
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
