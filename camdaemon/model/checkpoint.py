"""Reading checkpoints; the names and shapes of their tensors tell which network they hold."""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Literal, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from camdaemon.model.layout import Selection
from camdaemon.model.network import MattingNetwork
from camdaemon.model.published import Backbone, BackgroundMattingV2
from camdaemon.model.refiner import KernelSize
from camdaemon.model.slim import SlimMatting

_NAMES_SHOWN = 3  # tensors named in a message
# Keys and prefixes of DataParallel, torch.compile, Lightning and other training programs.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "network", "net", "weights", "params")
_PREFIXES = ("module.", "model.", "network.", "net.", "_orig_mod.")
_RESNET101_ONLY = "backbone.layer3.6."  # ResNet-50 has six blocks here, numbered 0 to 5


class Architecture(NamedTuple):
    """Which network a checkpoint holds.

    Attributes:
        backbone: The published network's encoder, or 'slim' for the slim network.
        kernel_size: Of the refiner; None: no refiner.
    """

    backbone: Backbone | Literal["slim"]
    kernel_size: KernelSize | None

    def build(self, *, scale: float = 0.25, selection: Selection | None = None) -> MattingNetwork:
        """Make such a network, with random weights."""
        if self.backbone == "slim":
            return SlimMatting(refined=self.kernel_size is not None, scale=scale, selection=selection)
        return BackgroundMattingV2(self.backbone, self.kernel_size, scale=scale, selection=selection)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read every tensor of a .safetensors or PyTorch file (.pth, .pt), by name, onto the CPU.

    PyTorch files are read with `weights_only`, so no code in them runs. Tensors that a training program keeps in a
    dictionary of its own, or under another prefix (`module.` of DataParallel), are found all the same.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not a file of tensors.
    """
    if not (path.is_dir() or stat.S_ISREG(path.stat().st_mode)):  # to open a FIFO would wait, a device never end
        raise OSError(errno.EINVAL, "it is no file but a FIFO, a socket or a device", str(path))
    if path.suffix == ".safetensors":
        try:
            return _strip_prefixes(load_file(path))
        except SafetensorError as exc:
            raise ValueError(f"{path} is not a safetensors file, or damaged") from exc
    try:
        found: object = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as exc:  # a damaged pickle raises nearly anything, in words of its own
        has_objects = isinstance(exc, UnpicklingError) and "GLOBAL" in str(exc)
        what = "holds Python objects beside its tensors, and they are not loaded; save network.state_dict() alone"
        raise ValueError(f"{path} {what if has_objects else 'is not a PyTorch file of weights, or damaged'}") from exc
    tensors = _find_tensors(found)
    if tensors is None:
        raise ValueError(f"{path} holds something other than tensors by name; save network.state_dict() alone")
    return _strip_prefixes(tensors)


def _find_tensors(found: object) -> Mapping[str, Tensor] | None:
    """Return the tensors by name that `found` is, or has under one of the usual keys; None where there are none."""
    if not isinstance(found, Mapping):
        return None
    if all(isinstance(value, Tensor) for value in found.values()):
        return found
    return next((inner for key in _WRAPPERS if (inner := _find_tensors(found.get(key)))), None)


def _strip_prefixes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take away what training programs put before every name."""
    while tensors and (prefix := next((each for each in _PREFIXES if all(map(_begins(each), tensors))), None)):
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return dict(tensors)


def _begins(prefix: str) -> Callable[[str], bool]:
    return lambda name: name.startswith(prefix)


def detect_architecture(tensors: Mapping[str, Tensor]) -> Architecture:
    """Return the architecture that a checkpoint belongs to.

    Raises:
        ValueError: The checkpoint is neither one of Background Matting V2 nor of the slim network.
    """
    backbone: Backbone | Literal["slim"]
    if any(name.startswith("context.") for name in tensors):
        backbone = "slim"
    elif any(name.startswith("backbone.features.") for name in tensors):
        backbone = "mobilenetv2"
    elif any(name.startswith("backbone.layer1.") for name in tensors):
        backbone = "resnet101" if any(name.startswith(_RESNET101_ONLY) for name in tensors) else "resnet50"
    else:
        raise ValueError(
            f"not a checkpoint of Background Matting V2: no backbone among its {len(tensors)} tensors "
            f"({_join_names(sorted(tensors))})"
        )
    if not any(name.startswith("refiner.") for name in tensors):
        return Architecture(backbone, None)
    first = tensors.get("refiner.conv1.weight")
    if first is not None and first.shape[-1:] == (1,):
        return Architecture(backbone, 1)
    return Architecture(backbone, 3)


def load_network(path: Path, *, scale: float = 0.25, selection: Selection | None = None) -> MattingNetwork:
    """Load the network that `path` holds: float32, on the CPU, in evaluation mode; strict.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not a file of tensors, or tensors are missing, unexpected or of another shape.
    """
    tensors = read_tensors(path)
    try:
        architecture = detect_architecture(tensors)
        with torch.device("meta"):  # no memory, no random numbers: all weights are replaced below
            network = architecture.build(scale=scale, selection=selection)
        wanted = network.state_dict()
        _check_tensors(wanted, tensors, architecture)
    except ValueError as exc:
        raise ValueError(f"{path}: {exc}") from None
    # Copied, since a file may change while it is mapped. `to_empty` would load sympy, which adds a second to a start.
    own = {name: tensors[name].to(tensor.dtype, copy=True) for name, tensor in wanted.items()}
    network.load_state_dict(own, strict=True, assign=True)
    return network.eval()


def _check_tensors(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], architecture: Architecture) -> None:
    wrong = {
        "missing": [name for name in wanted if name not in given],
        "unexpected": [name for name in given if name not in wanted],
        "of another shape": [
            f"{name} {tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
            for name, tensor in wanted.items()
            if name in given and given[name].shape != tensor.shape
        ],
    }
    found = [f"{len(names)} {what}: {_join_names(names)}" for what, names in wrong.items() if names]
    if found:
        kernel = architecture.kernel_size
        refiner = "without refiner" if kernel is None else f"with {kernel}x{kernel} refiner"
        raise ValueError(f"tensors do not fit {architecture.backbone} {refiner}; " + "; ".join(found))


def _join_names(names: list[str]) -> str:
    return ", ".join(names[:_NAMES_SHOWN]) + (", …" if len(names) > _NAMES_SHOWN else "")
