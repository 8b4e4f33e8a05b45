"""Makes the int8 file of a base network: `python -m camdaemon.tools.quantize`. Needs NNCF, which nothing else does.

The other graphs are made by `camdaemon.tools.graphs`, without data.

Post-training quantization (NNCF) of what an engine runs, as OpenVINO converts it:

- 7-bit weights everywhere (`overflow_fix`). Processors with AVX2 or AVX-512 but without dot products of bytes (VNNI)
  add two products in 16 bits, which 8-bit weights overflow: alpha was 12/255 off in the mean.
- The first convolution and the last two stay float. The first sees how little picture and plate differ; a step of the
  last one's output would be a step of alpha. The one before it alone makes two thirds of the error (published network:
  alpha 0.08/255 off in the mean instead of 0.20), at a fifth of the operations.
- Ranges are taken from composites at the base input's usual size. The sides stay variable, as in the float network.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import torch
import typer
from torch import Tensor

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.frames.frame import Size
from camdaemon.linux.files import prepare_replacement
from camdaemon.linux.results import check_results
from camdaemon.matting.bgmv2.engines.dense import make_dense_base
from camdaemon.matting.bgmv2.engines.graphs import graph_paths, record_int8
from camdaemon.model.checkpoint import load_network
from camdaemon.model.folding import fold_batch_norms
from camdaemon.model.network import MattingNetwork
from camdaemon.tools.evaluate.composites import Composites

_FRAME, _BASE = Size(1280, 720), (320, 176)  # width, height
_CONVOLUTIONS = ("Convolution", "GroupConvolution")
_INSTALL = f"Run: {sys.executable} -m pip install nncf openvino"


def quantize(
    weights: Annotated[Path, typer.Argument(help="The weights, .safetensors; NAME-int8.xml is written beside them.")],
    data: Annotated[Path, typer.Option(help="Folder with people/ (NAME.jpg and NAME.png) and plates/.")],
    count: Annotated[int, typer.Option(min=1, help="Composites to take the ranges from.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="Of the composites.")] = 2,
    force: Annotated[bool, typer.Option("--force", help="Replace the files.")] = False,
) -> None:
    """Make the int8 file of a base network, and its entry in the manifest beside it."""
    nncf = _load_nncf()
    paths = graph_paths(weights, "int8")
    check_results(paths, [weights], force=force)
    network = load_network(weights)
    fold_batch_norms(network)
    samples = list(draw_inputs(network, data, count, seed))
    _write(quantize_base(nncf, network, samples), weights)
    print(", ".join(f"{path}: {path.stat().st_size / 1e6:.1f} MB" for path in paths))


def _load_nncf() -> Any:
    try:
        import nncf  # type: ignore[import-untyped, import-not-found, unused-ignore]
        import openvino  # type: ignore[import-untyped, import-not-found, unused-ignore]  # noqa: F401
    except ImportError as exc:
        raise ConfigError(f"to quantize a network, NNCF is needed: {exc}. {_INSTALL}") from exc
    nncf.set_log_level(logging.WARNING)
    return nncf


def draw_inputs(network: MattingNetwork, data: Path, count: int, seed: int) -> Iterator[Tensor]:
    """Yield `count` inputs of the base network of `network`, float32 (1,176,320,C), of composites from `data`.

    Of five rooms, three are known everywhere, one in part and one not at all; for a network that does not doubt this
    changes nothing.
    """
    rng = np.random.default_rng(seed)
    for number, case in enumerate(Composites(data / "people", data / "plates", _FRAME, count, seed)):
        frame, plate = (torch.from_numpy(cv2.resize(each, _BASE)) for each in (case.frame, case.plate))
        known = torch.ones(1, 1, *_BASE[::-1])
        if number % 5 == 3:
            left, top = rng.integers(0, _BASE[0] // 2), rng.integers(0, _BASE[1] // 2)
            known[..., top : top + _BASE[1] // 2, left : left + _BASE[0] // 2] = 0
        elif number % 5 == 4:
            known.zero_()
        src, bgr = (each.permute(2, 0, 1)[None] / 255 for each in (frame, plate))
        yield network.stack(src, bgr, known).permute(0, 2, 3, 1).contiguous()


def quantize_base(nncf: Any, network: MattingNetwork, samples: list[Tensor]) -> Any:
    """Quantize the base of `network`, batch norms folded, for inputs of even sides; returns OpenVINO's model."""
    from camdaemon.matting.bgmv2.engines.conversion import convert_base

    model = convert_base(make_dense_base(network))
    return nncf.quantize(
        model,
        nncf.Dataset([each.numpy() for each in samples]),
        subset_size=len(samples),
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(names=find_outer_convolutions(model)),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            overflow_fix=nncf.quantization.advanced_parameters.OverflowFix.ENABLE
        ),
    )


def find_outer_convolutions(model: Any) -> list[str]:
    """Return the names of the convolutions of `model` that have none before or at most one after them."""
    order = model.get_ordered_ops()
    above = _count_convolutions(order, lambda each: [value.get_source_output().get_node() for value in each.inputs()])
    below = _count_convolutions(
        reversed(order),
        lambda each: [one.get_node() for value in each.outputs() for one in value.get_target_inputs()],
    )
    names = [each.get_friendly_name() for each in order if _is_convolution(each)]
    return [name for name in names if above[name] == 0 or below[name] <= 1]


def _count_convolutions(order: Iterable[Any], neighbors: Callable[[Any], list[Any]]) -> dict[str, int]:
    """Return by operation the most convolutions on a way along `neighbors`, which come earlier in `order`."""
    most: dict[str, int] = {}
    for each in order:
        ways = [most[one.get_friendly_name()] + _is_convolution(one) for one in neighbors(each)]
        most[each.get_friendly_name()] = max(ways, default=0)
    return most


def _is_convolution(operation: Any) -> bool:
    return operation.get_type_name() in _CONVOLUTIONS


def _write(model: Any, weights: Path) -> None:
    import openvino as ov  # type: ignore[import-untyped, import-not-found, unused-ignore]

    xml, weights_bin = graph_paths(weights, "int8")
    with prepare_replacement(xml) as draft, prepare_replacement(weights_bin):
        ov.save_model(model, draft, compress_to_fp16=False)  # the .bin's draft is beside the .xml's
    record_int8(weights)


if __name__ == "__main__":
    try:
        typer.run(quantize)
    except CamdaemonError as exc:
        print(f"camdaemon: {exc}", file=sys.stderr)
        sys.exit(exc.exit_code)
