"""Writes the graphs of a network beside its weights: `python -m camdaemon.tools.graphs weights/slim.safetensors`.

With them the daemon runs the network on a CPU without torch. After a change of the weights, of what an engine runs or
of OpenVINO's format they have to be written again; the int8 file is made by `camdaemon.tools.quantize`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.linux.results import check_results
from camdaemon.matting.bgmv2.engines.graphs import checksum, graph_paths, list_parts
from camdaemon.matting.bgmv2.engines.windows import describe
from camdaemon.matting.bgmv2.weights import load_file
from camdaemon.model.folding import fold_batch_norms


def write(
    weights: Annotated[Path, typer.Argument(help="The weights, .safetensors; NAME.xml is written beside them.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the files.")] = False,
) -> None:
    """Write the graphs of a network, and their entry in the manifest beside them."""
    network = load_file(weights)
    paths = [path for part in list_parts(describe(network)) for path in graph_paths(weights, part)]
    check_results(paths, [weights], force=force)
    try:
        from camdaemon.matting.bgmv2.engines.conversion import convert, write_graphs
    except ImportError as exc:
        raise ConfigError(f"graphs are written by OpenVINO: {exc}. Run: pip install openvino") from exc
    fold_batch_norms(network)
    network.requires_grad_(False)
    write_graphs(network, convert(network), weights, checksum(weights))
    print(", ".join(f"{path}: {path.stat().st_size / 1e6:.1f} MB" for path in paths))


if __name__ == "__main__":
    try:
        typer.run(write)
    except CamdaemonError as exc:
        print(f"camdaemon: {exc}", file=sys.stderr)
        sys.exit(exc.exit_code)
