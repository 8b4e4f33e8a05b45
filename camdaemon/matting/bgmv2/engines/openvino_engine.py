# ruff: noqa: E402
"""The base network in OpenVINO: on the CPU in floats or in int8, and on Intel's GPU or NPU.

Imported only where the extra `openvino` is installed.
"""

from __future__ import annotations

import hashlib
import logging
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import Any

# Importing OpenVINO would report that over the network; without this package it cannot.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import numpy as np
import openvino as ov  # type: ignore[import-untyped, import-not-found, unused-ignore]
import torch
from openvino.preprocess import PrePostProcessor  # type: ignore[import-untyped, import-not-found, unused-ignore]
from torch import Tensor

from camdaemon.linux.files import prepare_replacement
from camdaemon.linux.folders import find_folder
from camdaemon.matting.bgmv2.engines import device_notes, openvino_devices
from camdaemon.matting.bgmv2.engines.dense import BaseMaps, DenseBase, SlimDense, has_even_sides, make_dense_base
from camdaemon.model import MattingNetwork

log = logging.getLogger(__name__)

_LAYOUT = "NHWC 2"  # of the cached network; part of its file name
_HINTS = {torch.float32: "f32", torch.bfloat16: "bf16"}


class OpenVinoEngineFactory:
    """Builds OpenVINO engines for one network, converted once, for any size.

    Args:
        network: In evaluation mode, batch norms folded.
        int8: The .xml of the same network in int8, for inputs of even sides; see `int8`.
    """

    def __init__(self, network: MattingNetwork, int8: Path | None = None) -> None:
        self._network, self._int8 = network, int8
        self._core = ov.Core()
        _load_bindings()
        self._models: dict[bool, Any] = {}  # by whether the base input has even sides

    def list_devices(self) -> list[str]:
        """Return which of Intel's devices beside the CPU may be used: 'GPU', 'NPU'."""
        return openvino_devices.list_usable(self._core)

    def build(self, size: tuple[int, int], dtype: torch.dtype) -> OpenVinoEngine:
        """Build an engine for pairs of `size` (height, width) on the CPU.

        Raises:
            RuntimeError: OpenVINO cannot compile the network, or has no bfloat16 on this processor.
        """
        if dtype == torch.bfloat16 and not self._has_bfloat16():
            # OpenVINO would compute in float32 and call it bfloat16.
            raise RuntimeError("this processor has no bfloat16 for OpenVINO")
        return self._build_on_cpu(self._model(has_even_sides(size)), size, str(dtype).removeprefix("torch."), dtype)

    def build_int8(self, size: tuple[int, int], dtype: torch.dtype) -> OpenVinoEngine:
        """Build an engine in int8, `dtype` where that is float; wholly in `dtype` for odd sides.

        Raises:
            RuntimeError: As `build`, or the file cannot be read.
        """
        if self._int8 is None or not has_even_sides(size):
            return self.build(size, dtype)
        dtype = dtype if self._has_bfloat16() else torch.float32
        return self._build_on_cpu(self._core.read_model(self._int8), size, "int8", dtype)

    def build_on(self, device: str, size: tuple[int, int], dtype: torch.dtype) -> OpenVinoEngine:
        """Build an engine on 'GPU' or 'NPU', in float16; what the CPU does around it is computed in `dtype`.

        Raises:
            RuntimeError: The device is not to be trusted: its driver ended a process or hung, refuses the network, or
                computes something else than the CPU.
        """
        even = has_even_sides(size)
        model, shape = self._model(even), [1, *size, self._network.inputs]
        base = make_dense_base(self._network, even=even)
        openvino_devices.try_apart(device, _cache_path(base), shape)
        model.reshape(shape)
        with device_notes.noted(device):
            settings = openvino_devices.compile_settings(_cache_path(base).parent)
            engine = _DeviceEngine(self._core.compile_model(model, device, settings), device, dtype)
            openvino_devices.compare(engine, base, size)
        return engine

    def _has_bfloat16(self) -> bool:
        return "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")

    def _build_on_cpu(self, model: Any, size: tuple[int, int], name: str, dtype: torch.dtype) -> OpenVinoEngine:
        model.reshape([1, *size, self._network.inputs])
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[dtype],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # a pinned thread waits for its core while the capture thread decodes there
        }
        return OpenVinoEngine(self._core.compile_model(model, "CPU", settings), name, dtype)

    def _model(self, even: bool) -> Any:
        if even not in self._models:
            self._models[even] = self._read_or_convert(make_dense_base(self._network, even=even))
        return self._models[even].clone()

    def _read_or_convert(self, network: DenseBase | SlimDense) -> Any:
        """Return the converted network from the cache if it is there: converting adds two seconds to a start."""
        path = _cache_path(network)
        if path.is_file() and path.with_suffix(".bin").is_file():
            try:
                return self._core.read_model(path)
            except RuntimeError as exc:
                log.info("cached network unreadable, converting again: %s: %s", path, exc)
        model = convert(network)
        try:
            # The weights' draft is the one that OpenVINO writes beside the .xml's; it takes its name first, so that an
            # .xml says that both are there.
            with prepare_replacement(path) as draft, prepare_replacement(path.with_suffix(".bin")):
                ov.save_model(model, draft, compress_to_fp16=False)
        except (OSError, RuntimeError) as exc:
            log.info("converted network not cached: %s", exc)
        return model


