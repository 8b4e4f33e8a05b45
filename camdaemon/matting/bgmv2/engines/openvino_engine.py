# ruff: noqa: E402
"""The network in OpenVINO: on the CPU in floats or in int8, and its base on Intel's GPU or NPU.

Runs the graphs of `graphs`; loads no torch. Imported only where OpenVINO is installed.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

# Importing OpenVINO would report that over the network; without this package it cannot.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import numpy as np
import openvino as ov  # type: ignore[import-untyped, import-not-found, unused-ignore]
from numpy.typing import NDArray

from camdaemon.linux.processor import read_flags
from camdaemon.linux.threads import count_compute_threads
from camdaemon.matting.bgmv2.engines import device_notes, openvino_devices
from camdaemon.matting.bgmv2.engines.engine import CHUNK, BaseMaps, BaseSize, Floats, WindowEngine, pad_count
from camdaemon.matting.bgmv2.engines.graphs import GraphFiles, Part
from camdaemon.model.layout import NetworkLayout

log = logging.getLogger(__name__)

VERSION = str(ov.__version__).partition("-")[0]  # without the number of the build
_HINTS = {"float32": "f32", "bfloat16": "bf16"}
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"}  # as /proc/cpuinfo has them; the last on ARM


@dataclass(slots=True)
class GraphSource:
    """The graphs of one network, each read when it is first asked for.

    Attributes:
        layout: Of the network.
        mark: Checksum of the weights that they were made of.
        paths: The .xml of each part that is in a file.
        models: Those that are in memory.
    """

    layout: NetworkLayout
    mark: str
    paths: Mapping[Part, Path]
    models: dict[Part, Any] = field(default_factory=dict)
    core: Any = field(default_factory=ov.Core)

    @classmethod
    def of_files(cls, files: GraphFiles, int8: Path | None) -> GraphSource:
        """Return the graphs in files."""
        return cls(files.layout, files.mark, {**files.paths} if int8 is None else {**files.paths, "int8": int8})

    def has(self, part: Part) -> bool:
        """Return whether there is such a graph."""
        return part in self.paths or part in self.models

    def copy(self, part: Part) -> Any:
        """Return OpenVINO's model of a part, to be changed at will. Raises RuntimeError."""
        if part not in self.models:
            self.models[part] = self.core.read_model(self.paths[part])
        return self.models[part].clone()


def has_bfloat16(core: Any) -> bool:
    """Return whether OpenVINO computes in bfloat16 here, and the processor does.

    Without it OpenVINO would compute in float32 and call it bfloat16, or emulate it, in twenty times the time.
    """
    offered = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return offered and not _BFLOAT16_FLAGS.isdisjoint(read_flags())


class OpenVinoRuntime:
    """A `Runtime` of OpenVINO on the CPU.

    Args:
        graphs: Of the network.
        precision: 'float32' or 'bfloat16'; of what is not in int8.
        int8: Whether the base network is in int8.
    """

    def __init__(self, graphs: GraphSource, precision: str, *, int8: bool = False) -> None:
        self.name = "openvino int8" if int8 else f"openvino {precision}"
        self._graphs, self._precision = graphs, precision
        self._base: Part = "int8" if int8 else "base"
        self._windows: dict[tuple[Part, bool], WindowEngine] = {}
        _load_bindings()

    def build_base(self, size: BaseSize) -> OpenVinoEngine:
        """Build an engine of the base network on the CPU; see `Runtime`."""
        model = self._graphs.copy(self._base)
        model.reshape([1, *size, self._graphs.layout.inputs])
        return OpenVinoEngine(self._compile(model), self.name)

    def build_refiner(self, *, exact: bool) -> WindowEngine:
        """Build an engine of the refiner on the CPU, or return it if it is there; see `Runtime`."""
        return self._build_windows("refiner", [1] if exact else [], exact=exact)

    def build_hidden(self, *, exact: bool) -> WindowEngine:
        """Build an engine of the hidden features on the CPU, or return it if it is there; see `Runtime`."""
        return self._build_windows("hidden", [0, 1] if exact else [], exact=exact)

    def _build_windows(self, part: Part, floats: list[int], *, exact: bool) -> WindowEngine:
        """Build an engine of windows of which the inputs numbered `floats` are no bytes."""
        key = part, exact
        if key not in self._windows:
            model = self._graphs.copy(part)
            for number in floats:
                model.inputs[number].get_node().set_element_type(ov.Type.f32)
            model.validate_nodes_and_infer_types()
            model.reshape({port: [CHUNK, *list(port.get_partial_shape())[1:]] for port in model.inputs})
            self._windows[key] = OpenVinoWindows(self._compile(model))
        return self._windows[key]

    def _compile(self, model: Any) -> Any:
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[self._precision],
            "INFERENCE_NUM_THREADS": count_compute_threads(),
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # a pinned thread waits for its core while the capture thread decodes there
        }
        return self._graphs.core.compile_model(model, "CPU", settings)


