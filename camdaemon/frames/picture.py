"""Still pictures on the host, uint8 (H,W,3) RGB: read, write, fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import ConfigError
from camdaemon.frames.frame import Size
from camdaemon.linux.files import replace_atomically

if TYPE_CHECKING:
    from torch import Tensor

CALM = (47, 79, 95)  # #2f4f5f, also the color of a backdrop that nobody chose: what shows through transparent backdrops
Picture: TypeAlias = NDArray[np.uint8]  # (H,W,3) RGB
Color: TypeAlias = tuple[int, int, int]  # RGB, 0..255
Upload: TypeAlias = "Callable[[Picture], Tensor]"  # → (1,3,H,W) of the device, see `pixels`; the worker thread's


def read(path: Path, option: str) -> Picture:
    """Read the picture in `path`, in any format that OpenCV reads; transparency is dropped.

    Args:
        path: Of the file.
        option: What to type instead, for the end of the error message.

    Raises:
        ConfigError: The file cannot be read, or is no picture.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as exc:
        raise ConfigError(f"cannot read the picture {path}: {exc.strerror}; try {option}") from None
    try:
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:  # a size beyond OpenCV's limit
        bgr = None
    if bgr is None:
        raise ConfigError(f"{path} is not a picture that can be read (broken, or not JPEG, PNG, WebP…); try {option}")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


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
