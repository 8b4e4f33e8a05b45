"""ONNX: by torch's exporter, run by onnxruntime."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from camdaemon.tools.export.card import make_example
from camdaemon.tools.export.family import Arrays, Request, check_modules, export_program, quiet, zero_inputs
from camdaemon.tools.export.static import StaticNetwork

OPSET = 18  # the oldest that torch's exporter writes without converting; ONNX Runtime 1.14 and TensorRT 8.6 read it


class OnnxFile:
    """A `Family` of one file with the weights inside."""

    def __init__(self, request: Request) -> None:
        check_modules(request.format)

    def files(self, output: Path) -> list[Path]:
        """See `Family`."""
        return [output]

    def write(self, static: StaticNetwork, path: Path) -> None:
        """See `Family`."""
        write_onnx(static, path)

    def run(self, static: StaticNetwork, path: Path, samples: Iterable[Arrays]) -> Iterator[Arrays]:
        """See `Family`."""
        import onnxruntime  # type: ignore[import-untyped, import-not-found, unused-ignore]

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        names = [port.name for port in static.outputs]
        for sample in samples:
            yield dict(zip(names, session.run(names, dict(sample)), strict=True))

    def example(self, static: StaticNetwork, name: str) -> str:
        """See `Family`."""
        return make_example(
            static,
            "onnxruntime",
            f'onnxruntime.InferenceSession("{name}")',
            "net.run(None, {each.name: array for each, array in zip(net.get_inputs(), inputs)})",
        )


def write_onnx(static: StaticNetwork, path: Path) -> None:
    """Write `static` as ONNX, inputs and outputs by their names, without paths of this machine."""
    import torch

    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it names every operator of torchvision that it does without
    try:
        with quiet():
            found = torch.onnx.export(
                export_program(static, zero_inputs(static)),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=[port.name for port in static.inputs],
                output_names=[port.name for port in static.outputs],
            )
    finally:
        logger.setLevel(level)
    assert found is not None
    for node in found.model.graph:
        node.metadata_props.clear()
    found.save(path, external_data=False)