class OpenVinoDeviceRuntime(OpenVinoRuntime):
    """A `Runtime` whose base network runs on 'GPU' or 'NPU', in float16; the CPU does what is around it.

    Args:
        graphs: Of the network.
        precision: 'float32' or 'bfloat16': of what the CPU computes.
        device: 'GPU' or 'NPU'.
    """

    def __init__(self, graphs: GraphSource, precision: str, device: str) -> None:
        super().__init__(graphs, precision)
        self.name, self._device = f"openvino {device}", device

    def build_base(self, size: BaseSize) -> OpenVinoEngine:
        """Build an engine of the base network on the device; see `Runtime`.

        Raises:
            RuntimeError: The device is not to be trusted: its driver ended a process or hung, refuses the network, or
                computes something else than the CPU.
        """
        graphs, shape = self._graphs, [1, *size, self._graphs.layout.inputs]
        if "base" not in graphs.paths:
            raise RuntimeError("the network has no file from which another process could try the device")
        openvino_devices.try_apart(self._device, graphs.paths["base"], shape, graphs.mark)
        model = graphs.copy("base")
        model.reshape(shape)
        with device_notes.noted(self._device):
            settings = openvino_devices.compile_settings()
            engine = _DeviceEngine(graphs.core.compile_model(model, self._device, settings), self.name)
            openvino_devices.compare(engine, OpenVinoRuntime(graphs, "float32").build_base(size), shape)
        return engine


@cache
def _load_bindings() -> None:
    """Run a network of one number, once, before there are threads.

    OpenVINO's bindings prepare tables when they are first used. Where two threads are the first at the same time, one
    waits for the tables with Python's lock, and the other one for that lock to go on preparing them: for ever.
    """
    number = ov.op.Parameter(ov.Type.f32, ov.PartialShape([1]))
    model = ov.Model([ov.opset8.relu(number)], [number], "first")
    request = ov.Core().compile_model(model, "CPU").create_infer_request()
    request.infer([np.zeros(1, np.float32)], share_inputs=True)
    assert request.get_output_tensor(0).data.shape == (1,)


class OpenVinoEngine:
    """A `BaseEngine` in OpenVINO.

    Args:
        compiled: Takes float32 pairs (1,h,w,C).
        name: Of the engine.
    """

    def __init__(self, compiled: Any, name: str) -> None:
        self.name = name
        self._request = compiled.create_infer_request()

    def __call__(self, pair: Floats) -> BaseMaps:
        """Run the base network; see `BaseEngine`."""
        self._request.infer({0: pair}, share_inputs=True, share_outputs=True)
        # Copies: the next frame's are computed while these are still in use.
        return BaseMaps(*(np.array(self._request.get_output_tensor(n).data[0]) for n in range(2)))


class OpenVinoWindows:
    """A `WindowEngine` in OpenVINO.

    Args:
        compiled: Takes `CHUNK` windows, a fixed number, with which it is faster than with any.
    """

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: list[Any] = []  # requests; each runs for one caller at a time

    def __call__(self, *windows: NDArray[Any]) -> Floats:
        """Run the network; see `WindowEngine`."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        count = len(windows[0])
        found: Floats | None = None
        for first in range(0, count, CHUNK):
            given = [pad_count(each[first : first + CHUNK], CHUNK) for each in windows]
            for number, each in enumerate(given):  # a quarter of a millisecond less than as arguments of `infer`
                request.set_input_tensor(number, ov.Tensor(each, shared_memory=True))
            request.infer(share_outputs=True)
            made = request.get_output_tensor(0).data
            if found is None:
                found = np.empty((count, *made.shape[1:]), np.float32)
            found[first : first + CHUNK] = made[: count - first]
        self._idle.append(request)
        assert found is not None, "no windows"
        return found


class _DeviceEngine(OpenVinoEngine):
    """An `OpenVinoEngine` on a device whose failure in the frame loop leaves a note; see `openvino_devices`."""

    def __call__(self, pair: Floats) -> BaseMaps:
        try:
            return super().__call__(pair)
        except RuntimeError as exc:
            device_notes.skip(self.name.removeprefix("openvino "), f"it failed: {str(exc).partition(chr(10))[0]}")
            raise
