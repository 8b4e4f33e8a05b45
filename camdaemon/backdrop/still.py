"""A picture from a file or from the package, cropped to the camera's shape; and a picture on the plate's device."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from camdaemon.frames import picture
from camdaemon.frames.pixels import is_beside

if TYPE_CHECKING:
    from camdaemon.frames.frame import Size
    from camdaemon.frames.picture import DeepPicture, Picture, Upload
    from camdaemon.frames.pixels import Array


READY_FOLDER = Path(__file__).parent / "pictures"  # painted by tests/pattern/backdrops.py


class UploadedPicture:
    """A picture, uploaded when first used, and again after a change of device. For the worker alone.

    Args:
        rgb: uint8 (H,W,3), or uint16 for whoever asked for that (see `make_backdrop`) and uploads it.
    """

    def __init__(self, rgb: DeepPicture) -> None:
        self._rgb = rgb
        self._picture: Array | None = None

    def on_device_of(self, plate: Array, upload: Upload) -> Array:
        """Return it as (1,3,H,W) on the device of `plate`; the same array each time."""
        if self._picture is None or not is_beside(self._picture, plate):
            self._picture = upload(cast("Picture", self._rgb))
        return self._picture


class StillBackdrop:
    """The picture in a file, read once: the file may go away afterwards.

    Raises:
        ConfigError: The file is not a picture that can be read.
    """

    needs_plate = False

    def __init__(self, spec: str, path: Path, size: Size, *, deep: bool = False) -> None:
        self.spec = spec
        read = picture.read_deep if deep else picture.read
        rgb = read(path, "--backdrop PICTURE.jpg, or --backdrop blur", over=picture.CALM)
        self._uploaded = UploadedPicture(picture.cover(rgb, size))

    @staticmethod
    def check(spec: str) -> None:
        """See BackdropClass.check. That the file exists is known already."""

    @classmethod
    def open(cls, spec: str, size: Size, *, deep: bool = False) -> StillBackdrop:
        """See BackdropClass.open, and `make_backdrop` for `deep`."""
        return cls(spec, Path(os.path.expanduser(spec)), size, deep=deep)

    def picture(self, t: float, plate: Array, upload: Upload) -> Array:
        """See Backdrop.picture."""
        return self._uploaded.on_device_of(plate, upload)

    def close(self) -> None:
        """See Backdrop.close. Nothing runs."""


class ReadyBackdrop(StillBackdrop):
    """One of the pictures that come with camdaemon, by its name; see `frames.kinds.READY`."""

    @classmethod
    def open(cls, spec: str, size: Size, *, deep: bool = False) -> ReadyBackdrop:
        """See BackdropClass.open. These have 8 bits."""
        return cls(spec, ready_path(spec), size)


def ready_path(name: str) -> Path:
    """Return the file of the backdrop `name`, one of `frames.kinds.READY`."""
    return READY_FOLDER / f"{name}.jpg"
