"""The state of a training in one safetensors file."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from frostpick.errors import ConfigError, option
from frostpick.runtime.atomic import atomic_write

FILE = "training.safetensors"


def training_key(parts: Mapping[str, Any]) -> str:
    """Return the digest of everything the course of a training depends on."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def as_saved(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return copies on the CPU, in the order of their indices, under prefixed names."""
    return {f"{prefix}{k}": v.detach().cpu().contiguous().clone() for k, v in tensors.items()}


def part_of(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return the tensors whose names begin with ``prefix``, without it."""
    return {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}


def optimiser_state(optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Return the moments of an optimiser under names that `restore_optimiser` reads."""
    tensors: dict[str, torch.Tensor] = {}
    for index, entry in optimiser.state_dict()["state"].items():
        tensors |= as_saved(entry, f"optimiser.{index}.")
    return tensors


def restore_optimiser(optimiser: torch.optim.Optimizer, state: Mapping[str, torch.Tensor]) -> None:
    """Put back what `optimiser_state` returned."""
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in part_of(state, "optimiser.").items():
        index, name = key.split(".", 1)
        moments.setdefault(int(index), {})[name] = value.clone()
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": moments, "param_groups": groups})


def save_checkpoint(
    folder: Path, key: str, tensors: Mapping[str, torch.Tensor], progress: Mapping[str, Any]
) -> None:
    """Write tensors and JSON progress atomically: a kill leaves the file before or after."""
    metadata = {"key": key, "progress": json.dumps(progress)}
    with atomic_write(folder / FILE) as handle:
        handle.write(save_tensors(dict(tensors), metadata=metadata))


def load_checkpoint(
    folder: Path, key: str
) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """Read the state of a training with the same key; None when there is none.

    Raises
    ------
    ConfigError
        The state is damaged, or of a training with other settings, labels or
        micrographs.
    """
    path = folder / FILE
    if not path.exists():
        return None
    data = path.read_bytes()
    try:
        (length,) = struct.unpack("<Q", data[:8])
        metadata = json.loads(data[8 : 8 + length])["__metadata__"]
        found, progress = str(metadata["key"]), json.loads(metadata["progress"])
        tensors = load_tensors(data)
    except (struct.error, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ConfigError(
            f"{path}: the state of the training is damaged ({error}); begin again "
            f"with {option('restart')}"
        ) from error
    if found != key:
        raise ConfigError(
            f"{path}: the state of a training with other settings, labels or micrographs is here; "
            f"go back to those, or throw it away with {option('restart')}"
        )
    return tensors, progress


def remove_checkpoint(folder: Path) -> None:
    """Throw an unfinished training away."""
    (folder / FILE).unlink(missing_ok=True)
