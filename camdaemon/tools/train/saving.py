"""Files a run leaves: last.pt to go on from, best.safetensors to use."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from camdaemon.errors import ConfigError
from camdaemon.linux.files import prepare_replacement
from camdaemon.model import BackgroundMattingV2

LAST, BEST = "last.pt", "best.safetensors"


@dataclass(slots=True)
class State:
    """How far a run is. step: done so far.   seconds: trained so far.   best: lowest validation MAD.

    frozen_norms: how it began (see `stages.BaseStage`).
    """

    step: int = 0
    seconds: float = 0.0
    best: float = float("inf")
    frozen_norms: bool = False


def save_weights(network: BackgroundMattingV2, path: Path) -> None:
    """float16 safetensors in the published names (whole numbers stay as they are)."""
    tensors = {
        name: (tensor.detach().half() if tensor.is_floating_point() else tensor.detach()).cpu().contiguous()
        for name, tensor in network.state_dict().items()
    }
    with prepare_replacement(path) as draft:
        save_file(tensors, draft)


def save_run(folder: Path, network: BackgroundMattingV2, optimizer: Any, mixed: Any, state: State, stage: str) -> None:
    """Everything that goes on: float32 weights, Adam's memory, counters. Replaces the file at once."""
    whole = {
        "stage": stage,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "mixed": mixed.state(),
        "state": asdict(state),
    }
    with prepare_replacement(folder / LAST) as draft:
        torch.save(whole, draft)


def load_run(folder: Path, network: BackgroundMattingV2, optimizer: Any, mixed: Any, stage: str) -> State:
    """The opposite of `save_run`. Raises ConfigError."""
    path = folder / LAST
    try:
        whole = torch.load(path, map_location="cpu", weights_only=True)
        if whole["stage"] != stage:
            raise ValueError(f"it is of the stage {whole['stage']}")
        network.load_state_dict(whole["network"], strict=True)
        optimizer.load_state_dict(whole["optimizer"])
        mixed.load(whole["mixed"])
    except FileNotFoundError:
        raise ConfigError(f"nothing to resume: there is no {path}; leave --resume out, or name --out") from None
    except Exception as exc:  # a damaged file raises nearly anything
        reason = next(iter(str(exc).splitlines()), type(exc).__name__)
        raise ConfigError(
            f"cannot resume from {path}: {reason}; give the options that the run began with, or leave --resume out"
        ) from exc
    return State(**whole["state"])
