"""`camdaemon weights import`: a published checkpoint, checked and rewritten in a form that can hold no code."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from camdaemon.errors import ConfigError
from camdaemon.model import Architecture, BackgroundMattingV2, detect_architecture, load_network, read_tensors
from camdaemon.tools.files.files import whole


@dataclass(frozen=True, slots=True)
class Imported:
    """What was written. parameters: how many numbers are learnt (batch norms' statistics not among them)."""

    path: Path
    architecture: Architecture
    parameters: int
    dtype: torch.dtype

    def __str__(self) -> str:
        backbone, kernel = self.architecture
        refiner = f"{kernel}x{kernel} refiner" if kernel is not None else "no refiner"
        return (
            f"{self.path}: Background Matting V2, {backbone}, {refiner}, {self.parameters / 1e6:.1f} million "
            f"parameters, {str(self.dtype).removeprefix('torch.')}, {self.path.stat().st_size / 1e6:.1f} MB"
        )


def import_weights(source: Path, target: Path | None, *, float32: bool, replace: bool) -> Imported:
    """Convert `source` (.pth or .safetensors, the published layout) to the .safetensors file `target`.

    target: None is the same name with .safetensors.   float32: keep the precision, else float16, half the size.
    replace: an existing file may be written over.   Every tensor's name and shape must be those of the network; nothing
    is renamed or left out. Raises ConfigError, and then nothing was written.
    """
    target = target or source.with_suffix(".safetensors")
    if target.suffix != ".safetensors":
        raise ConfigError(f"weights are written as .safetensors; try --output {target.with_suffix('.safetensors')}")
    if target.exists() and not replace:
        raise ConfigError(f"{target} is there already; name another with --output FILE, or write over it with --force")
    network, tensors = _loaded(source)
    architecture = detect_architecture(tensors)
    dtype = torch.float32 if float32 else torch.float16
    converted = {name: _converted(source, name, tensor, dtype) for name, tensor in tensors.items()}
    refiner = "none" if architecture.kernel_size is None else str(architecture.kernel_size)
    facts = {"format": "pt", "backbone": architecture.backbone, "refiner": refiner, "imported_from": source.name}
    with whole(target) as partial:
        save_file(converted, partial, facts)
    return Imported(target, architecture, sum(each.numel() for each in network.parameters()), dtype)


def _loaded(source: Path) -> tuple[BackgroundMattingV2, dict[str, Tensor]]:
    try:
        return load_network(source), read_tensors(source)
    except OSError as exc:
        raise ConfigError(f"cannot read {source}: {exc.strerror or exc}; name the checkpoint's file") from None
    except ValueError as exc:
        hint = (
            "this is a TorchScript program; take the PyTorch checkpoint of the same release (pytorch_*.pth)"
            if _is_torchscript(source)
            else "take a checkpoint of Background Matting V2, such as pytorch_mobilenetv2.pth"
        )
        raise ConfigError(f"{exc}; {hint}") from None


def _is_torchscript(source: Path) -> bool:
    if not zipfile.is_zipfile(source):
        return False
    with zipfile.ZipFile(source) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _converted(source: Path, name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    if not tensor.is_floating_point():
        return tensor.clone().contiguous()
    if not tensor.isfinite().all():
        raise ConfigError(f"{source} is damaged: {name} holds values that are not finite; download it again")
    converted = tensor.to(dtype, copy=True).contiguous()
    if not converted.isfinite().all():
        raise ConfigError(f"{name} in {source} is too large for float16; add --float32")
    return converted
