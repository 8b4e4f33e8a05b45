"""A picture from a file, cropped to the camera's shape."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from camdaemon.backdrop.uploaded import Uploaded
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.frames.picture import Upload


class StillBackdrop:
    """The picture in `path`, read once: the file may go away afterwards. Raises ConfigError when it is broken."""

    def __init__(self, spec: str, path: Path, size: Size) -> None:
        self.spec = spec
        self._uploaded = Uploaded(picture.cover(picture.read(path, "--backdrop PICTURE.jpg, or --backdrop blur"), size))

    def picture(self, t: float, plate: Tensor, upload: Upload) -> Tensor:
        """See Backdrop.picture."""
        return self._uploaded.on(plate, upload)

    def close(self) -> None:
        """Nothing runs behind it."""
