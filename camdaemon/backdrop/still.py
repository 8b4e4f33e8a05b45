"""A picture from a file or from the package, cropped to the camera's shape; and a picture on the plate's device."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from camdaemon.frames import picture

if TYPE_CHECKING:
    from torch import Tensor

    from camdaemon.frames.frame import Size
    from camdaemon.frames.picture import Picture, Upload


READY_FOLDER = Path(__file__).parent / "pictures"  # painted by tests/pattern/backdrops.py


class UploadedPicture:
    """A picture, uint8 (H,W,3), uploaded when first used, and again after a change of device. For the worker alone."""

    def __init__(self, rgb: Picture) -> None:
        self._rgb = rgb
        self._tensor: Tensor | None = None

    def on_device_of(self, plate: Tensor, upload: Upload) -> Tensor:
        """Return it as (1,3,H,W) on the device of `plate`; the same tensor each time."""
        if self._tensor is None or self._tensor.device != plate.device:
            self._tensor = upload(self._rgb)
        return self._tensor


class StillBackdrop:
    """The picture in a file, read once: the file may go away afterwards.

    Raises:
        ConfigError: The file is not a picture that can be read.
    """

    needs_plate = False

    def __init__(self, spec: str, path: Path, size: Size) -> None:
        self.spec = spec
        rgb = picture.read(path, "--backdrop PICTURE.jpg, or --backdrop blur", over=picture.CALM)
        self._uploaded = UploadedPicture(picture.cover(rgb, size))

    @staticmethod
    def check(spec: str) -> None:
        """See BackdropClass.check. That the file exists is known already."""

    @classmethod
    def open(cls, spec: str, size: Size) -> StillBackdrop:
        """See BackdropClass.open."""
        return cls(spec, Path(os.path.expanduser(spec)), size)

    def picture(self, t: float, plate: Tensor, upload: Upload) -> Tensor:
        """See Backdrop.picture."""
        return self._uploaded.on_device_of(plate, upload)

    def close(self) -> None:
        """See Backdrop.close. Nothing runs."""


class ReadyBackdrop(StillBackdrop):
    """One of the pictures that come with camdaemon, by its name; see `frames.kinds.READY`."""

    @classmethod
    def open(cls, spec: str, size: Size) -> ReadyBackdrop:
        """See BackdropClass.open."""
        return cls(spec, ready_path(spec), size)


def ready_path(name: str) -> Path:
    """Return the file of the backdrop `name`, one of `frames.kinds.READY`."""
    return READY_FOLDER / f"{name}.jpg"
