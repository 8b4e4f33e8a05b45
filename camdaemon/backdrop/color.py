"""One colour, for a calm picture or for keying in OBS."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from camdaemon.backdrop.uploaded import Uploaded
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import Upload


class ColourBackdrop:
    """`colour` (red, green, blue, 0..255) everywhere."""

    def __init__(self, spec: str, colour: tuple[int, int, int], size: Size) -> None:
        self.spec = spec
        self._uploaded = Uploaded(np.full((size.height, size.width, 3), colour, np.uint8))

    def picture(self, t: float, plate: Tensor, upload: Upload) -> Tensor:
        """See Backdrop.picture."""
        return self._uploaded.on(plate, upload)

    def close(self) -> None:
        """Nothing runs behind it."""
