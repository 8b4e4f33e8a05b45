"""OpenVINO IR: converted from a graph of torch.export, run by OpenVINO on the CPU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from camdaemon.errors import ConfigError
from camdaemon.matting.bgmv2.engines.graphs import find_int8
from camdaemon.tools.export.card import make_example
from camdaemon.tools.export.family import Arrays, Request, check_modules, export_program, quiet, zero_inputs
from camdaemon.tools.export.static import StaticNetwork

_EXACT = {"INFERENCE_PRECISION_HINT": "f32"}  # some CPUs would compute in bfloat16


class OpenVinoFile:
    """A `Family` of two files: the graph as .xml, the weights as .bin beside it.

    Raises:
        ConfigError: OpenVINO is missing; or int8 is asked for, and these weights have no int8 file.
    """

    def __init__(self, request: Request) -> None:
        check_modules(request.format)
        self._int8: Path | None = None
        if request.precision == "int8":
            self._int8 = find_int8(request.weights)
            if self._int8 is None:
                raise ConfigError(
                    f"{request.weights.name} has no int8 network beside it that was made of it. Run: "
                    f"python -m camdaemon.tools.quantize {request.weights} --data FOLDER"
                )

    def files(self, output: Path) -> list[Path]:
        """See `Family`. The .bin is first, so that an .xml says that both are there."""
        return [output.with_suffix(".bin"), output]

    def write(self, static: StaticNetwork, path: Path) -> None:
        """See `Family`."""
        import openvino as ov  # type: ignore[import-untyped, import-not-found, unused-ignore]

        if self._int8 is None:
            model = convert(static, zero_inputs(static))
        else:
            from camdaemon.tools.export.joined import join_int8

            model = join_int8(static, self._int8)
        for result, port in zip(model.outputs, static.outputs, strict=True):
            result.set_names({port.name})
        ov.save_model(model, path, compress_to_fp16=False)  # the network is in its precision already

    def run(self, static: StaticNetwork, path: Path, samples: Iterable[Arrays]) -> Iterator[Arrays]:
        """See `Family`."""
        import openvino as ov  # type: ignore[import-untyped, import-not-found, unused-ignore]

        compiled = ov.Core().compile_model(path, "CPU", _EXACT)
        for sample in samples:
            found = compiled(dict(sample))
            yield {port.name: found[port.name].copy() for port in static.outputs}

    def example(self, static: StaticNetwork, name: str) -> str:
        """See `Family`."""
        return make_example(static, "openvino", f'openvino.compile_model("{name}", "CPU")', "net(inputs).to_tuple()")


def convert(module: nn.Module, args: tuple[Tensor, ...]) -> Any:
    """Return OpenVINO's model of `module` for inputs of exactly the shapes of `args`."""
    import openvino as ov  # type: ignore[import-untyped, import-not-found, unused-ignore]

    with quiet():
        model = ov.convert_model(export_program(module, args))
    model.reshape({port: list(given.shape) for port, given in zip(model.inputs, args, strict=True)})
    return model
