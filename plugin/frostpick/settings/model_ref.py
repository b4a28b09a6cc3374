"""A setting that names a model: its kind, and what its text may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic.fields import FieldInfo

#: What a model is for: picking, pruning, or the encoder that few-shot picking starts from.
ModelKind = Literal["picking", "pruner", "encoder"]


@dataclass(frozen=True)
class ModelRef:
    """Marks a text setting as the name of a model, in its annotation.

    The text is a model file, its folder, a shipped name, or what only a host understands: the
    number of a job that made the model (``J20``, ``P2-J20``). The host resolves it.

    Parameters
    ----------
    kind
        What the model is for.
    or_none
        The word ``none`` stands for no model.
    from_job
        A job of the same host that made one may be named.
    """

    kind: ModelKind
    or_none: bool = False
    from_job: bool = True


def model_ref(info: FieldInfo) -> ModelRef | None:
    """Return what a field says about the model that it names; None where it names none."""
    return next((one for one in info.metadata if isinstance(one, ModelRef)), None)
