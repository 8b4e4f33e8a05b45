# ruff: noqa: E402
"""The base network in OpenVINO. Only imported where the extra `openvino` is installed."""

from __future__ import annotations

import hashlib
import logging
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

# Importing OpenVINO would tell its makers so over the network. Without this package it has nothing to tell it with.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import openvino as ov  # type: ignore[import-untyped, import-not-found, unused-ignore]
import platformdirs
import torch
from openvino.preprocess import PrePostProcessor  # type: ignore[import-untyped, import-not-found, unused-ignore]
from torch import Tensor

from camdaemon.matting.bgmv2.hidden import DenseBase, Maps, is_even
from camdaemon.model import BackgroundMattingV2

log = logging.getLogger(__name__)

_LAYOUT = "NHWC 2"  # of what is kept
_HINTS = {torch.float32: "f32", torch.bfloat16: "bf16"}


class OpenVino:
    """`network` for OpenVINO, converted once; from it engines for any size."""

    def __init__(self, network: BackgroundMattingV2) -> None:
        self._network = network
        self._core = ov.Core()
        self._models: dict[bool, Any] = {}  # by whether the base input is even

    def _model(self, even: bool) -> Any:
        if even not in self._models:
            self._models[even] = self._read_or_converted(DenseBase(self._network, even=even).eval())
        return self._models[even].clone()

    def _read_or_converted(self, network: DenseBase) -> Any:
        """From the cache: converting takes two seconds of a start."""
        kept = _kept(network)
        if kept.is_file() and kept.with_suffix(".bin").is_file():
            try:
                return self._core.read_model(kept)
            except RuntimeError as exc:
                log.info("%s is made anew: %s", kept, exc)
        model = _converted(network)
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
                whole = Path(folder) / kept.name
                ov.save_model(model, whole, compress_to_fp16=False)
                for suffix in (".bin", ".xml"):  # the one that is looked for comes last
                    whole.with_suffix(suffix).replace(kept.with_suffix(suffix))
        except (OSError, RuntimeError) as exc:
            log.info("the converted network is not kept: %s", exc)
        return model

    def at(self, size: tuple[int, int], dtype: torch.dtype) -> OpenVinoBase:
        """For pairs of `size` (height, width). Raises RuntimeError."""
        if dtype == torch.bfloat16 and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise RuntimeError(
                "this processor has no bfloat16 for OpenVINO"
            )  # which would take float32, and not say so
        model = self._model(is_even(size))
        model.reshape([1, *size, 6])
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[dtype],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # a pinned thread waits for its core while the camera's thread decodes there
        }
        return OpenVinoBase(self._core.compile_model(model, "CPU", settings), dtype)


def _converted(network: DenseBase) -> Any:
    """Pictures lie pixel by pixel on both sides, as the rest of the CPU's journey wants them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it traces with torch.jit, which is to go one day
        model = ov.convert_model(network, example_input=torch.zeros(1, 6, 144, 256))
    steps = PrePostProcessor(model)
    for end in (steps.input(), steps.output(0), steps.output(1)):
        end.tensor().set_layout(ov.Layout("NHWC"))
        end.model().set_layout(ov.Layout("NCHW"))
    return steps.build()


def _kept(network: DenseBase) -> Path:
    """Where the converted network lies: other weights or another OpenVINO lie elsewhere."""
    mark = hashlib.sha256(f"{ov.__version__} {_LAYOUT}".encode())
    for name, tensor in network.state_dict().items():
        mark.update(name.encode())
        mark.update(tensor.float().contiguous().numpy().tobytes())
    return platformdirs.user_cache_path("camdaemon") / "openvino" / f"{mark.hexdigest()[:16]}.xml"


class OpenVinoBase:
    """See `BaseEngine`. compiled: for float32 pairs (1,h,w,6)."""

    def __init__(self, compiled: Any, dtype: torch.dtype) -> None:
        self.name, self.dtype = f"openvino {str(dtype).removeprefix('torch.')}", dtype
        self._request = compiled.create_infer_request()

    def __call__(self, pair: Tensor) -> Maps:
        """See `BaseEngine`."""
        self._request.infer({0: pair.permute(0, 2, 3, 1).numpy()}, share_inputs=True)
        return Maps(*(torch.from_numpy(self._request.get_output_tensor(each).data)[0] for each in range(2)))
