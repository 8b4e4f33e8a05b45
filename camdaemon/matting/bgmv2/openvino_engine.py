# ruff: noqa: E402
"""The base network in OpenVINO. Imported only where the extra `openvino` is installed."""

from __future__ import annotations

import hashlib
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

# Importing OpenVINO would report that over the network; without this package it cannot.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import openvino as ov  # type: ignore[import-untyped, import-not-found, unused-ignore]
import torch
from openvino.preprocess import PrePostProcessor  # type: ignore[import-untyped, import-not-found, unused-ignore]
from torch import Tensor

from camdaemon.linux.files import prepare_replacement
from camdaemon.linux.folders import find_folder
from camdaemon.matting.bgmv2.hidden import BaseMaps, DenseBase, SlimDense, has_even_sides, make_dense_base
from camdaemon.model import MattingNetwork

log = logging.getLogger(__name__)

_LAYOUT = "NHWC 2"  # of the cached network; part of its file name
_HINTS = {torch.float32: "f32", torch.bfloat16: "bf16"}


class OpenVinoEngineFactory:
    """Builds OpenVINO engines for one network, converted once, for any size.

    Args:
        network: In evaluation mode, batch norms folded.
    """

    def __init__(self, network: MattingNetwork) -> None:
        self._network = network
        self._core = ov.Core()
        self._models: dict[bool, Any] = {}  # by whether the base input has even sides

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

    def build(self, size: tuple[int, int], dtype: torch.dtype) -> OpenVinoEngine:
        """Build an engine for pairs of `size` (height, width).

        Raises:
            RuntimeError: OpenVINO cannot compile the network, or has no bfloat16 on this processor.
        """
        if dtype == torch.bfloat16 and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            # OpenVINO would compute in float32 and call it bfloat16.
            raise RuntimeError("this processor has no bfloat16 for OpenVINO")
        model = self._model(has_even_sides(size))
        model.reshape([1, *size, self._network.inputs])
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[dtype],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # a pinned thread waits for its core while the capture thread decodes there
        }
        return OpenVinoEngine(self._core.compile_model(model, "CPU", settings), dtype)


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
        compiled: Takes float32 pairs (1,h,w,6).
        dtype: Number format of the computation.
    """

    def __init__(self, compiled: Any, dtype: torch.dtype) -> None:
        self.name, self.dtype = f"openvino {str(dtype).removeprefix('torch.')}", dtype
        self._request = compiled.create_infer_request()

    def __call__(self, pair: Tensor) -> BaseMaps:
        """Run the base network; see `BaseEngine`."""
        self._request.infer({0: pair.permute(0, 2, 3, 1).numpy()}, share_inputs=True)
        return BaseMaps(*(torch.from_numpy(self._request.get_output_tensor(each).data)[0] for each in range(2)))
