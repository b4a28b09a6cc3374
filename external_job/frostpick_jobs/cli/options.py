"""Options of a settings class, for every front end: one list, so that none can drift."""

from __future__ import annotations

import argparse
import types
import typing
from dataclasses import dataclass, replace
from typing import Any

from frostpick.settings import Settings, about

#: Heading of options that the usual job does not need: those of a paper's ablation.
ADVANCED = "Advanced"

YES = ("yes", "true", "1", "on", "y")
NO = ("no", "false", "0", "off", "n")


@dataclass(frozen=True)
class Option:
    """One option: the settings field, its simple type, and its help text.

    A hidden one is taken and not shown; so is a name of before, whose ``field`` is that name.
    """

    field: str
    type: type
    default: Any
    help: str
    hidden: bool = False
    advanced: bool = False
    unset: str = ""

    @property
    def told(self) -> str:
        """The help text, with the default, or with what is taken where none is given."""
        silent = self.default in (None, "") or self.default is False
        taken = "" if silent else "on" if self.default is True else str(self.default)
        default = self.unset or taken
        return f"{self.help}  [default: {default}]" if default else self.help

    @property
    def flag(self) -> str:
        """The long option for people, with dashes."""
        return "--" + self.field.replace("_", "-")

    @property
    def label(self) -> str:
        """The long option as a RELION parameter label gives it, with underscores."""
        return "--" + self.field


def list_options(kind: type[Settings]) -> tuple[Option, ...]:
    """Return the options of a settings class in the order of its fields.

    Parameters
    ----------
    kind
        A settings class. Types are reduced to bool, int, float or str; choices are strings.
    """
    found, before = [], []
    for field, info in kind.model_fields.items():
        told = about(info)
        one = Option(
            field,
            _simple(info.annotation),
            info.default,
            info.description or "",
            hidden=told.hidden,
            advanced=told.advanced,
            unset=told.unset,
        )
        found.append(one)
        before += [replace(one, field=name, hidden=True) for name in told.was]
    return (*found, *before)


def _simple(annotation: Any) -> type:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return _simple(next(a for a in typing.get_args(annotation) if a is not type(None)))
    if origin is typing.Literal:
        return str
    return annotation if annotation in (bool, int, float, str) else str


def add_argparse_options(parser: argparse.ArgumentParser, kind: type[Settings]) -> None:
    """Add the options to an argparse parser, spelled with underscores and with dashes.

    Every value is optional text, since RELION passes a label with an empty value
    as a bare flag: bare means unset, and yes for a boolean. Nothing is converted
    here; `values_from_namespace` leaves the texts to `frostpick.settings.resolve`.
    """
    advanced = parser.add_argument_group(ADVANCED)
    for option in list_options(kind):
        spellings = dict.fromkeys((option.label, option.flag))
        (advanced if option.advanced else parser).add_argument(
            *spellings,
            dest=option.field,
            nargs="?",
            const="yes" if option.type is bool else "",
            default=None,
            metavar=option.type.__name__.upper(),
            help=argparse.SUPPRESS if option.hidden else option.told.replace("%", "%%"),
        )


def values_from_namespace(parsed: argparse.Namespace, kind: type[Settings]) -> dict[str, str]:
    """Return what was given, by field name; empty texts are unset."""
    values: dict[str, str] = {}
    for option in list_options(kind):
        text = getattr(parsed, option.field, None)
        if text is None or str(text).strip() == "":
            continue
        values[option.field] = (
            _word(str(text).strip()) if option.type is bool else str(text).strip()
        )
    return values


def _word(text: str) -> str:
    """Return a yes or no word as pydantic reads it; other text unchanged, to be refused there."""
    lower = text.lower()
    return "true" if lower in YES else "false" if lower in NO else text
