"""Files of a run (last.pt to resume from, best.safetensors to use) and the network that it starts with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

from camdaemon.errors import ConfigError
from camdaemon.linux.files import prepare_replacement
from camdaemon.model.checkpoint import Architecture, detect_architecture, load_network, read_tensors
from camdaemon.model.layout import Selection
from camdaemon.model.network import MattingNetwork
from camdaemon.model.refiner import Refiner
from camdaemon.model.slim import make_slim_refiner
from camdaemon.tools.train.folder import LAST
from camdaemon.tools.train.recipe import Recipe


@dataclass(slots=True)
class RunState:
    """How far a run is.

    Attributes:
        step: Steps done.
        seconds: Time trained.
        best: Lowest validation MAD.
        frozen_norms: As at the start of the run (see `BaseStage`).
    """

    step: int = 0
    seconds: float = 0.0
    best: float = float("inf")
    frozen_norms: bool = False


def save_weights(network: MattingNetwork, path: Path) -> None:
    """Save the weights as float16 safetensors under the published names; integers stay integers."""
    tensors = {
        name: (tensor.detach().half() if tensor.is_floating_point() else tensor.detach()).cpu().contiguous()
        for name, tensor in network.state_dict().items()
    }
    with prepare_replacement(path) as draft:
        save_file(tensors, draft)


def save_run(folder: Path, network: MattingNetwork, optimizer: Any, mixed: Any, state: RunState, stage: str) -> None:
    """Save everything that a run resumes from: float32 weights, Adam's state, counters."""
    whole = {
        "stage": stage,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "mixed": mixed.state_dict(),
        "state": asdict(state),
    }
    with prepare_replacement(folder / LAST) as draft:
        torch.save(whole, draft)


def read_run(folder: Path, stage: str) -> dict[str, Any]:
    """Read what `save_run` saved.

    Raises:
        ConfigError: There is no such file, it is damaged, or of another stage.
    """
    path = folder / LAST
    try:
        whole = torch.load(path, map_location="cpu", weights_only=True)
        if whole["stage"] != stage:
            raise ValueError(f"it is of stage {whole['stage']}")
        detect_architecture(whole["network"])
    except FileNotFoundError:
        raise ConfigError(f"nothing to resume: {path} does not exist. Run without --resume, or name --out") from None
    except Exception as exc:  # a damaged file raises nearly anything
        raise _unusable(path, exc) from exc
    return dict(whole)


def load_run(folder: Path, network: MattingNetwork, optimizer: Any, mixed: Any, stage: str) -> RunState:
    """Load into `network`, `optimizer` and `mixed` what `save_run` saved, and return the state.

    Raises:
        ConfigError: There is no such file, or it does not fit the run.
    """
    whole = read_run(folder, stage)
    try:
        network.load_state_dict(whole["network"], strict=True)
        optimizer.load_state_dict(whole["optimizer"])
        mixed.load_state_dict(whole["mixed"])
        return RunState(**whole["state"])
    except Exception as exc:  # a damaged file raises nearly anything
        raise _unusable(folder / LAST, exc) from exc


def _unusable(path: Path, exc: Exception) -> ConfigError:
    reason = str(exc) if isinstance(exc, ValueError) else "it is damaged, or of a run with other options"
    return ConfigError(
        f"cannot resume from {path}: {reason}. Run with the options that the run began with, or without --resume"
    )


class StartingPoint(NamedTuple):
    """The network that a run starts with.

    Attributes:
        network: float32, on the CPU.
        trained: Whether its base is trained, not only its encoder.
    """

    network: MattingNetwork
    trained: bool


def make_starting_network(recipe: Recipe) -> StartingPoint:
    """Build the network from `recipe.start`: weights in the published layout, or an encoder with torchvision's names.

    The joint stage adds a refiner if there is none. A resumed run has the network of its checkpoint, without its
    weights, and no longer needs the file that it started with.

    Raises:
        ConfigError: The file cannot be read or does not fit, or the joint stage is given none.
    """
    torch.manual_seed(recipe.seed)
    if recipe.resume:
        architecture = detect_architecture(read_run(recipe.out, recipe.stage)["network"])
        return StartingPoint(architecture.build(selection=Selection()), True)
    trained = False
    network = Architecture(recipe.backbone, None).build(selection=Selection())
    if recipe.start is None:
        if recipe.stage == "joint":
            raise ConfigError("joint training needs a trained base network. Run with: --start best.safetensors")
    else:
        try:
            tensors = read_tensors(recipe.start)
            if any(name.startswith(("features.", "layer1.")) for name in tensors):
                _load_encoder(network, tensors)
            else:
                network, trained = load_network(recipe.start), True
        except OSError as exc:
            raise ConfigError(f"cannot read {recipe.start}: {exc.strerror or exc}. Run with: --start FILE") from exc
        except (ValueError, RuntimeError) as exc:
            raise ConfigError(f"cannot start from {recipe.start}: {exc}. Run with: --start FILE") from exc
    if recipe.stage == "joint" and network.refiner is None:
        network.refiner = make_slim_refiner() if network.doubts else Refiner(recipe.kernel_size)
        initialize_as_coarse(network.refiner)
    return StartingPoint(network, trained)


def _load_encoder(network: MattingNetwork, tensors: dict[str, Tensor]) -> None:
    """Load an encoder for three channels, widened to those of the plate: [w, −w/4], running mean times 3/4.

    An encoder with folded batch norms (all means 0) expects −1..1; its first layer is converted to 0..1.
    """
    conv, norm = ("features.0.0", "features.0.1") if "features.0.0.weight" in tensors else ("conv1", "bn1")
    tensors = dict(tensors)
    first = tensors[f"{conv}.weight"].float()
    if not tensors[f"{norm}.running_mean"].any():
        tensors[f"{norm}.running_mean"] = first.sum((1, 2, 3))
        first = 2 * first
    tensors[f"{norm}.running_mean"] = tensors[f"{norm}.running_mean"] * 0.75
    tensors[f"{conv}.weight"] = torch.cat([first, -first / 4], 1)
    wanted = network.backbone.state_dict()
    missing = [name for name in wanted if name not in tensors and not name.endswith("num_batches_tracked")]
    if missing:
        raise ValueError(f"the encoder lacks {len(missing)} tensors: {', '.join(missing[:3])}")
    network.backbone.load_state_dict({name: tensors[name] for name in wanted if name in tensors}, strict=False)


@torch.no_grad()
def initialize_as_coarse(refiner: Refiner) -> None:
    """Initialize `refiner`, in place, so that it returns the coarse alpha and residual (at half resolution).

    Seven of its channels carry them: alpha, and the residual's positive and negative parts.
    """
    middle = refiner.kernel_size // 2
    into = {refiner.conv1: refiner.hidden, refiner.conv2: 0, refiner.conv3: 0}
    for conv, offset in into.items():
        conv.weight[:7] = 0
        for channel in range(7):
            source, sign = channel, 1.0
            if conv is refiner.conv1:  # 1 alpha, 3 residual → 1, +3, −3
                source, sign = (channel, 1.0) if channel < 4 else (channel - 3, -1.0)
            conv.weight[channel, offset + source, middle, middle] = sign
    assert refiner.conv4.bias is not None
    refiner.conv4.bias.zero_()
    refiner.conv4.weight.mul_(0.1)
    refiner.conv4.weight[:, :7] = 0
    refiner.conv4.weight[0, 0, middle, middle] = 1
    for color in range(3):
        refiner.conv4.weight[1 + color, 1 + color, middle, middle] = 1
        refiner.conv4.weight[1 + color, 4 + color, middle, middle] = -1
