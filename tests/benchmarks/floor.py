"""The floor: the operations and bytes that every implementation of the network needs, and the time they take at best.

Counted, not estimated: a hook on each convolution records what went through it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor, nn

from camdaemon.model.network import MattingNetwork

_REFINER = "refiner."
_AT_HALF, _AT_FULL = 4, 16  # pixels of one 4×4 patch at half and at full resolution


@dataclass(slots=True)
class Count:
    """Operations and bytes by the convolution's name."""

    macs: dict[str, int] = field(default_factory=dict)  # multiply-accumulates
    bytes: dict[str, int] = field(default_factory=dict)  # read and written, weights included

    def total(self, *, refiner: bool) -> int:
        """Return the multiply-accumulates of the refiner's convolutions, or of all others."""
        return sum(macs for name, macs in self.macs.items() if (_REFINER in name) == refiner)


@contextmanager
def count_operations(network: nn.Module) -> Iterator[Count]:
    """Count what goes through the convolutions of `network` within the block, on any device, 'meta' included."""
    count = Count()
    hooks = []

    def note(name: str, conv: nn.Conv2d, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        down, across = conv.kernel_size
        each = conv.in_channels // conv.groups * down * across
        touched = inputs[0].numel() + output.numel() + conv.weight.numel()
        count.macs[name] = count.macs.get(name, 0) + output.numel() * each
        count.bytes[name] = count.bytes.get(name, 0) + touched * output.element_size()

    def hook(name: str) -> Any:
        return lambda conv, inputs, output: note(name, conv, inputs, output)

    try:
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d):
                hooks.append(module.register_forward_hook(hook(name)))
        yield count
    finally:
        for each in hooks:
            each.remove()


@dataclass(frozen=True, slots=True)
class Floor:
    """What one frame takes.

    Attributes:
        base: Multiply-accumulates of the base network.
        refiner: Multiply-accumulates of the refiner as published, patch by patch.
        shared: Those of the refiner if no window overlapped another: the most that neighboring patches can share.
        layers: Bytes that the convolutions read and write, one after the other.
        least: Bytes that move in any case: weights, frame and plate in (3 bytes a pixel), picture out (1½ bytes).
        patches: Number of refined patches.
    """

    base: int
    refiner: int
    shared: int
    layers: int
    least: int
    patches: int

    def seconds(self, macs_per_s: float, bytes_per_s: float) -> float:
        """Return the least time at the given peaks: the longer one of operations and bytes."""
        return max((self.base + self.shared) / macs_per_s, self.least / bytes_per_s)

    def values(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


def floor_of(network: MattingNetwork, count: Count, refined: Tensor, pixels: int) -> Floor:
    """Return the floor of a frame.

    Args:
        network: Network that was counted, not folded.
        count: What went through it.
        refined: Which patches were refined, bool.
        pixels: Number of pixels of the frame.
    """
    patches = int(refined.sum())
    weights = sum(each.numel() * each.element_size() for each in network.parameters())
    return Floor(
        base=count.total(refiner=False),
        refiner=count.total(refiner=True),
        shared=patches * macs_per_patch(network),
        layers=sum(count.bytes.values()),
        least=weights + pixels * 15 // 2,
        patches=patches,
    )


def macs_per_patch(network: MattingNetwork) -> int:
    """Return the multiply-accumulates of a patch that shares everything with its neighbors; 0 without a refiner."""
    layers = network.refiner
    if layers is None:
        return 0
    half, full = (layers.conv1, layers.conv2), (layers.conv3, layers.conv4)
    return sum(pixels * conv.weight.numel() for pixels, convs in ((_AT_HALF, half), (_AT_FULL, full)) for conv in convs)
