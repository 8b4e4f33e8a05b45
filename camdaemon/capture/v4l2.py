"""A camera, by OpenCV's V4L2 backend: the newest frame, its capture time, and errors that say what to type.

Lab notes (OpenCV 5 with vivid and with v4l2loopback 0.12.7, 0.13.2 and 0.15.0):
- Two buffers, not one. With one the driver has nowhere to put the frame that arrives while we hold the last (users
  report half the rate), and OpenCV gives a raw buffer back to the driver before it copies the picture out. Frames that
  piled up are thrown away by their age, and some drivers give two or four whatever is asked: two are as fresh as one.
- CAP_PROP_POS_MSEC is the driver's buffer timestamp, on the clock of time.monotonic().
"""

from __future__ import annotations

import logging
import os
import time

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import DeviceError
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.linux import devices, holders, v4l2
from camdaemon.linux.devices import Device, Mode

log = logging.getLogger(__name__)

_STALL_S = 2  # whole seconds: OpenCV takes no fraction
_BUFFERS = 2
# What OpenCV can turn into BGR, where a device has neither YUYV nor MJPG.
_CONVERTIBLE = ("NV12", "YU12", "YV12", "NV21", "UYVY", "BGR3", "RGB3", "JPEG", "GREY")


class V4l2Source:
    """`path` (/dev/videoN or a by-id link) at about `size` pixels and `fps`; see Source for who may call what.

    fmt is YUYV for cameras that send it (raw, colour is converted on the accelerator), else BGR: MJPG is decompressed
    in `read`. size is the largest legal one inside what the camera gives, cut from its middle.
    Raises DeviceError when the device is missing, forbidden, no camera, busy, or sends no first frame in 2 s.
    """

    live = True
    has_controls = True

    @classmethod
    def open(cls, spec: str, size: Size | None, fps: float, *, loop: bool, paced: bool) -> V4l2Source:
        """See `open_source`. 1280x720 without a size."""
        return cls(spec, size or Size(1280, 720), fps)

    def __init__(self, path: str, size: Size, fps: float) -> None:
        os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] = str(_STALL_S)  # OpenCV reads it once, at its first wait
        cv2.setNumThreads(1)  # its pool spins while idle, and one JPEG is decoded by one thread anyway
        device = devices.describe(path)
        self.name, self._path = device.name, path
        asked = _choose(device, size, fps)
        self._capture = cv2.VideoCapture(path, cv2.CAP_V4L2)
        try:
            self._negotiate(asked, size, fps)
            self._picture: NDArray[np.uint8] | None = None
            self._stamp = 0.0  # the driver's timestamp of the last grabbed frame, and the time of the last read
            self._last = time.monotonic()
            self._grab()  # a camera that opens may still be busy, or send nothing: learn it now, not in the show
        except BaseException:
            self.close()
            raise

    def _negotiate(self, asked: str, size: Size, fps: float) -> None:
        """Ask (format before size: the sizes depend on it), then believe only what is read back."""
        capture = self._capture
        if capture.isOpened():
            capture.set(cv2.CAP_PROP_FOURCC, v4l2.code(asked))
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, size.width)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size.height)
            capture.set(cv2.CAP_PROP_FPS, round(fps))
            capture.set(cv2.CAP_PROP_BUFFERSIZE, _BUFFERS)
        if not capture.isOpened():  # OpenCV closes a device that answers EBUSY
            users = holders.list_holders(self._path)
            why = f"{', '.join(users)} has it: close that" if users else "another program has it, or its driver refused"
            raise DeviceError(f"{self.name} would not open: {why}; see who holds it with: sudo fuser -v {self._path}")
        got = v4l2.fourcc(int(capture.get(cv2.CAP_PROP_FOURCC)))
        width, height = (int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        self.fmt = PixelFormat.YUYV if got == "YUYV" else PixelFormat.BGR
        capture.set(cv2.CAP_PROP_CONVERT_RGB, int(self.fmt is PixelFormat.BGR))
        self.size = Size.within(width, height)
        self._real = (width, height)
        told = capture.get(cv2.CAP_PROP_FPS)
        self.fps = told if told > 0 else fps
        buffers = int(capture.get(cv2.CAP_PROP_BUFFERSIZE))
        log.info(
            "%s: asked for %s %s at %g fps; got %s %dx%d at %g fps in %d buffers, of which %s is used",
            self.name, asked, size, fps, got, width, height, self.fps, buffers, self.size,
        )  # fmt: skip

    def read(self, into: HostFrame) -> None:
        """See Source.read. Broken pictures (half a JPEG) are skipped; `t` is the driver's timestamp if it has one."""
        deadline = time.monotonic() + _STALL_S
        while True:
            t = self._grab()
            picture = self._retrieve()
            if picture is not None:
                break
            if time.monotonic() > deadline:
                raise DeviceError(f"{self.name} sends broken pictures only; replug it and check: camdaemon devices")
        width, height = self._real
        left, top = (width - self.size.width) // 4 * 2, (height - self.size.height) // 2  # even: keeps U and V in place
        np.copyto(into.data, picture[top : top + self.size.height, left : left + self.size.width])
        into.t = t

    def _grab(self) -> float:
        """Grab the newest frame and return the time it was captured.

        A frame for which we had to wait is new. One that lay ready may have lain long: older than two frames' time,
        and it is thrown away for the next.
        """
        interval = 1 / self.fps
        deadline = time.monotonic() + _STALL_S
        while True:
            began = time.monotonic()
            if not self._capture.grab():
                raise self._lost(time.monotonic() - began)
            now = time.monotonic()
            stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            repeated = 0 < stamp == self._stamp
            self._stamp = stamp
            # vivid stamps the end of the exposure up to an interval ahead; another clock than ours is far off
            known = self._last - _STALL_S < stamp < now + interval
            t = min(stamp, now) if known else now
            lay_ready = now - began < interval / 4
            oldest = t if known else self._last  # no queued frame is older than the one before it
            if not repeated and not (lay_ready and now - oldest > 2 * interval):
                self._last = t
                return t
            if now > deadline:  # only ever the same frame again: how some drivers say that the camera is gone
                raise self._lost(_STALL_S)

    def _retrieve(self) -> NDArray[np.uint8] | None:
        """The grabbed picture, (H, W, 2 or 3), or None for a broken one. Memory is used again at the next call."""
        width, height = self._real
        try:
            ok, answer = self._capture.retrieve(self._picture)
        except cv2.error:
            return None
        if not ok or answer is None:
            return None
        picture: NDArray[np.uint8] = np.asarray(answer, np.uint8)
        shape = (height, width, 2 if self.fmt is PixelFormat.YUYV else 3)
        if picture.shape != shape:
            if self.fmt is not PixelFormat.YUYV or picture.size != height * width * 2:
                return None
            picture = picture.reshape(shape)  # OpenCV 4 gives the bytes in one row
        self._picture = picture
        return picture

    def _lost(self, waited: float) -> DeviceError:
        if not os.path.exists(self._path):
            return DeviceError(f"{self.name} was unplugged; plug it in and check: camdaemon devices")
        if waited > _STALL_S / 2:
            why = f"sent no frame for {_STALL_S} s"
        else:
            why = "stopped sending (it was unplugged, or another program took it)"
        users = holders.list_holders(self._path)
        also = f" (it is also open in {', '.join(users)})" if users else ""
        return DeviceError(f"{self.name} {why}{also}; replug it and check: camdaemon devices")

    def close(self) -> None:
        """See Source.close."""
        self._capture.release()


def _choose(device: Device, size: Size, fps: float) -> str:
    """The pixel format to ask for: one the device has at this size and rate; MJPG above 640x480, else YUYV.

    Raw video of more than VGA is too much for USB 2 (720p YUYV comes at 10 fps); below it YUYV saves the decompression.
    """
    if not device.can_capture:
        raise _no_camera(device)
    large = size.width * size.height > 640 * 480
    liked = [*(("MJPG", "YUYV") if large else ("YUYV", "MJPG")), *_CONVERTIBLE]
    usable = [mode for mode in device.modes if mode.fourcc in liked]
    if not usable:
        offered = ", ".join(dict.fromkeys(mode.fourcc for mode in device.modes)) or "nothing"
        raise DeviceError(
            f"{device.name} offers {offered}, none of which we can read ({', '.join(liked)}); "
            "choose another with: camdaemon devices"
        )

    def drawbacks(mode: Mode) -> tuple[bool, bool, bool, int]:
        needs_conversion = liked.index(mode.fourcc) > 1
        slow = bool(mode.rates) and max(rates.highest for rates in mode.rates) < 0.9 * fps
        return not mode.sizes.hold(size.width, size.height), needs_conversion, slow, liked.index(mode.fourcc)

    return min(usable, key=drawbacks).fourcc


def _no_camera(device: Device) -> DeviceError:
    if device.is_loopback and device.can_output:
        return DeviceError(
            f"{device.path} is a virtual camera that no program feeds; start that program, or choose a camera with: "
            "camdaemon devices"
        )
    return DeviceError(f"{device.path} ({device.card}) takes no pictures; see your cameras with: camdaemon devices")
