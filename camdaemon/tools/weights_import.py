"""`camdaemon weights import`: checks a published checkpoint and rewrites it in a format that cannot hold code."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from camdaemon.errors import ConfigError
from camdaemon.linux.results import check_results
from camdaemon.model.checkpoint import Architecture, detect_architecture, load_network, read_tensors
from camdaemon.model.network import MattingNetwork
from camdaemon.tools.files.writers import replace_file


@dataclass(frozen=True, slots=True)
class ImportedWeights:
    """What was written.

    Attributes:
        path: The file.
        architecture: Of the network.
        parameters: Number of learned numbers, without the batch norms' statistics.
        dtype: Of the tensors.
    """

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


def import_weights(source: Path, target: Path | None, *, float32: bool, replace: bool) -> ImportedWeights:
    """Convert a checkpoint to .safetensors. All tensor names and shapes must be the network's.

    Args:
        source: .pth or .safetensors, in the published layout.
        target: File to write; None: the same name with .safetensors.
        float32: Keep the precision; otherwise float16, half the size.
        replace: Overwrite an existing file, but never `source`.

    Raises:
        ConfigError: The checkpoint does not fit, or the file cannot be written. Then no file is written.
    """
    target = target or source.with_suffix(".safetensors")
    if target.suffix != ".safetensors":
        raise ConfigError(
            f"weights are written as .safetensors. Run with: --output {target.with_suffix('.safetensors')}"
        )
    check_results([target], [source], force=replace)
    network, tensors = _load(source)
    architecture = detect_architecture(tensors)
    dtype = torch.float32 if float32 else torch.float16
    converted = {name: _convert(source, name, tensor, dtype) for name, tensor in tensors.items()}
    refiner = "none" if architecture.kernel_size is None else str(architecture.kernel_size)
    facts = {"format": "pt", "backbone": architecture.backbone, "refiner": refiner, "imported_from": source.name}
    with replace_file(target) as partial:
        partial.write_bytes(save(converted, facts))  # save_file would close the file to everybody else
    return ImportedWeights(target, architecture, sum(each.numel() for each in network.parameters()), dtype)


def _load(source: Path) -> tuple[MattingNetwork, dict[str, Tensor]]:
    try:
        return load_network(source), read_tensors(source)
    except OSError as exc:
        raise ConfigError(f"cannot read {source}: {exc.strerror or exc}. Name the checkpoint's file") from None
    except ValueError as exc:
        hint = (
            "It is a TorchScript program: use the PyTorch checkpoint of the same release (pytorch_*.pth)"
            if _is_torchscript(source)
            else "Use a checkpoint of Background Matting V2, such as pytorch_mobilenetv2.pth"
        )
        raise ConfigError(f"{str(exc).rstrip('.')}. {hint}") from None


def _is_torchscript(source: Path) -> bool:
    if not zipfile.is_zipfile(source):
        return False
    with zipfile.ZipFile(source) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _convert(source: Path, name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    if not tensor.is_floating_point():
        return tensor.clone().contiguous()
    if not tensor.isfinite().all():
        raise ConfigError(f"{source} is damaged: {name} holds values that are not finite. Download it again")
    converted = tensor.to(dtype, copy=True).contiguous()
    if not converted.isfinite().all():
        raise ConfigError(f"{name} in {source} is too large for float16. Run with: --float32")
    return converted
