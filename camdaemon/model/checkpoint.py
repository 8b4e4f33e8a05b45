"""Reading checkpoints in the published layout: which network they hold is read from their tensors' names and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .network import Backbone, BackgroundMattingV2
from .patches import Selection
from .refiner import KernelSize

_NAMED = 3  # tensors named in a message
_RESNET101_ONLY = "backbone.layer3.6."  # ResNet-50 has six blocks here, numbered 0 to 5


class Architecture(NamedTuple):
    """backbone, and the refiner's kernel size (None: no refiner)."""

    backbone: Backbone
    kernel_size: KernelSize | None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a .safetensors or a PyTorch file (.pth, .pt), by name, on the CPU.

    PyTorch files are read with `weights_only`, so that no code in them runs. Raises OSError (no such file) or
    ValueError (not a file of tensors).
    """
    path.stat()
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as exc:
            raise ValueError(f"{path} is not a safetensors file: {exc}") from exc
    try:
        found: object = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as exc:  # a damaged pickle raises nearly anything
        reason = next(iter(str(exc).splitlines()), type(exc).__name__)
        raise ValueError(f"{path} is not a PyTorch file of weights: {reason}") from exc
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(f"{path} holds something other than tensors by name; save network.state_dict() alone")
    return dict(found)


def recognise(tensors: Mapping[str, Tensor]) -> Architecture:
    """The architecture a checkpoint was made for. Raises ValueError for a foreign checkpoint."""
    backbone: Backbone
    if any(name.startswith("backbone.features.") for name in tensors):
        backbone = "mobilenetv2"
    elif any(name.startswith("backbone.layer1.") for name in tensors):
        backbone = "resnet101" if any(name.startswith(_RESNET101_ONLY) for name in tensors) else "resnet50"
    else:
        raise ValueError(
            f"not a checkpoint of Background Matting V2: no backbone among its {len(tensors)} tensors "
            f"({_listed(sorted(tensors))})"
        )
    if not any(name.startswith("refiner.") for name in tensors):
        return Architecture(backbone, None)
    first = tensors.get("refiner.conv1.weight")
    if first is not None and first.shape[-1:] == (1,):
        return Architecture(backbone, 1)
    return Architecture(backbone, 3)


def load_network(path: Path, *, scale: float = 0.25, selection: Selection | None = None) -> BackgroundMattingV2:
    """The network that `path` holds, float32 on the CPU, in evaluation mode; loaded strictly, nothing renamed.

    Raises OSError or ValueError (see `read_tensors`; also for tensors that are missing, unexpected or misshapen).
    """
    tensors = read_tensors(path)
    try:
        architecture = recognise(tensors)
        with torch.device("meta"):  # no memory and no random numbers for weights that are about to be replaced
            network = BackgroundMattingV2(*architecture, scale=scale, selection=selection)
        wanted = network.state_dict()
        _check(wanted, tensors, architecture)
    except ValueError as exc:
        raise ValueError(f"{path}: {exc}") from None
    # Copies of its own, since a file may change while it is mapped. `to_empty` would load sympy: a second of a start.
    own = {name: tensors[name].to(tensor.dtype, copy=True) for name, tensor in wanted.items()}
    network.load_state_dict(own, strict=True, assign=True)
    return network.eval()


def _check(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], architecture: Architecture) -> None:
    wrong = {
        "missing": [name for name in wanted if name not in given],
        "unexpected": [name for name in given if name not in wanted],
        "of another shape": [
            f"{name} {tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
            for name, tensor in wanted.items()
            if name in given and given[name].shape != tensor.shape
        ],
    }
    found = [f"{len(names)} {what}: {_listed(names)}" for what, names in wrong.items() if names]
    if found:
        kernel = architecture.kernel_size
        refiner = "without refiner" if kernel is None else f"with {kernel}x{kernel} refiner"
        raise ValueError(f"tensors do not fit {architecture.backbone} {refiner}; " + "; ".join(found))


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
