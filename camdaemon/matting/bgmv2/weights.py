"""The weights of the network: those that come with camdaemon, by name or by what they are for, or a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from camdaemon.errors import ConfigError
from camdaemon.linux.folders import expand_home
from camdaemon.matting import Purpose
from camdaemon.matting.bgmv2.engines.graphs import checksum

if TYPE_CHECKING:
    from camdaemon.model.network import MattingNetwork

# What the manifest names a default for; the device matters for live frames alone.
USES: tuple[tuple[Purpose, str], ...] = (
    ("live", "cpu"), ("live", "cuda"), ("files", "cpu"), ("without_plate", "cpu")
)  # fmt: skip
_SHIPPED = {"published": "mobilenetv2.safetensors", "slim": "slim.safetensors"}
_REMEDY = "Install camdaemon again, or run with: --weights FILE"


def find_weights(weights: str, purpose: Purpose = "live", device: str = "cpu") -> Path:
    """Return the path of `weights`, after comparing the checksum of those that come with camdaemon.

    Args:
        weights: 'default', which the manifest decides by the next two; 'published' or 'slim'; or the path of a
            checkpoint.
        purpose: What for.
        device: 'cpu' or 'cuda'; it matters for live frames alone.

    Raises:
        ConfigError: Weights that should come with camdaemon are missing or damaged.
    """
    if weights != "default" and weights not in _SHIPPED:
        return expand_home(weights)
    folder = _find_folder()
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        name = _find_default(manifest["defaults"], purpose, device) if weights == "default" else _SHIPPED[weights]
        if name not in manifest["files"]:
            raise ConfigError(f"this camdaemon comes without weights {weights}. Run with: --weights default")
        path: Path = folder / name
        expected = manifest["files"][name]["sha256"]
        found = checksum(path)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ConfigError(f"the {weights} weights are not in {folder} ({exc}). {_REMEDY}") from exc
    if found != expected:
        raise ConfigError(f"{path} is damaged (wrong checksum). {_REMEDY}")
    return path


def _find_folder() -> Path:
    package = Path(__file__).resolve().parents[2]
    folders = [package / "_weights", package.parent / "weights"]  # installed; in a checkout
    return next((folder for folder in folders if (folder / "manifest.json").is_file()), folders[0])


def _find_default(defaults: dict[str, Any], purpose: Purpose, device: str) -> str:
    """Return the name of the file that the manifest's `defaults` give for a purpose on a device."""
    entry = defaults[purpose]
    return str(entry[device] if isinstance(entry, dict) else entry)


def mark_of(path: Path) -> str:
    """Return the checksum of a file of weights, which tells them from all others.

    Raises:
        ConfigError: The file cannot be read.
    """
    try:
        return checksum(path)
    except OSError as exc:
        raise _unreadable(path, exc) from exc


def load_weights(weights: str, purpose: Purpose = "live", device: str = "cpu") -> MattingNetwork:
    """Load the network of `weights`, in torch; see `find_weights`.

    Raises:
        ConfigError: The file cannot be read, or does not fit.
    """
    return load_file(find_weights(weights, purpose, device))


def load_file(path: Path) -> MattingNetwork:
    """Load the network of a file, in torch.

    Raises:
        ConfigError: The file cannot be read, or does not fit.
    """
    from camdaemon.model.checkpoint import load_network

    try:
        return load_network(path)
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    except ValueError as exc:
        raise ConfigError(f"weights {exc}. Name another file, or run with: --weights default") from exc


def _unreadable(path: Path, exc: OSError) -> ConfigError:
    return ConfigError(
        f"cannot read the weights {path}: {exc.strerror or exc}. Name a .safetensors or .pth file, "
        "or run with: --weights default"
    )
