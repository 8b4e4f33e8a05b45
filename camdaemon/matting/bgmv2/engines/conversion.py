# ruff: noqa: E402
"""Networks of torch as graphs of OpenVINO: for the tools that write them, and for weights that come without any."""

from __future__ import annotations

import sys
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

# Importing OpenVINO would report that over the network; without this package it cannot.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import openvino as ov  # type: ignore[import-untyped, import-not-found, unused-ignore]
import torch
from openvino.preprocess import PrePostProcessor  # type: ignore[import-untyped, import-not-found, unused-ignore]
from torch import Tensor, nn

from camdaemon.linux.files import prepare_replacement
from camdaemon.matting.bgmv2.engines.dense import DenseBase, SlimDense, make_dense_base
from camdaemon.matting.bgmv2.engines.graphs import Part, graph_paths, list_parts, record_graphs
from camdaemon.matting.bgmv2.engines.windows import (
    describe,
    list_hidden_windows,
    list_refiner_windows,
    make_hidden,
    make_refiner,
)
from camdaemon.model.network import MattingNetwork

Models = dict[Part, Any]


def convert(network: MattingNetwork) -> Models:
    """Convert `network`, batch norms folded, to a graph for each of its parts."""
    layout = describe(network)
    made: Models = {"base": convert_base(make_dense_base(network))}
    for part in list_parts(layout):
        if part == "refiner":
            made[part] = _convert_windows(make_refiner(network), list_refiner_windows(layout))
        elif part == "hidden":
            made[part] = _convert_windows(make_hidden(network), list_hidden_windows())
    return made


def convert_base(network: DenseBase | SlimDense) -> Any:
    """Convert a base network, for inputs of any even sides; input and outputs are channels last."""
    model = _trace(network, (torch.zeros(1, network.inputs, 144, 256),))
    steps = PrePostProcessor(model)
    for end in (steps.input(), steps.output(0), steps.output(1)):
        end.tensor().set_layout(ov.Layout("NHWC"))
        end.model().set_layout(ov.Layout("NCHW"))
    return steps.build()


def _convert_windows(network: nn.Module, shapes: list[tuple[int, int, int]]) -> Any:
    """Convert a network of windows, for any number of them; pictures, the first two inputs, are bytes."""
    dtypes = [torch.uint8, torch.uint8, *[torch.float32] * (len(shapes) - 2)]
    example = tuple(torch.zeros(2, *shape, dtype=dtype) for shape, dtype in zip(shapes, dtypes, strict=True))
    model = _trace(network, example)
    model.reshape({port: [-1, *shape] for port, shape in zip(model.inputs, shapes, strict=True)})
    return model


def _trace(network: nn.Module, example: tuple[Tensor, ...]) -> Any:
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # OpenVINO traces with torch.jit
        return ov.convert_model(network, example_input=example)


def write_graphs(network: MattingNetwork, models: Models, weights: Path, mark: str) -> None:
    """Write graphs beside `weights`, all of them or none, and their checksums into the manifest there.

    Args:
        network: That they were made of.
        models: From `convert`.
        weights: Gives folder and names; need not be there.
        mark: Checksum of the weights.

    Raises:
        OSError, ValueError, RuntimeError: They cannot be written.
    """
    with ExitStack() as drafts:
        for part, model in models.items():
            xml, weights_bin = graph_paths(weights, part)
            # The .bin's draft is the one that OpenVINO writes beside the .xml's.
            draft = drafts.enter_context(prepare_replacement(xml))
            drafts.enter_context(prepare_replacement(weights_bin))
            ov.save_model(model, draft, compress_to_fp16=False)  # folded weights are no float16 any more
    record_graphs(weights, describe(network), mark)
