"""Pictures and plates on their way to the network: as bytes or floats, from 8 or 16 bits."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from camdaemon.frames import pixels
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import DeepPicture
from camdaemon.frames.transfer import Transfer
from camdaemon.plate.parts import Plate
from camdaemon.plate.unknown import fill_unknown


class Uploader:
    """Uploads pictures to one device. Used by one thread.

    Args:
        on: The device.
        in_bytes: On a CPU, pictures of 8 bits stay bytes.
    """

    def __init__(self, on: torch.device, *, in_bytes: bool) -> None:
        self._transfer = Transfer(on, Size(64, 64))  # used for `upload_picture` only, which takes any size
        self._in_bytes = in_bytes
        self._room: tuple[Plate, Tensor] | None = None  # a plate, and what backdrops see of it

    def upload(self, rgb: DeepPicture) -> Tensor:
        """Upload uint8 or uint16 (H,W,3) as (1,3,H,W): floats, or for a pipeline in bytes its own memory."""
        if rgb.dtype == np.uint16:
            deep = torch.from_numpy(rgb.astype(np.float32)).to(self._transfer.device).permute(2, 0, 1)[None] / 65535
            return deep.to(self._transfer.dtype if self._transfer.dtype.is_floating_point else deep.dtype).contiguous()
        picture = np.ascontiguousarray(rgb, np.uint8)
        if self._in_bytes and self._transfer.device.type == "cpu":
            return pixels.tensor(picture)  # over the same memory, which nobody changes
        return pixels.unit(self._transfer.upload_picture(picture)).contiguous()

    def upload_room(self, plate: Plate) -> Tensor:
        """Return what backdrops see of `plate`, (1,3,H,W), 0..1; the same tensor for the same plate."""
        if self._room is None or self._room[0] is not plate:
            self._room = plate, self.upload(fill_unknown(plate))
        return self._room[1]


def upload_confidence(plate: Plate, src: Tensor) -> Tensor | None:
    """Return the confidence of `plate` as a matting takes it, on the device of `src`."""
    return None if plate.confidence is None else torch.from_numpy(plate.confidence)[None, None].to(src.device)
