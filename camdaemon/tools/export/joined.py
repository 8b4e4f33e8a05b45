"""The int8 base of camdaemon and everything around it in floats, as one graph of OpenVINO.

    src, plate, confidence → base input (floats) → NAME-int8.xml as it lies beside the weights
                                                 → visible maps, features → matte, refiner (floats)

So an export has exactly the network that the daemon runs in int8, and nothing is quantized a second time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from camdaemon.model.decoder import resize_and_concat
from camdaemon.model.layout import VISIBLE
from camdaemon.model.published import BackgroundMattingV2
from camdaemon.model.refiner import Coarse
from camdaemon.tools.export.family import zero_inputs
from camdaemon.tools.export.openvino_file import convert
from camdaemon.tools.export.static import StaticNetwork


class _Before(nn.Module):
    """All that comes before the base network: its input as the int8 file takes it, (1,h,w,C)."""

    def __init__(self, static: StaticNetwork) -> None:
        super().__init__()
        self.static = static

    def forward(self, src: Tensor, plate: Tensor, confidence: Tensor | None = None) -> Tensor:
        return self.static.stack(src, plate, confidence).permute(0, 2, 3, 1)


class _After(nn.Module):
    """All that comes after the dense part of the base network, which gives maps as `engines.dense.BaseMaps`."""

    def __init__(self, static: StaticNetwork) -> None:
        super().__init__()
        self.static, network = static, static.network
        self.last: nn.Conv2d | None = None
        if isinstance(network, BackgroundMattingV2):
            self.last = network.decoder.slice_last_conv(slice(VISIBLE, None), padding=1)

    def forward(
        self, visible: Tensor, features: Tensor, src: Tensor, plate: Tensor, confidence: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        alpha, residual, error = visible.permute(0, 3, 1, 2).split((1, 3, 1), 1)
        hidden = features.permute(0, 3, 1, 2)
        if self.last is not None:
            hidden = F.relu(self.last(resize_and_concat(hidden, self.static.stack(src, plate, confidence))))
        return self.static.finish(src, plate, confidence, Coarse(alpha, residual, error, hidden))


def join_int8(static: StaticNetwork, int8: Path) -> Any:
    """Return OpenVINO's model of `static` with the base network of the file `int8` in place of its own.

    Args:
        static: In float32.
        int8: .xml of a `DenseBase` or `SlimDense`, channels last, made of the same weights.
    """
    import openvino as ov  # type: ignore[import-untyped, import-not-found, unused-ignore]

    given = zero_inputs(static)
    before = convert(_Before(static), given)
    base = ov.Core().read_model(int8)
    base.reshape([1, *static.base, static.network.inputs])
    maps = tuple(torch.zeros(list(port.shape)) for port in base.outputs)
    after = convert(_After(static), (*maps, *given))
    _connect(_result(before, 0), base.inputs[0])
    visible, features, *shared = after.inputs
    _connect(_result(base, 0), visible)
    _connect(_result(base, 1), features)
    for source, target in zip(before.inputs, shared, strict=True):
        _connect(source, target)
    return ov.Model(after.get_results(), before.get_parameters(), f"{static.part}_int8")


def _result(model: Any, number: int) -> Any:
    """Return what the output `number` of `model` is computed by."""
    return model.get_results()[number].input_value(0)


def _connect(source: Any, parameter: Any) -> None:
    """Let everything that takes `parameter` take `source` instead."""
    for target in parameter.get_target_inputs():
        target.replace_source_output(source)