@cache
def _load_bindings() -> None:
    """Run a network of one number, once, before there are threads.

    OpenVINO's bindings prepare tables when they are first used. Where two threads are the first at the same time, one
    waits for the tables with Python's lock, and the other one for that lock to go on preparing them: for ever.
    """
    number = ov.op.Parameter(ov.Type.f32, ov.PartialShape([1]))
    model = ov.Model([ov.opset8.relu(number)], [number], "first")
    request = ov.Core().compile_model(model, "CPU").create_infer_request()
    request.infer({0: np.zeros(1, np.float32)}, share_inputs=True)
    assert request.get_output_tensor(0).data.shape == (1,)


def convert(network: DenseBase | SlimDense) -> Any:
    """Convert `network`; input and outputs are channels last, as everywhere on the CPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # OpenVINO traces with torch.jit
        model = ov.convert_model(network, example_input=torch.zeros(1, network.inputs, 144, 256))
    steps = PrePostProcessor(model)
    for end in (steps.input(), steps.output(0), steps.output(1)):
        end.tensor().set_layout(ov.Layout("NHWC"))
        end.model().set_layout(ov.Layout("NCHW"))
    return steps.build()


def _cache_path(network: DenseBase | SlimDense) -> Path:
    """Return the path of the converted network; other weights and other versions of OpenVINO have other paths."""
    mark = hashlib.sha256(f"{ov.__version__} {_LAYOUT}".encode())
    for name, tensor in network.state_dict().items():
        mark.update(name.encode())
        mark.update(tensor.float().contiguous().numpy().tobytes())
    return find_folder("cache") / "openvino" / f"{mark.hexdigest()[:16]}.xml"


class OpenVinoEngine:
    """A `BaseEngine` in OpenVINO.

    Args:
        compiled: Takes float32 pairs (1,h,w,C).
        name: Of the number format or the device; part of the engine's name.
        dtype: See `BaseEngine`.
    """

    def __init__(self, compiled: Any, name: str, dtype: torch.dtype) -> None:
        self.name, self.dtype = f"openvino {name}", dtype
        self._request = compiled.create_infer_request()

    def __call__(self, pair: Tensor) -> BaseMaps:
        """Run the base network; see `BaseEngine`."""
        self._request.infer({0: pair.permute(0, 2, 3, 1).numpy()}, share_inputs=True)
        # Copies: the next frame's are computed while these are still in use.
        return BaseMaps(*(torch.from_numpy(self._request.get_output_tensor(n).data)[0].clone() for n in range(2)))


class _DeviceEngine(OpenVinoEngine):
    """An `OpenVinoEngine` on a device whose failure in the frame loop leaves a note; see `openvino_devices`."""

    def __call__(self, pair: Tensor) -> BaseMaps:
        try:
            return super().__call__(pair)
        except RuntimeError as exc:
            device_notes.skip(self.name.removeprefix("openvino "), f"it failed: {str(exc).partition(chr(10))[0]}")
            raise
