"""The weights of Background Matting V2: those that come with camdaemon, or a checkpoint."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from camdaemon.errors import ConfigError
from camdaemon.linux.folders import expand_home
from camdaemon.model import MattingNetwork, load_network


def find_default_weights() -> Path:
    """Return the path of the weights that come with camdaemon, after comparing their checksum with the manifest's.

    Raises:
        ConfigError: They are missing or damaged.
    """
    package = Path(__file__).resolve().parents[2]
    folders = [package / "_weights", package.parent / "weights"]  # installed; in a checkout
    folder = next((folder for folder in folders if (folder / "manifest.json").is_file()), folders[0])
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        path: Path = folder / manifest["default"]
        expected = manifest["files"][path.name]["sha256"]
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ConfigError(
            f"the default weights are not in {folder} ({exc}). Install camdaemon again, or run with: --weights FILE"
        ) from exc
    if found != expected:
        raise ConfigError(f"{path} is damaged (wrong checksum). Install camdaemon again, or run with: --weights FILE")
    return path


def load_weights(weights: str) -> MattingNetwork:
    """Load the network of `weights`: 'default', or the path of a checkpoint in the published layout.

    Raises:
        ConfigError: The file cannot be read, or does not fit.
    """
    path = find_default_weights() if weights == "default" else expand_home(weights)
    try:
        return load_network(path)
    except OSError as exc:
        raise ConfigError(
            f"cannot read the weights {path}: {exc.strerror or exc}. Name a .safetensors or .pth file, "
            "or run with: --weights default"
        ) from exc
    except ValueError as exc:
        raise ConfigError(f"weights {exc}. Name another file, or run with: --weights default") from exc
