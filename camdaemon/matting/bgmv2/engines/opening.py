"""The engines that there are for a file of weights, and what to install where there is none.

OpenVINO runs graphs: those beside the weights, or for weights that come without any those that are made of them once,
in torch, and kept in the cache. torch runs the weights themselves. It is loaded for nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from camdaemon.errors import ConfigError
from camdaemon.linux.folders import find_folder
from camdaemon.matting.bgmv2.engines.engine import Runtime
from camdaemon.matting.bgmv2.engines.factory import EngineFactory
from camdaemon.matting.bgmv2.engines.graphs import find_graphs, find_int8
from camdaemon.matting.bgmv2.weights import load_file, mark_of

if TYPE_CHECKING:
    from camdaemon.matting.bgmv2.engines.openvino_engine import GraphSource
    from camdaemon.model.network import MattingNetwork

log = logging.getLogger(__name__)

_LAYOUT = 1  # of converted graphs in the cache; another one is another folder
_GET_OPENVINO, _GET_TORCH = "pip install openvino", "pip install 'camdaemon[torch]'"


def open_engines(weights: Path, engine: str, precision: str) -> EngineFactory:
    """Return the engines for the network of `weights`.

    Args:
        weights: From `find_weights`.
        engine: 'auto' is OpenVINO where it is installed, else torch; or 'openvino' or 'torch', both on the CPU.
        precision: 'auto', 'float32', 'bfloat16' or 'int8'.

    Raises:
        ConfigError: The weights cannot be read; or the engine is not installed, or processor or weights lack the
            precision.
    """
    mark = mark_of(weights)
    if engine == "torch":
        return _open_torch(weights, mark, precision)
    if not _is_installed("openvino"):
        if _may_use_torch(engine, precision):
            return _open_torch(weights, mark, precision)
        raise ConfigError(f"OpenVINO is not installed. Run: {_GET_OPENVINO}{_other_way(precision)}")
    try:
        return _open_openvino(weights, mark, engine, precision)
    except (ImportError, OSError, RuntimeError) as exc:
        if _may_use_torch(engine, precision):
            log.info("engine skipped: %s", exc)
            return _open_torch(weights, mark, precision)
        raise ConfigError(f"OpenVINO does not load: {exc}. Run: {_GET_OPENVINO}{_other_way(precision)}") from exc


def _other_way(precision: str) -> str:
    """Return what a user without OpenVINO may do instead of installing it: the end of a sentence."""
    if precision == "int8":
        return ", or run with: --precision auto"
    return ", or run with: --engine torch" if _is_installed("torch") else f", or: {_GET_TORCH}"


def _may_use_torch(engine: str, precision: str) -> bool:
    """Return whether torch is there for those who leave the choice to us."""
    return engine == "auto" and precision != "int8" and _is_installed("torch")


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ImportError:  # somebody forbids it
        return False


# ---- OpenVINO


def _open_openvino(weights: Path, mark: str, engine: str, precision: str) -> EngineFactory:
    """Return OpenVINO's engines. Intel's GPU and NPU are for those who leave the choice to us."""
    from camdaemon.matting.bgmv2.engines import openvino_engine as module
    from camdaemon.matting.bgmv2.engines.openvino_devices import list_usable

    int8 = find_int8(weights) if precision in ("auto", "int8") else None
    if precision == "int8" and int8 is None:
        raise _int8_error("these weights have no int8 file that fits beside them")
    graphs = _find_or_convert(weights, mark, int8)
    floats = _usable_floats(precision, lambda: module.has_bfloat16(graphs.core))
    runtimes: list[Runtime] = []
    if precision != "int8":
        runtimes += [module.OpenVinoRuntime(graphs, each) for each in floats]
    if int8 is not None:
        runtimes.append(module.OpenVinoRuntime(graphs, floats[-1], int8=True))
    if engine == precision == "auto":
        devices = list_usable(graphs.core)
        runtimes += [module.OpenVinoDeviceRuntime(graphs, floats[-1], each) for each in devices]

    def find_others() -> list[Runtime]:
        return _list_torch(_load(weights), precision) if _may_use_torch(engine, precision) else []

    return EngineFactory(graphs.layout, mark, runtimes, find_others)


def _find_or_convert(weights: Path, mark: str, int8: Path | None) -> GraphSource:
    """Return the graphs beside `weights`, else those in the cache, else converted ones. Raises ConfigError."""
    from camdaemon.matting.bgmv2.engines.openvino_engine import VERSION, GraphSource

    kept = find_folder("cache") / "openvino" / f"{mark[:16]}-{_LAYOUT}-{VERSION}" / "own"
    if (found := find_graphs(weights, mark) or find_graphs(kept, mark)) is not None:
        return GraphSource.of_files(found, int8)
    if not _is_installed("torch"):
        raise ConfigError(f"{weights} needs torch once, to convert it. Run: {_GET_TORCH}, or run with: --weights slim")
    from camdaemon.matting.bgmv2.engines.conversion import convert, write_graphs
    from camdaemon.matting.bgmv2.engines.windows import describe

    network = _load(weights)
    models = convert(network)
    try:
        kept.with_name("manifest.json").unlink(missing_ok=True)  # it did not fit, or cannot even be read
        write_graphs(network, models, kept, mark)
    except (OSError, ValueError, RuntimeError) as exc:
        log.info("converted network not cached: %s", exc)
        return GraphSource(describe(network), mark, {} if int8 is None else {"int8": int8}, models)
    written = find_graphs(kept, mark)
    assert written is not None
    return GraphSource.of_files(written, int8)


# ---- torch


def _open_torch(weights: Path, mark: str, precision: str) -> EngineFactory:
    if precision == "int8":
        raise _int8_error("it is OpenVINO's")
    if not _is_installed("torch"):
        raise ConfigError(f"torch is not installed. Run: {_GET_TORCH}, or run with: --engine auto")
    from camdaemon.matting.bgmv2.engines.windows import describe

    network = _load(weights)
    return EngineFactory(describe(network), mark, _list_torch(network, precision))


def _list_torch(network: MattingNetwork, precision: str) -> list[Runtime]:
    from camdaemon.matting.bgmv2.engines import torch_engine as module

    return [module.TorchRuntime(network, each) for each in _usable_floats(precision, module.has_bfloat16)]


def _load(weights: Path) -> MattingNetwork:
    """Load a network to be run: batch norms folded, convolutions channels last."""
    from torch import channels_last
    from torch.nn.utils import convert_conv2d_weight_memory_format

    from camdaemon.model.folding import fold_batch_norms

    network = load_file(weights)
    fold_batch_norms(network)
    convert_conv2d_weight_memory_format(network, channels_last)
    return network.requires_grad_(False)


# ---- both


def _usable_floats(precision: str, has_bfloat16: Callable[[], bool]) -> list[str]:
    """Return the float formats to compute in, the fastest last; with int8, what is not int8."""
    floats = [each for each in ("float32", "bfloat16") if precision in ("auto", "int8", each)]
    if "bfloat16" in floats and not has_bfloat16():
        floats.remove("bfloat16")
    if not floats:
        raise ConfigError(
            "precision bfloat16: this processor does not compute in it and would be twenty times slower. "
            "Run with: --precision auto"
        )
    return floats


def _int8_error(why: str) -> ConfigError:
    return ConfigError(f"precision int8: {why}. Run with: --engine auto --precision auto")
