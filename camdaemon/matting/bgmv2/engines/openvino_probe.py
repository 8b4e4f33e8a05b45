"""Compiles a network on a device and runs it once: a program for a process of its own, which a driver may abort.

Run by its path, so that neither torch nor camdaemon is loaded. Imports nothing of either.
"""

import sys

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import json  # noqa: E402

import numpy as np  # noqa: E402
import openvino as ov  # type: ignore[import-untyped, import-not-found, unused-ignore]  # noqa: E402


def main(device: str, xml: str, shape: str, settings: str) -> None:
    """Compile the network of the file `xml` for inputs of `shape` on `device`, and run it on zeros.

    Args:
        device: 'GPU' or 'NPU'.
        xml: Path.
        shape: JSON: [1,h,w,C].
        settings: JSON, for `compile_model`.
    """
    core = ov.Core()
    model = core.read_model(xml)
    model.reshape(json.loads(shape))
    request = core.compile_model(model, device, json.loads(settings)).create_infer_request()
    request.infer({0: np.zeros(json.loads(shape), np.float32)})


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except RuntimeError as exc:  # of OpenVINO; its words, without Python's
        sys.exit(str(exc).strip().partition("\n")[0])
