"""A stand-in for OpenVINO, for our process and for the one that tries a device.

The environment's FAKE_OPENVINO says how each device behaves, as JSON: {"GPU": "works", "NPU": "aborts"}. `network`
computes what a device returns; without it, zeros.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from copy import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

__version__ = "1"
network: Callable[[Any], list[Any]] | None = None


class Model:
    def __init__(self) -> None:
        self.shape: list[int] = []

    def clone(self) -> Model:
        return copy(self)

    def reshape(self, shape: list[int]) -> None:
        self.shape = shape


class Request:
    def __init__(self, device: str, shape: list[int]) -> None:
        self._device, self._shape = device, shape
        self._found: list[Any] = []

    def infer(self, given: dict[int, Any], share_inputs: bool = False, share_outputs: bool = False) -> None:
        assert list(given[0].shape) == self._shape
        if _behavior(self._device) == "fails later":
            raise RuntimeError("[GPU] the queue was lost\nwith details")
        _, height, width, _ = self._shape
        zeros = [np.zeros((1, height, width, 5)), np.zeros((1, height // 2, width // 2, 48))]
        self._found = zeros if network is None else [np.array(each) for each in network(given[0])]
        if _behavior(self._device) == "wrong":
            self._found = [
                each + 0.2 * each.std() * (np.arange(each.shape[2]) == 0)[:, None] * 9 for each in self._found
            ]

    def get_output_tensor(self, number: int) -> SimpleNamespace:
        return SimpleNamespace(data=self._found[number].astype(np.float32))


class Core:
    asked = 0  # how often it was asked for the devices

    @property
    def available_devices(self) -> list[str]:
        Core.asked += 1
        if _behavior("list") == "fails":
            raise RuntimeError("no ICD")
        return ["CPU", *(device for device in _behaviors() if device != "list")]

    def get_property(self, device: str, name: str) -> Any:
        return [] if name == "OPTIMIZATION_CAPABILITIES" else f"{device} of Intel"

    def read_model(self, path: str | Path) -> Model:
        assert Path(path).read_text() == "a network"
        return Model()

    def compile_model(self, model: Model, device: str, settings: dict[str, Any]) -> SimpleNamespace:
        assert settings["PERFORMANCE_HINT"] == "LATENCY"
        behavior = _behavior(device.partition(".")[0])
        if behavior == "aborts":
            os.abort()
        if behavior == "hangs":
            time.sleep(600)
        if behavior == "refuses":
            raise RuntimeError("Exception from src/plugin.cpp\nunsupported operation") from None
        return SimpleNamespace(create_infer_request=lambda: Request(device, model.shape))


def _behaviors() -> dict[str, str]:
    found: dict[str, str] = json.loads(os.environ["FAKE_OPENVINO"])
    return found


def _behavior(device: str) -> str:
    return _behaviors().get(device, "works")
