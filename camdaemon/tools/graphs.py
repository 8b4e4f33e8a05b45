"""Writes the graphs of a network beside its weights: `python -m camdaemon.tools.graphs weights/slim.safetensors`.

With them the daemon runs the network on a CPU without torch. After a change of the weights, of what an engine runs or
of OpenVINO's format they have to be written again; the int8 file is made by `camdaemon.tools.quantize`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.linux.results import check_results
from camdaemon.matting.bgmv2.engines.graphs import checksum, graph_paths, list_parts
from camdaemon.matting.bgmv2.engines.windows import describe
from camdaemon.matting.bgmv2.weights import load_file
from camdaemon.model.folding import find_pairs, fold_batch_norms
from camdaemon.model.network import MattingNetwork

Factors = dict[bytes, tuple[NDArray[np.float16], NDArray[np.float32]]]


def write(
    weights: Annotated[Path, typer.Argument(help="The weights, .safetensors; NAME.xml is written beside them.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the files.")] = False,
) -> None:
    """Write the graphs of a network, and their entry in the manifest beside them."""
    network = load_file(weights)
    factors = find_factors(network)
    paths = [path for part in list_parts(describe(network)) for path in graph_paths(weights, part)]
    check_results(paths, [weights], force=force)
    try:
        from camdaemon.matting.bgmv2.engines.conversion import convert, write_graphs
    except ImportError as exc:
        raise ConfigError(f"graphs are written by OpenVINO: {exc}. Run: pip install openvino") from exc
    fold_batch_norms(network)
    network.requires_grad_(False)
    models = convert(network)
    keep_halves(models["base"], factors)
    write_graphs(network, models, weights, checksum(weights))
    print(", ".join(f"{path}: {path.stat().st_size / 1e6:.1f} MB" for path in paths))


def find_factors(network: MattingNetwork) -> Factors:
    """Return by the bytes of each folded convolution's weights what they are the product of.

    Weights of float16 times a factor of float32 for each output, by the batch norm that is folded into them: together
    half of their size, and to the bit the same.

    Args:
        network: Batch norms not folded.
    """
    factors: Factors = {}
    for parent, name, norm_name in find_pairs(network):
        weights, norm = getattr(parent, name).weight.detach(), getattr(parent, norm_name)
        scale = (norm.weight * (norm.running_var + norm.eps).rsqrt()).detach().view(-1, 1, 1, 1)
        if bool((weights.half().float() == weights).all()):
            factors[(weights * scale).numpy().tobytes()] = weights.half().numpy(), scale.numpy()
    return factors


def keep_halves(model: Any, factors: Factors) -> None:
    """Have OpenVINO's `model` make its weights of `factors` as it is compiled, where it has them."""
    import openvino as ov  # type: ignore[import-untyped, import-not-found, unused-ignore]

    for node in model.get_ops():
        found = factors.get(np.ascontiguousarray(node.data).tobytes()) if node.get_type_name() == "Constant" else None
        if found is None:
            continue
        halves, scale = found
        halves = halves.reshape(node.data.shape)  # depthwise weights have another one in a graph
        scale = scale.reshape(len(halves), *[1] * (halves.ndim - 1))
        whole = ov.opset13.convert(ov.opset13.constant(halves), "f32")
        product = ov.opset13.multiply(whole, ov.opset13.constant(scale))
        for target in node.output(0).get_target_inputs():
            target.replace_source_output(product.output(0))
    model.validate_nodes_and_infer_types()


if __name__ == "__main__":
    try:
        typer.run(write)
    except CamdaemonError as exc:
        print(f"camdaemon: {exc}", file=sys.stderr)
        sys.exit(exc.exit_code)
