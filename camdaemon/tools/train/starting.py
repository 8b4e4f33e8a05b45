"""The network a run begins with."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from camdaemon.errors import ConfigError
from camdaemon.model import BackgroundMattingV2, Selection, load_network, read_tensors
from camdaemon.model.refiner import Refiner

from .recipe import Recipe


class Start(NamedTuple):
    """network: float32, on the CPU.   trained: its base is more than a bare encoder."""

    network: BackgroundMattingV2
    trained: bool


def starting_network(recipe: Recipe) -> Start:
    """From `recipe.start`: weights of ours or the published ones, or an encoder alone (torchvision's names).

    joint adds a refiner where there is none. Raises ConfigError.
    """
    torch.manual_seed(recipe.seed)
    trained = False
    network = BackgroundMattingV2(recipe.backbone, None, selection=Selection())
    if recipe.start is None:
        if recipe.stage == "joint" and not recipe.resume:
            raise ConfigError("joint training begins with a trained base network; type: --start best.safetensors")
    else:
        try:
            tensors = read_tensors(recipe.start)
            if any(name.startswith(("features.", "layer1.")) for name in tensors):
                _load_encoder(network, tensors)
            else:
                network, trained = load_network(recipe.start), True
        except OSError as exc:
            raise ConfigError(f"cannot read {recipe.start}: {exc.strerror or exc}; type: --start FILE") from exc
        except (ValueError, RuntimeError) as exc:
            raise ConfigError(f"cannot start from {recipe.start}: {exc}; type: --start FILE") from exc
    if recipe.stage == "joint" and network.refiner is None:
        network.refiner = Refiner(recipe.kernel_size)
        begin_as_coarse(network.refiner)
    return Start(network, trained)


def _load_encoder(network: BackgroundMattingV2, tensors: dict[str, Tensor]) -> None:
    """An encoder for three channels, widened to the plate's: [w, −w/4], running mean times 3/4.

    Where the batch norms are folded (all means 0) the encoder expects −1..1; the first layer is changed to 0..1.
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
def begin_as_coarse(refiner: Refiner) -> None:
    """Changes `refiner` so that it gives back the coarse alpha and residual (at half resolution) before it learns.

    Seven of its channels carry them through: alpha, and the residual's positive and negative parts.
    """
    hidden, middle = refiner.conv1.weight.shape[1] - 10, refiner.kernel_size // 2
    into = {refiner.conv1: hidden, refiner.conv2: 0, refiner.conv3: 0}
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
    for colour in range(3):
        refiner.conv4.weight[1 + colour, 1 + colour, middle, middle] = 1
        refiner.conv4.weight[1 + colour, 4 + colour, middle, middle] = -1
