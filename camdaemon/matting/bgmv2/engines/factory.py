"""Engines that run the base network: torch in float32 or bfloat16; OpenVINO in these, in int8, or on Intel's devices.

All return the same maps to the rounding of their number format. Which one is fastest depends on the machine. So it is
measured when the daemon starts, at the size of its frames, and cached for a week.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from camdaemon.errors import ConfigError
from camdaemon.matting.bgmv2.engines import cache
from camdaemon.matting.bgmv2.engines.dense import BaseMaps
from camdaemon.matting.bgmv2.engines.torch_engine import TorchEngineFactory
from camdaemon.model import MattingNetwork

log = logging.getLogger(__name__)

_ROUNDS = 5  # the best run of each engine counts: other load only makes a run slower
_DTYPE_NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
BaseSize = tuple[int, int]  # height and width of the base input, in pixels


class BaseEngine(Protocol):
    """Runs the base network for inputs of one size. Built in any thread, called by one at a time.

    Attributes:
        name: 'openvino bfloat16', for instance.
        dtype: Number format of what torch computes around it: hidden features and refiner.
    """

    name: str
    dtype: torch.dtype

    def __call__(self, pair: Tensor) -> BaseMaps:
        """Run the base network.

        Args:
            pair: Picture, plate and, for a network that doubts it, its confidence: float32 (1,C,h,w), 0..1,
                channels_last.

        Returns:
            The maps of `make_dense_base`, which the next call leaves alone.

        Raises:
            RuntimeError: The engine failed.
        """


def has_bfloat16() -> bool:
    """Return whether this processor computes in bfloat16.

    Others (most of before 2020, many current laptops) emulate it, in twenty times the time.
    """
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):  # a torch without these operators
        return False


EngineBuilder = Callable[[BaseSize], BaseEngine]


class BaseEngineFactory:
    """Builds engines for one network, of the kind that is fastest on this machine.

    Args:
        network: In evaluation mode, batch norms folded.
        engine: 'auto'; 'torch' or 'openvino', both on the CPU.
        precision: 'auto', 'float32', 'bfloat16' or 'int8'.
        int8: The .xml of `network` in int8, from `find_int8`.

    Raises:
        ConfigError: OpenVINO is asked for and not installed, or a precision that processor or weights lack.
    """

    def __init__(self, network: MattingNetwork, engine: str, precision: str, int8: Path | None = None) -> None:
        if precision == "int8" and (int8 is None or engine == "torch"):
            why = "it is OpenVINO's" if int8 is not None else "these weights have no int8 file that fits beside them"
            raise ConfigError(f"precision int8: {why}. Run with: --engine auto --precision auto")
        dtypes = _usable_dtypes(precision)
        self._builders: dict[str, EngineBuilder] = {}  # by the engine's name
        self._inputs = network.inputs
        self._parameters = sum(each.numel() for each in network.parameters())
        if engine in ("auto", "torch") and precision != "int8":
            self._builders |= {
                f"torch {_DTYPE_NAMES[dtype]}": TorchEngineFactory(network, dtype).build for dtype in dtypes
            }
        if engine in ("auto", "openvino") and find_spec("openvino") is not None:
            try:
                self._builders |= _openvino_builders(network, engine, precision, int8)
            except (ImportError, OSError, RuntimeError) as exc:
                if not self._builders:
                    raise ConfigError(f"OpenVINO does not load: {exc}. Run with: --engine torch") from exc
                log.info("engine skipped: %s", exc)
        if not self._builders:
            without = "--precision auto" if precision == "int8" else "--engine torch"
            raise ConfigError(
                f"OpenVINO is not installed. Run: pip install 'camdaemon[openvino]', or run with: {without}"
            )

    def build(self, size: BaseSize) -> BaseEngine:
        """Build an engine for pairs of `size`. The first call chooses which: the cached one, else by measuring.

        Raises:
            RuntimeError: No engine works.
        """
        if len(self._builders) == 1:
            return next(iter(self._builders.values()))(size)
        key = cache.measurement_key(self._builders, size, self._parameters)
        pair = torch.rand(1, self._inputs, *size).contiguous(memory_format=torch.channels_last)
        candidates = {name: _Candidate(build) for name, build in self._builders.items()}
        name = cache.read_fastest(key)
        if name not in candidates or candidates[name].run(size, pair) is None:  # the cached one may fail by now
            name = _measure_fastest(candidates, size, pair)
            if candidates[name].engine is not None:
                cache.write_fastest(key, name)
        chosen = candidates[name]
        if chosen.engine is None:
            raise RuntimeError(f"no engine runs the network: {chosen.error}")
        self._builders = {name: chosen.build}
        return chosen.engine


def _openvino_builders(
    network: MattingNetwork, engine: str, precision: str, int8: Path | None
) -> dict[str, EngineBuilder]:
    """Return OpenVINO's builders by the engine's name. Intel's GPU and NPU are for those who leave the choice to us."""
    from camdaemon.matting.bgmv2.engines.openvino_engine import OpenVinoEngineFactory

    made, dtypes = OpenVinoEngineFactory(network, int8), _usable_dtypes(precision)
    builders: dict[str, EngineBuilder] = {}
    if precision != "int8":
        builders |= {f"openvino {_DTYPE_NAMES[dtype]}": partial(made.build, dtype=dtype) for dtype in dtypes}
    if precision in ("auto", "int8") and int8 is not None:
        builders["openvino int8"] = partial(made.build_int8, dtype=dtypes[-1])
    if engine == precision == "auto":
        devices = made.list_devices()
        builders |= {f"openvino {device}": partial(made.build_on, device, dtype=dtypes[-1]) for device in devices}
    return builders


