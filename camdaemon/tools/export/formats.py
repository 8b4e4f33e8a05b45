"""The formats of `camdaemon export`, a row each. Plain values: nothing heavy is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Part = Literal["base", "whole"]
Precision = Literal["float32", "float16", "int8"]
_BOTH: tuple[Part, ...] = ("whole", "base")
_FLOATS: tuple[Precision, ...] = ("float32", "float16")


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        name: As it is typed.
        title: As people call it.
        suffix: Ending of its files.
        parts: Of the network that it can hold; the first is the default.
        precisions: Number formats that it can be written in.
        family: The class that writes and runs it: 'module:class' in this package.
        modules: What it needs to be imported.
        packages: What to install for that.
        note: What the card and the docs must say of it; '' for nothing.
    """

    name: str
    title: str
    suffix: str
    parts: tuple[Part, ...]
    precisions: tuple[Precision, ...]
    family: str
    modules: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    note: str = ""


FORMATS = (
    Format(
        "onnx",
        "ONNX",
        ".onnx",
        _BOTH,
        _FLOATS,
        "onnx_file:OnnxFile",
        ("onnx", "onnxscript", "onnxruntime"),
        ("onnx", "onnxscript", "onnxruntime"),
    ),
    Format(
        "openvino",
        "OpenVINO IR",
        ".xml",
        _BOTH,
        (*_FLOATS, "int8"),
        "openvino_file:OpenVinoFile",
        ("openvino",),
        ("openvino",),
        "The weights are in the .bin beside it. OpenVINO computes in the precision that it finds best on a device: "
        "float32 on most CPUs, also with float16 in the file.",
    ),
    Format("torch", "torch.export", ".pt2", _BOTH, _FLOATS, "torch_files:ExportedFile"),
    Format(
        "torchscript",
        "TorchScript",
        ".pt",
        _BOTH,
        _FLOATS,
        "torch_files:ScriptFile",
        note="TorchScript is legacy: PyTorch no longer develops it. Use torch.export where you can.",
    ),
    Format(
        "litert",
        "LiteRT (TensorFlow Lite)",
        ".tflite",
        ("base",),
        ("float32",),
        "litert_file:LiteRtFile",
        ("litert_torch", "ai_edge_litert"),
        ("litert-torch",),
    ),
    Format(
        "tensorrt",
        "TensorRT",
        ".plan",
        _BOTH,
        _FLOATS,
        "tensorrt_file:TensorRtFile",
        ("onnx", "onnxscript", "tensorrt"),
        ("onnx", "onnxscript", "tensorrt"),
        "Untested: camdaemon's developers had no GPU for it. It runs only on the kind of GPU and the version of "
        "TensorRT that made it.",
    ),
)


def find_format(name: str) -> Format:
    """Return the row called `name`, which must be there."""
    return next(each for each in FORMATS if each.name == name)
