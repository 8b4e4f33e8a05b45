"""TensorRT: a plan built from ONNX for the GPU of this machine. Untested: no GPU has run it yet."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.model.layout import SIDE
from camdaemon.tools.export.family import Arrays, Request, check_modules
from camdaemon.tools.export.onnx_file import write_onnx
from camdaemon.tools.export.static import StaticNetwork

_MOST_PATCHES = 3840  # TensorRT's TopK gives no more


class TensorRtFile:
    """A `Family` of one file, for this kind of GPU and this version of TensorRT alone.

    Raises:
        ConfigError: TensorRT or a CUDA GPU is missing, or more patches are refined than it can choose.
    """

    def __init__(self, request: Request) -> None:
        check_modules(request.format)
        if not torch.cuda.is_available():
            raise ConfigError("TensorRT builds a plan for a GPU, and none is here for CUDA. Run: camdaemon export onnx")
        if request.part == "whole" and request.pixels > _MOST_PATCHES * SIDE**2:
            raise ConfigError(
                f"TensorRT chooses {_MOST_PATCHES} patches at most. Run with: --pixels {_MOST_PATCHES * SIDE**2}"
            )

    def files(self, output: Path) -> list[Path]:
        """See `Family`."""
        return [output]

    def write(self, static: StaticNetwork, path: Path) -> None:
        """See `Family`. Number formats are those of the graph: strongly typed."""
        import tensorrt as trt  # type: ignore[import-untyped, import-not-found, unused-ignore]

        builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
        network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        parser = trt.OnnxParser(network, trt.Logger(trt.Logger.ERROR))
        with tempfile.TemporaryDirectory() as folder:
            graph = Path(folder, "network.onnx")
            write_onnx(static, graph)
            if not parser.parse(graph.read_bytes()):
                raise CamdaemonError(
                    f"TensorRT cannot read the network: {parser.get_error(0)}. Run: pip install -U tensorrt"
                )
        plan = builder.build_serialized_network(network, builder.create_builder_config())
        if plan is None:
            raise CamdaemonError("TensorRT could not build the network; its log says why. Run: pip install -U tensorrt")
        path.write_bytes(bytes(plan))

    def run(self, static: StaticNetwork, path: Path, samples: Iterable[Arrays]) -> Iterator[Arrays]:
        """See `Family`; on the GPU."""
        import tensorrt as trt  # type: ignore[import-untyped, import-not-found, unused-ignore]

        engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(path.read_bytes())
        if engine is None:
            raise CamdaemonError(f"TensorRT cannot read {path} on this GPU. Run: camdaemon export tensorrt")
        context, stream = engine.create_execution_context(), torch.cuda.Stream()
        found = {port.name: torch.empty(port.shape, device="cuda") for port in static.outputs}
        for sample in samples:
            given = {name: torch.from_numpy(array).cuda() for name, array in sample.items()}
            torch.cuda.synchronize()  # copies are made on another stream
            _bind(context, given | found)
            context.execute_async_v3(stream.cuda_stream)
            stream.synchronize()
            yield {name: each.cpu().numpy() for name, each in found.items()}

    def example(self, static: StaticNetwork, name: str) -> str:
        """See `Family`: one line that measures it, since reading pictures onto a GPU takes more than six."""
        return f'__import__("os").system("trtexec --loadEngine={name}")'


def _bind(context: Any, tensors: dict[str, torch.Tensor]) -> None:
    for name, tensor in tensors.items():
        context.set_tensor_address(name, tensor.data_ptr())
