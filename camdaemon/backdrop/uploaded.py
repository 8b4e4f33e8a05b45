"""A picture on the device where the plate is."""

from __future__ import annotations

from torch import Tensor

from camdaemon.frames.picture import Picture, Upload


class Uploaded:
    """`rgb`, uploaded when it is first asked for, and again when the accelerator was given up. For the worker alone."""

    def __init__(self, rgb: Picture) -> None:
        self._rgb = rgb
        self._tensor: Tensor | None = None

    def on(self, plate: Tensor, upload: Upload) -> Tensor:
        """(1,3,H,W), 0..1, where `plate` is; the same tensor each time."""
        if self._tensor is None or self._tensor.device != plate.device:
            self._tensor = upload(self._rgb)
        return self._tensor
