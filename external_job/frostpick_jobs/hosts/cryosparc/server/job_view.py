"""What a CryoSPARC job looks like, whatever the version of the client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Statuses in which an External job takes outputs.
ACTIVE = ("running", "waiting")


@dataclass(frozen=True)
class Link:
    """A connection into an input.

    Parameters
    ----------
    job, output
        Where it comes from.
    slots
        Slot name at the input -> name of the result it takes.
    """

    job: str
    output: str
    slots: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.job}.{self.output}"


@dataclass(frozen=True)
class InputView:
    """An input of a job: its type, the slots it declares, its connections."""

    name: str
    type: str
    slots: tuple[str, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True)
class OutputView:
    """An output of a job.

    Parameters
    ----------
    slots
        Result name -> data type, e.g. ``micrograph_blob_non_dw -> micrograph_blob``.
    filled
        Results that have data.
    items
        Number of rows; 0 while nothing was saved.
    passthrough
        Name of the input that other results are inherited from.
    """

    name: str
    type: str
    slots: Mapping[str, str]
    filled: frozenset[str]
    items: int
    passthrough: str | None = None


@dataclass(frozen=True)
class JobView:
    """A job as the server described it last."""

    uid: str
    type: str
    status: str
    title: str
    workspaces: tuple[str, ...]
    inputs: Mapping[str, InputView]
    outputs: Mapping[str, OutputView]
    errors: tuple[str, ...]
