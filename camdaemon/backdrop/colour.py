"""One colour, for a calm picture or for keying in OBS."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from camdaemon.frame import Size
from camdaemon.picture import Upload


class ColourBackdrop:
    """`colour` (red, green, blue, 0..255) everywhere."""

    def __init__(self, spec: str, colour: tuple[int, int, int], size: Size) -> None:
        self.spec = spec
        self._rgb = np.full((size.height, size.width, 3), colour, np.uint8)
        self._tensor: Tensor | None = None

    def picture(self, t: float, plate: Tensor, upload: Upload) -> Tensor:
        """See Backdrop.picture."""
        if self._tensor is None or self._tensor.device != plate.device:  # the accelerator may have been given up
            self._tensor = upload(self._rgb)
        return self._tensor

    def close(self) -> None:
        """Nothing runs behind it."""
