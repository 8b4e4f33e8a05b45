"""Pictures and plates on their way to the network: as bytes or floats, from 8 or 16 bits."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from camdaemon.errors import ConfigError
from camdaemon.frames import pixels
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import DeepPicture
from camdaemon.frames.pixels import Array
from camdaemon.frames.transfer import Device, open_transfer
from camdaemon.plate.parts import Plate
from camdaemon.plate.unknown import fill_unknown

ADD_TORCH = "Run: pip install 'camdaemon[torch]'"


def has_torch() -> bool:
    """Return whether torch is installed, which computes in floats on a CPU."""
    return find_spec("torch") is not None


class Uploader:
    """Uploads pictures to one device. Used by one thread.

    Args:
        on: The device.
        in_bytes: On a CPU, pictures stay bytes; else they become floats of torch.
    """

    def __init__(self, on: Device, *, in_bytes: bool) -> None:
        self._transfer = open_transfer(on, Size(64, 64))  # used for `upload_picture` only, which takes any size
        self._in_bytes = in_bytes
        self._room: tuple[Plate, Array] | None = None  # a plate, and what backdrops see of it

    def upload(self, rgb: DeepPicture) -> Array:
        """Upload uint8 or uint16 (H,W,3) as (1,3,H,W): floats, or for a pipeline in bytes its own memory.

        Raises:
            ConfigError: A picture of 16 bits for a pipeline in bytes.
        """
        is_deep = rgb.dtype == np.uint16
        if self._in_bytes and is_deep:
            raise ConfigError(
                "a picture of 16 bits needs torch, which is not installed. "
                f"{ADD_TORCH}, or convert the picture to 8 bits"
            )
        if self._in_bytes:
            return pixels.as_planes(np.ascontiguousarray(rgb, np.uint8))  # over the same memory, which nobody changes
        if not is_deep and self._transfer.device != "cpu":
            return self._transfer.upload_picture(np.asarray(rgb, np.uint8))
        import torch

        floats = torch.from_numpy(np.ascontiguousarray(rgb)).to(self._transfer.device).permute(2, 0, 1)[None].float()
        found = floats.div_(65535) if is_deep else floats.mul_(1 / 255)
        return (found if self._transfer.device == "cpu" else found.half()).contiguous()

    def upload_room(self, plate: Plate) -> Array:
        """Return what backdrops see of `plate`, (1,3,H,W), 0..1; the same array for the same plate."""
        if self._room is None or self._room[0] is not plate:
            self._room = plate, self.upload(fill_unknown(plate))
        return self._room[1]


def upload_confidence(plate: Plate, src: Array) -> Array | None:
    """Return the confidence of `plate` as a matting takes it, of the kind and on the device of `src`."""
    return None if plate.confidence is None else pixels.to_kind_of(src, plate.confidence[None, None])
