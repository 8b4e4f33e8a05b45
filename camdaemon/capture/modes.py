"""Which of a camera's modes to ask for, and the size in which its pictures are delivered."""

from __future__ import annotations

from camdaemon.errors import DeviceError
from camdaemon.frames.frame import CAMERA_SIZE, Size
from camdaemon.linux.devices import Device, Mode
from camdaemon.linux.v4l2 import Format

# Formats that OpenCV converts to BGR, for a device with neither YUYV nor MJPG.
_CONVERTIBLE = ("NV12", "YU12", "YV12", "NV21", "UYVY", "BGR3", "RGB3", "JPEG", "GREY")


def choose_size(wanted: Size | None, width: int, height: int) -> Size:
    """Return the size to deliver of a camera that gives width × height."""
    if wanted is None:
        return CAMERA_SIZE.limit(width, height)
    return wanted if width >= wanted.width and height >= wanted.height else Size.within(width, height)


def choose_mode(device: Device, size: Size, fps: float) -> Format:
    """Return the pixel format and size to ask for: what the device has at this size and rate.

    Without this size it is the smallest that covers it, else the nearest. MJPG above 640x480, because uncompressed
    video of that size is too much for USB 2 (720p YUYV comes at 10 fps); else YUYV, which needs no decompression.
    """
    large = size.width * size.height > 640 * 480
    liked = [*(("MJPG", "YUYV") if large else ("YUYV", "MJPG")), *_CONVERTIBLE]
    usable = [mode for mode in device.modes if mode.fourcc in liked]
    if not usable:
        offered = ", ".join(dict.fromkeys(mode.fourcc for mode in device.modes)) or "nothing"
        raise DeviceError(
            f"cannot read {device.name}: it offers {offered}, none of {', '.join(liked)}. Run: camdaemon devices"
        )

    def drawbacks(mode: Mode) -> tuple[bool, bool, bool, bool, int, int]:
        width, height = mode.sizes.nearest(size.width, size.height)
        is_other, is_short = (width, height) != (size.width, size.height), size.limit(width, height) != size
        needs_conversion = liked.index(mode.fourcc) > 1
        slow = bool(mode.rates) and max(rates.highest for rates in mode.rates) < 0.9 * fps
        distance = abs(width * height - size.width * size.height)
        return is_other, is_short, needs_conversion, slow, distance, liked.index(mode.fourcc)

    chosen = min(usable, key=drawbacks)
    return Format(chosen.fourcc, *chosen.sizes.nearest(size.width, size.height))
