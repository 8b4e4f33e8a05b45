"""The floor: multiplications and bytes that no formulation of the network can do without, and the time they would take.

Counted, not estimated: a hook on each convolution notes what really went through it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor, nn

from camdaemon.model import BackgroundMattingV2

_REFINER = "refiner."
_AT_HALF, _AT_FULL = 4, 16  # pixels of one 4×4 patch at half and at full resolution


@dataclass(slots=True)
class Count:
    """macs, bytes: by the convolution's name. bytes: what it reads and writes, its weights included."""

    macs: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)

    def total(self, *, refiner: bool) -> int:
        """Multiply-accumulates of the refiner's convolutions, or of all the others."""
        return sum(macs for name, macs in self.macs.items() if (_REFINER in name) == refiner)


@contextmanager
def counted(network: nn.Module) -> Iterator[Count]:
    """Counts what goes through the convolutions of `network` meanwhile, on any device ('meta' included)."""
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
    """Of one frame. base, refiner: multiply-accumulates as the published formulation does them, patch by patch.

    shared: the refiner's if no window overlapped another, which is what patches that lie together could share at best.
    layers: bytes that the convolutions read and write, one after the other.   least: bytes that must move in any case:
    the weights, the frame and the plate in (3 bytes a pixel), the picture out (1½).   patches: refined in that frame.
    """

    base: int
    refiner: int
    shared: int
    layers: int
    least: int
    patches: int

    def seconds(self, macs_per_s: float, bytes_per_s: float) -> float:
        """The least time at the given peaks: whichever of operations and bytes takes longer."""
        return max((self.base + self.shared) / macs_per_s, self.least / bytes_per_s)

    def facts(self) -> dict[str, int]:
        """By name."""
        return asdict(self)


def floor_of(network: BackgroundMattingV2, count: Count, refined: Tensor, pixels: int) -> Floor:
    """network: the unfolded one that `count` is of.   refined: bool, its patches.   pixels: of the frame."""
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


def macs_per_patch(network: BackgroundMattingV2) -> int:
    """Multiply-accumulates of one refined patch that shares everything with its neighbours; 0 without a refiner."""
    layers = network.refiner
    if layers is None:
        return 0
    half, full = (layers.conv1, layers.conv2), (layers.conv3, layers.conv4)
    return sum(pixels * conv.weight.numel() for pixels, convs in ((_AT_HALF, half), (_AT_FULL, full)) for conv in convs)