def _usable_dtypes(precision: str) -> list[torch.dtype]:
    """Return the float formats to compute in, the fastest last; with int8, what is not int8."""
    dtypes = [dtype for dtype, name in _DTYPE_NAMES.items() if precision in ("auto", "int8", name)]
    if not has_bfloat16():
        dtypes = [dtype for dtype in dtypes if dtype != torch.bfloat16]
    if not dtypes:
        raise ConfigError(
            "precision bfloat16: this processor does not compute in it and would be twenty times slower. "
            "Run with: --precision auto"
        )
    return dtypes


def _measure_fastest(candidates: dict[str, _Candidate], size: BaseSize, pair: Tensor) -> str:
    """Return the name of the fastest candidate; any where none works.

    The candidates run in turn, so that other load on the machine slows all of them alike.
    """
    for _ in range(_ROUNDS):
        for each in candidates.values():
            each.run(size, pair)
    for name, each in candidates.items():
        if each.engine is not None:
            log.info("engine measured: %s, %.1f ms for %dx%d", name, 1e3 * each.seconds, *size[::-1])
    return min(candidates, key=lambda name: candidates[name].seconds)


@dataclass(slots=True)
class _Candidate:
    """An engine to measure.

    Attributes:
        build: Builds the engine.
        engine: Built by the first run; None before and after a failure.
        seconds: Of the best run; infinite after a failure.
        error: Why it failed.
    """

    build: EngineBuilder
    engine: BaseEngine | None = None
    seconds: float = math.inf
    error: Exception | None = None

    def run(self, size: BaseSize, pair: Tensor) -> BaseEngine | None:
        """Run once, timed. Returns the engine, or None if it fails now or failed before."""
        if self.error is not None:
            return None
        try:
            self.engine = self.engine or self.build(size)
            start = time.perf_counter()
            self.engine(pair)
            self.seconds = min(self.seconds, time.perf_counter() - start)
        except (RuntimeError, OSError) as exc:  # bfloat16 that this processor lacks, a broken OpenVINO
            self.engine, self.seconds, self.error = None, math.inf, exc
            log.info("engine skipped: %s", exc)
        return self.engine
