"""Start a ResNet-18 box network from a checkpoint of general images."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from frostpick.errors import ModelError
from frostpick.models.pruner.box_network import ResNet18


def load_imagenet(network: ResNet18, path: Path) -> None:
    """Load the backbone of a ResNet-18 checkpoint with the usual parameter names.

    A first convolution over three colours is summed over them: a grey image has the same
    value in all three. The classifier (``fc``) is left out.

    Parameters
    ----------
    path
        A ``.safetensors`` file, or a torch file of tensors (read with weights only, so
        that nothing in it can run).

    Raises
    ------
    ModelError
        The file cannot be read, or is not the checkpoint of a ResNet-18.
    """
    tensors = {k: v for k, v in _read(path).items() if not k.startswith("fc.")}
    first = tensors.get("conv1.weight")
    if first is None or first.ndim != 4:
        raise ModelError(f"{path}: no tensor conv1.weight; expected a checkpoint of ResNet-18")
    tensors["conv1.weight"] = first.sum(1, keepdim=True)
    own = network.state_dict()
    heads = ("head_a.", "head_b.", "halve.")
    missing = [k for k in own if not k.startswith(heads) and k not in tensors]
    wrong = [k for k, v in tensors.items() if k in own and v.shape != own[k].shape]
    if missing or wrong:
        found = missing[0] if missing else wrong[0]
        what = "is missing" if missing else f"has shape {tuple(tensors[found].shape)}"
        raise ModelError(f"{path}: tensor {found} {what}; expected a checkpoint of ResNet-18")
    network.load_state_dict({k: v.float() for k, v in tensors.items() if k in own}, strict=False)


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        if path.suffix == ".safetensors":
            found = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError) as error:
        raise ModelError(f"{path}: cannot be read as tensors ({error})") from error
    except Exception as error:  # torch names its refusal with an error of the unpickler's
        raise ModelError(
            f"{path}: holds more than tensors ({type(error).__name__}); expected a plain "
            "state dictionary or a safetensors file"
        ) from error
    inner = found.get("state_dict", found) if isinstance(found, dict) else None
    if not isinstance(inner, dict) or not all(torch.is_tensor(v) for v in inner.values()):
        raise ModelError(f"{path}: expected a dictionary of tensors, the state of a ResNet-18")
    return {str(k).removeprefix("module."): v for k, v in inner.items()}
