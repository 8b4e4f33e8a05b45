"""One color, for a calm picture or for keying in OBS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from camdaemon.backdrop.still import UploadedPicture
from camdaemon.errors import ConfigError

if TYPE_CHECKING:
    from camdaemon.frames.frame import Size
    from camdaemon.frames.picture import Upload
    from camdaemon.frames.pixels import Array


class ColorBackdrop:
    """One color everywhere. `color` is (red, green, blue), 0..255."""

    needs_plate = False

    def __init__(self, spec: str, color: tuple[int, int, int], size: Size) -> None:
        self.spec = spec
        self._uploaded = UploadedPicture(np.full((size.height, size.width, 3), color, np.uint8))

    @staticmethod
    def check(spec: str) -> None:
        """See BackdropClass.check."""
        _parse(spec)

    @classmethod
    def open(cls, spec: str, size: Size) -> ColorBackdrop:
        """See BackdropClass.open."""
        return cls(spec, _parse(spec), size)

    def picture(self, t: float, plate: Array, upload: Upload) -> Array:
        """See Backdrop.picture."""
        return self._uploaded.on_device_of(plate, upload)

    def close(self) -> None:
        """See Backdrop.close. Nothing runs."""


def _parse(spec: str) -> tuple[int, int, int]:
    value = spec.partition(":")[2]
    if not re.fullmatch(r"#?[0-9a-fA-F]{6}", value):
        raise ConfigError(f"color {value!r} is wrong: expected #rrggbb. Run: camdaemon run --backdrop 'color:#00ff00'")
    red, green, blue = bytes.fromhex(value.removeprefix("#"))
    return red, green, blue
