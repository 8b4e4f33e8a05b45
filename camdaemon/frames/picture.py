"""Still pictures on the host, (H,W,3) RGB in 8 bits or in the depth of their file: read, write, fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import ConfigError
from camdaemon.frames import decoder
from camdaemon.frames.door import MOST_PICTURE_BYTES, NotInstalled, Unreadable, check_file
from camdaemon.frames.frame import Size
from camdaemon.frames.header import inspect_picture
from camdaemon.frames.pixels import as_bytes, interleave, is_host
from camdaemon.linux.files import replace_atomically

if TYPE_CHECKING:
    from camdaemon.frames.pixels import Array

CALM = (47, 79, 95)  # #2f4f5f, also the color of a backdrop that nobody chose: what shows through transparent backdrops
Picture: TypeAlias = NDArray[np.uint8]  # (H,W,3) RGB
DeepPicture: TypeAlias = NDArray[np.uint8 | np.uint16]  # (H,W,3) RGB, either in its full range
Color: TypeAlias = tuple[int, int, int]  # RGB, 0..255
Upload: TypeAlias = "Callable[[Picture], Array]"  # → (1,3,H,W) of the device, see `pixels`; the worker thread's
_Codes = TypeVar("_Codes", bound=DeepPicture)


def read(path: Path, option: str, *, over: Color | None = None) -> Picture:
    """Read the picture in `path`, upright, in any of `header.FORMATS`; HDR is mapped to SDR.

    Args:
        path: Of the file.
        option: What to type instead, for the end of the error message.
        over: Color under transparent parts; None: transparency is dropped.

    Raises:
        ConfigError: The file cannot be read, is no picture, or too large.
    """
    with _explained(path, option):
        return decode(path.read_bytes(), over=over)


def read_deep(path: Path, option: str, *, over: Color | None = None) -> DeepPicture:
    """Read a picture in its own depth: uint16 where the file holds more than 8 bits a color, else as `read` does."""
    with _explained(path, option):
        return _decode(path.read_bytes(), over, deep=True)


def read_gray(path: Path, option: str) -> NDArray[np.uint8 | np.uint16]:
    """Read a picture as gray, (H,W) in the file's own depth and full range, such as an alpha; see `read`."""
    with _explained(path, option):
        data = path.read_bytes()
        return decoder.decode_gray(data, inspect_picture(data))


@contextmanager
def _explained(path: Path, option: str) -> Iterator[None]:
    """Check the file, and make one sentence of what the block finds wrong with it."""
    try:
        check_file(path, MOST_PICTURE_BYTES)
        yield
    except NotInstalled as exc:
        raise ConfigError(f"cannot read the picture {path}: {exc}") from None
    except Unreadable as exc:
        raise ConfigError(f"cannot read the picture {path}: {exc}; try {option}") from None
    except OSError as exc:
        raise ConfigError(f"cannot read the picture {path}: {exc.strerror}; try {option}") from None


def decode(data: bytes, *, over: Color | None = None) -> Picture:
    """Decode the content of a picture's file; see `read`. Raises Unreadable."""
    return np.asarray(_decode(data, over, deep=False), np.uint8)


def _decode(data: bytes, over: Color | None, *, deep: bool) -> DeepPicture:
    header = inspect_picture(data)
    if header.transfer:
        return decoder.decode_hdr(data, header, deep=deep)
    if over is not None and header.has_alpha:
        return lay_over(decoder.decode_alpha(data, header, deep=deep), over)
    return decoder.decode_colors(data, header, deep=deep)


def check(data: bytes, formats: tuple[str, ...], most_pixels: int) -> None:
    """Check that a picture can be decoded, at an eighth of its size where its format allows; see `inspect_picture`.

    Raises:
        Unreadable: It cannot.
    """
    decoder.try_to_decode(data, inspect_picture(data, formats, most_pixels))


def lay_over(rgba: _Codes, color: Color) -> _Codes:
    """Lay (H,W,4) with straight alpha, in full range, over one color: (H,W,3)."""
    most = 255 if rgba.dtype == np.uint8 else 65535
    wide: NDArray[Any] = rgba.astype(np.uint16 if most == 255 else np.uint32)
    alpha = wide[..., 3:]
    under = np.array(color, wide.dtype) * (most // 255) * (most - alpha)
    return np.asarray((wide[..., :3] * alpha + under + most // 2) // most, rgba.dtype)  # type: ignore[return-value]


def write(path: Path, rgb: Picture, *, mode: int | None = None) -> None:
    """Write a PNG so that a reader sees the old file or the new one, never half of it. Makes the folder.

    Args:
        path: Of the file.
        rgb: uint8 (H,W,3).
        mode: See `replace_atomically`.
    """
    _, data = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    replace_atomically(path, data.tobytes(), mode=mode)


def copy_to_host(x: Array) -> Picture:
    """Copy (1,3,H,W) into uint8 (H,W,3), or (1,1,H,W) into (H,W). Bytes or floats; rounded."""
    found = interleave(as_bytes(x))
    return found.copy() if is_host(x) and np.shares_memory(found, x) else found


def quiet_opencv() -> None:
    """Keep OpenCV to one core, since its pool spins while it waits, and from printing what our own errors say."""
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def cover(rgb: _Codes, size: Size) -> _Codes:
    """Crop (h,w,3) about its center to the aspect ratio of `size`, then scale it to (H,W,3); itself if it fits."""
    height, width = rgb.shape[:2]
    if (width, height) == (size.width, size.height):
        return rgb
    covered = np.empty((size.height, size.width, 3), rgb.dtype)
    cover_into(covered, rgb)
    return covered  # type: ignore[return-value]


def cover_into(out: DeepPicture, rgb: DeepPicture) -> None:
    """Crop (h,w,3) about its center to the aspect ratio of `out` (H,W,3) of its dtype, and write it there, scaled.

    Halved while that is possible, then interpolated: every pixel counts, in a fifth of the time of INTER_AREA. Fast
    enough for each frame of a large camera: 8 ms from 3840x2160 to 1280x720.
    """
    height, width = out.shape[:2]
    x, y, w, h = Size(width, height).cover(*rgb.shape[1::-1])
    cut = rgb[y : y + h, x : x + w]
    while w >= 2 * width and h >= 2 * height:
        w, h = w // 2, h // 2
        cut = np.asarray(cv2.resize(cut[: 2 * h, : 2 * w], (w, h), interpolation=cv2.INTER_AREA), rgb.dtype)
    cv2.resize(cut, (width, height), dst=out, interpolation=cv2.INTER_LINEAR)
