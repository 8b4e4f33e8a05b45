"""What runs the base network on a CPU: torch in float32 or bfloat16, or OpenVINO where it is installed.

All give the same maps within the rounding of their number format; which is fastest depends on the processor, so that is
measured when the daemon starts, at the very size of its frames, instead of guessed from a list of processors, and
remembered for a week.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Protocol

import torch
from torch import Tensor

from camdaemon.errors import ConfigError
from camdaemon.matting.bgmv2 import engine_cache
from camdaemon.matting.bgmv2.hidden import Maps
from camdaemon.matting.bgmv2.torch_engine import Torch
from camdaemon.model import BackgroundMattingV2

log = logging.getLogger(__name__)

_TURNS = 5  # of each engine, the best of which counts: whatever else the machine does only makes it slower
_WORDS = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
HostSize = tuple[int, int]  # height, width in pixels


class BaseEngine(Protocol):
    """Runs the base network for inputs of one size. Made by the daemon's thread or the worker, used by the worker."""

    name: str
    dtype: torch.dtype

    def __call__(self, pair: Tensor) -> Maps:
        """Picture and plate, float32 (1,6,h,w), 0..1, channels_last → what `Everywhere` finds.

        The result is valid until the next call. Raises RuntimeError.
        """


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16. Those that do not (most of before 2020, many laptops of today) do
    what torch asks of them all the same, in twenty times the time.
    """
    try:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):  # a torch without these operators
        return False


Maker = Callable[[HostSize], BaseEngine]


class BaseEngines:
    """Makes engines for one network, of the kind that proved fastest here.

    network: in evaluation mode, batch norms folded.   engine: auto, torch or openvino.   precision: auto, float32 or
    bfloat16. Raises ConfigError when OpenVINO is asked for and not installed, or bfloat16 and the processor lacks it.
    """

    def __init__(self, network: BackgroundMattingV2, engine: str, precision: str) -> None:
        dtypes = [dtype for dtype, word in _WORDS.items() if precision in ("auto", word)]
        if not has_bfloat16():
            dtypes = [dtype for dtype in dtypes if dtype != torch.bfloat16]
        if not dtypes:
            raise ConfigError(
                "precision bfloat16: this processor does not compute in it, and would take twenty times as long; "
                "try --precision auto"
            )
        self._makers: dict[str, Maker] = {}  # by the engine's name
        self._parameters = sum(each.numel() for each in network.parameters())
        if engine in ("auto", "torch"):
            self._makers |= {f"torch {_WORDS[dtype]}": Torch(network, dtype).at for dtype in dtypes}
        if engine in ("auto", "openvino") and find_spec("openvino") is not None:
            try:
                from camdaemon.matting.bgmv2.openvino_engine import OpenVino

                made = OpenVino(network)
                self._makers |= {f"openvino {_WORDS[dtype]}": partial(made.at, dtype=dtype) for dtype in dtypes}
            except (ImportError, OSError, RuntimeError) as exc:
                if not self._makers:
                    raise ConfigError(f"OpenVINO does not load: {exc}; try --engine torch") from exc
                log.info("an engine is left out: %s", exc)
        if not self._makers:
            raise ConfigError("OpenVINO is not installed; type: pip install 'camdaemon[openvino]', or: --engine torch")

    def at(self, size: HostSize) -> BaseEngine:
        """For pairs of `size`. The first call chooses: the one that is remembered, else by measuring. Raises
        RuntimeError when none works.
        """
        if len(self._makers) == 1:
            return next(iter(self._makers.values()))(size)
        mark = engine_cache.mark_of(self._makers, size, self._parameters)
        pair = torch.rand(1, 6, *size).contiguous(memory_format=torch.channels_last)
        candidates = {name: _Candidate(make) for name, make in self._makers.items()}
        name = engine_cache.fastest(mark)
        if name not in candidates or candidates[name].run(size, pair) is None:  # it may have ceased to run
            name = _fastest(candidates, size, pair)
            if candidates[name].engine is not None:
                engine_cache.remember(mark, name)
        chosen = candidates[name]
        if chosen.engine is None:
            raise RuntimeError(f"no engine runs the network: {chosen.failed}")
        self._makers = {name: chosen.make}
        return chosen.engine


def _fastest(candidates: dict[str, _Candidate], size: HostSize, pair: Tensor) -> str:
    """Measured in turns, so that what else the machine does meets all of them; any of them where none works."""
    for _ in range(_TURNS):
        for each in candidates.values():
            each.run(size, pair)
    for name, each in candidates.items():
        if each.engine is not None:
            log.info("%s: %.1f ms for %dx%d", name, 1e3 * each.took, *size[::-1])
    return min(candidates, key=lambda name: candidates[name].took)


@dataclass(slots=True)
class _Candidate:
    """An engine that is measured.   took: seconds, the best of all runs; infinity when it failed."""

    make: Maker
    engine: BaseEngine | None = None
    took: float = math.inf
    failed: Exception | None = None

    def run(self, size: HostSize, pair: Tensor) -> BaseEngine | None:
        """Once, timed; the engine, or None when it fails, or did before."""
        if self.failed is not None:
            return None
        try:
            self.engine = self.engine or self.make(size)
            begun = time.perf_counter()
            self.engine(pair)
            self.took = min(self.took, time.perf_counter() - begun)
        except (RuntimeError, OSError) as exc:  # bfloat16 that this processor lacks, a broken OpenVINO
            self.engine, self.took, self.failed = None, math.inf, exc
            log.info("an engine is left out: %s", exc)
        return self.engine
