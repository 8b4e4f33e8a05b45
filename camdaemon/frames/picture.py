"""Still pictures on the host, uint8 (H,W,3) RGB: read, write, fit."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from camdaemon.errors import ConfigError
from camdaemon.frames import hdr
from camdaemon.frames.door import MOST_PICTURE_BYTES, Unreadable, check_file
from camdaemon.frames.frame import Size
from camdaemon.frames.header import Header, inspect_picture
from camdaemon.linux.files import replace_atomically

if TYPE_CHECKING:
    from torch import Tensor

CALM = (47, 79, 95)  # #2f4f5f, also the color of a backdrop that nobody chose: what shows through transparent backdrops
Picture: TypeAlias = NDArray[np.uint8]  # (H,W,3) RGB
Color: TypeAlias = tuple[int, int, int]  # RGB, 0..255
_BROKEN = "its head is right, its picture is broken"
Upload: TypeAlias = "Callable[[Picture], Tensor]"  # → (1,3,H,W) of the device, see `pixels`; the worker thread's


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


def read_gray(path: Path, option: str) -> NDArray[np.uint8 | np.uint16]:
    """Read a picture as gray, (H,W) in the file's own depth, such as an alpha; see `read`."""
    with _explained(path, option):
        data = path.read_bytes()
        inspect_picture(data)
        found = _decode(data, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
        return np.asarray(found, found.dtype if found.dtype == np.uint16 else np.uint8)


@contextmanager
def _explained(path: Path, option: str) -> Iterator[None]:
    """Check the file, and make one sentence of what the block finds wrong with it."""
    try:
        check_file(path, MOST_PICTURE_BYTES)
        yield
    except Unreadable as exc:
        raise ConfigError(f"cannot read the picture {path}: {exc}; try {option}") from None
    except OSError as exc:
        raise ConfigError(f"cannot read the picture {path}: {exc.strerror}; try {option}") from None


def decode(data: bytes, *, over: Color | None = None) -> Picture:
    """Decode the content of a picture's file; see `read`. Raises Unreadable."""
    header = inspect_picture(data)
    if header.transfer:
        return _decode_hdr(data, header)
    if over is not None and header.has_alpha:
        return lay_over(_decode_alpha(data, header), over)
    return np.asarray(cv2.cvtColor(_decode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)


def check(data: bytes, formats: tuple[str, ...], most_pixels: int) -> None:
    """Check that a picture can be decoded, at an eighth of its size where its format allows; see `inspect_picture`.

    Raises:
        Unreadable: It cannot.
    """
    inspect_picture(data, formats, most_pixels)
    _decode(data, cv2.IMREAD_REDUCED_COLOR_8)


def _decode(data: bytes, flags: int) -> NDArray[Any]:
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (cv2.error, MemoryError):
        found = None
    if found is None:
        raise Unreadable(_BROKEN)
    return found


def _decode_alpha(data: bytes, header: Header) -> NDArray[np.uint8]:
    """Return RGBA, uint8 (H,W,4)."""
    bgra = _decode(data, cv2.IMREAD_UNCHANGED) if header.fmt != "AVIF" else None  # whose depth OpenCV does not tell
    if bgra is None or bgra.ndim < 3 or bgra.shape[2] < 4:  # a gray with one level that is transparent
        try:
            with Image.open(io.BytesIO(data)) as image:
                return header.turn.apply(np.asarray(image.convert("RGBA")))
        except (OSError, ValueError, SyntaxError):
            raise Unreadable(_BROKEN) from None
    if bgra.dtype == np.uint16:
        bgra = np.asarray(bgra >> 8, np.uint8)
    rgba = np.asarray(cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGBA), np.uint8)
    return rgba if header.fmt == "TIFF" else header.turn.apply(rgba)  # OpenCV turns TIFF itself


def _decode_hdr(data: bytes, header: Header) -> Picture:
    pixels = _decode(data, cv2.IMREAD_UNCHANGED)
    if pixels.ndim < 3:
        pixels = pixels[..., None].repeat(3, 2)
    most = (1 << header.depth) - 1 if header.depth and pixels.dtype == np.uint16 else np.iinfo(pixels.dtype).max
    coded = np.asarray(pixels[..., 2::-1] * np.float32(65535 / most), np.uint16)
    return header.turn.apply(hdr.map_to_sdr(coded, header.transfer))


def lay_over(rgba: NDArray[np.uint8], color: Color) -> Picture:
    """Lay (H,W,4) with straight alpha over one color: (H,W,3)."""
    alpha = rgba[..., 3:].astype(np.uint16)
    under = np.array(color, np.uint16) * (255 - alpha)
    return np.asarray((rgba[..., :3] * alpha + under + 127) // 255, np.uint8)


def write(path: Path, rgb: Picture, *, mode: int | None = None) -> None:
    """Write a PNG so that a reader sees the old file or the new one, never half of it. Makes the folder.

    Args:
        path: Of the file.
        rgb: uint8 (H,W,3).
        mode: See `replace_atomically`.
    """
    _, data = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    replace_atomically(path, data.tobytes(), mode=mode)


def from_tensor(tensor: Tensor) -> Picture:
    """Convert (1,3,H,W) to uint8 (H,W,3), or (1,1,H,W) to (H,W). Bytes or floats; rounded, copied to the host."""
    pixels = tensor[0] if not tensor.is_floating_point() else tensor[0].float().mul(255).add(0.5).clamp(0, 255).byte()
    return np.array(pixels.permute(1, 2, 0).squeeze(2).cpu().numpy(), order="C")


def quiet_opencv() -> None:
    """Keep OpenCV to one core, since its pool spins while it waits, and from printing what our own errors say."""
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def cover(rgb: Picture, size: Size) -> Picture:
    """Crop (h,w,3) about its center to the aspect ratio of `size`, then scale it to (H,W,3); itself if it fits."""
    height, width = rgb.shape[:2]
    if (width, height) == (size.width, size.height):
        return rgb
    covered = np.empty((size.height, size.width, 3), np.uint8)
    cover_into(covered, rgb)
    return covered


def cover_into(out: Picture, rgb: Picture) -> None:
    """Crop (h,w,3) about its center to the aspect ratio of `out` (H,W,3), and write it there, scaled.

    Halved while that is possible, then interpolated: every pixel counts, in a fifth of the time of INTER_AREA. Fast
    enough for each frame of a large camera: 8 ms from 3840x2160 to 1280x720.
    """
    height, width = out.shape[:2]
    x, y, w, h = Size(width, height).cover(*rgb.shape[1::-1])
    cut = rgb[y : y + h, x : x + w]
    while w >= 2 * width and h >= 2 * height:
        w, h = w // 2, h // 2
        cut = np.asarray(cv2.resize(cut[: 2 * h, : 2 * w], (w, h), interpolation=cv2.INTER_AREA), np.uint8)
    cv2.resize(cut, (width, height), dst=out, interpolation=cv2.INTER_LINEAR)
