"""A camera, through OpenCV's V4L2 backend: the newest frame, its capture time, and errors that say what to type.

Measured with OpenCV 5, vivid, and v4l2loopback 0.12.7, 0.13.2 and 0.15.0:
- Two buffers, not one. With one, the driver has nowhere to put the next frame while we hold the last (users report half
  the rate), and OpenCV gives a raw buffer back to the driver before it copies the picture out. Two are as fresh as one,
  because queued frames are dropped by their age; some drivers give two or four in any case.
- CAP_PROP_POS_MSEC is the driver's buffer timestamp, on the clock of time.monotonic().
"""

from __future__ import annotations

import logging
import os
import time

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.capture import jpeg
from camdaemon.capture.modes import choose_mode, choose_size
from camdaemon.capture.streaming import DescriptorCapture
from camdaemon.errors import DeviceError
from camdaemon.frames.frame import CAMERA_SIZE, HostFrame, PixelFormat, Size
from camdaemon.frames.picture import cover_into
from camdaemon.linux import devices, hidden, holders, v4l2
from camdaemon.linux.devices import Device
from camdaemon.linux.v4l2 import Format

log = logging.getLogger(__name__)

_STALL_S = 2  # OpenCV takes whole seconds only
_BUFFERS = 2
_JPEG = ("MJPG", "JPEG")


class V4l2Source:
    """A V4L2 camera; see the protocol `Source` for threads and ownership.

    `fmt` is YUYV for a camera that sends it: its color is converted on the accelerator. Else it is BGR, and MJPG is
    decompressed in `read`. A camera that gives more than is wanted is scaled down in `read`, concurrently with the
    network, and is BGR too. Else `size` is the largest legal size inside the camera's picture, cut from its middle.

    Args:
        path: /dev/videoN, or a link to it such as those in /dev/v4l/by-id.
        size: Picture size to ask for; None: CAMERA_SIZE at most, see `Size.limit`.
        fps: Frames per second to ask for.

    Raises:
        DeviceError: The device is missing, forbidden, not a camera or busy, or sends no first frame within 2 s.
    """

    live = True
    has_controls = True

    @classmethod
    def open(cls, spec: str, size: Size | None, fps: float, *, loop: bool, paced: bool) -> V4l2Source:
        """See `open_source`. At most 1280x720 without a size."""
        return cls(spec, size, fps)

    def __init__(self, path: str, size: Size | None, fps: float) -> None:
        os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] = str(_STALL_S)  # OpenCV reads it once, when it first waits
        cv2.setNumThreads(1)  # its thread pool spins while idle, and a JPEG is decoded by one thread anyway
        device = devices.describe(path)
        self.name, self._path = device.name, path
        if not device.can_capture:
            raise _describe_other(device)
        self._is_loopback = device.is_loopback
        asked = choose_mode(device, size or CAMERA_SIZE, fps)
        self._capture = _open(path)
        try:
            self._negotiate(asked, size, fps)
            self._picture: NDArray[np.uint8] | None = None
            self._stamp = 0.0  # the driver's timestamp of the last grabbed frame
            self._last = time.monotonic()  # capture time of the last frame
            self._grab()  # a camera that opens may still be busy or send nothing: fail now, not later
        except BaseException:
            self.close()
            raise

    def _negotiate(self, asked: Format, size: Size | None, fps: float) -> None:
        """Ask for a mode, and take over the mode that is read back. Format before size: the sizes depend on it."""
        capture = self._capture
        if capture.isOpened():
            capture.set(cv2.CAP_PROP_FOURCC, v4l2.code(asked.fourcc))
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, asked.width)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, asked.height)
            capture.set(cv2.CAP_PROP_FPS, round(fps))
            capture.set(cv2.CAP_PROP_BUFFERSIZE, _BUFFERS)
        if not capture.isOpened():  # OpenCV closes a device that answers EBUSY
            raise DeviceError(f"{self.name} would not open: {self._explain_busy()}. Run: sudo fuser -v {self._path}")
        got = v4l2.fourcc(int(capture.get(cv2.CAP_PROP_FOURCC)))
        width, height = (int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        whole = Size.within(width, height)
        self.size = choose_size(size, width, height)
        self._scales = self.size != whole
        self.fmt = PixelFormat.YUYV if got == "YUYV" and not self._scales else PixelFormat.BGR
        self._is_jpeg = got in _JPEG
        capture.set(cv2.CAP_PROP_CONVERT_RGB, int(self.fmt is PixelFormat.BGR and not self._is_jpeg))
        self._real = (width, height)
        announced = capture.get(cv2.CAP_PROP_FPS)
        self.fps = announced if announced > 0 else fps
        buffers = int(capture.get(cv2.CAP_PROP_BUFFERSIZE))
        log.info(
            "camera mode of %s: asked for %s %dx%d at %g fps; got %s %dx%d at %g fps in %d buffers; using %s%s",
            self.name, asked.fourcc, asked.width, asked.height, fps, got, width, height, self.fps, buffers, self.size,
            f", scaled down (to use all of it: --size {whole})" if self._scales else "",
        )  # fmt: skip

    def _explain_busy(self) -> str:
        users = holders.list_holders(self._path)
        if not users:
            return "another program has it, or its driver refused"
        names = ", ".join(users)
        if self._is_loopback:  # to close them all would take the camera away
            return f"it has one reader at a time, and is open in {names}; close what reads it, not what feeds it"
        return f"{names} has it; close that"

    def read(self, into: HostFrame) -> None:
        """See Source.read. Broken pictures (half a JPEG) are skipped; `t` is the driver's timestamp if there is one."""
        deadline = time.monotonic() + _STALL_S
        while True:
            t = self._grab()
            picture = self._retrieve()
            if picture is not None:
                break
            if time.monotonic() > deadline:
                raise DeviceError(f"{self.name} sends only broken pictures. Replug it. Run: camdaemon devices")
        into.t = t
        if self._scales:
            cover_into(into.data, picture)
            return
        width, height = self._real
        left, top = (
            (width - self.size.width) // 4 * 2,
            (height - self.size.height) // 2,
        )  # even, for U and V
        np.copyto(into.data, picture[top : top + self.size.height, left : left + self.size.width])

    def _grab(self) -> float:
        """Grab the newest frame and return its capture time, seconds of time.monotonic().

        A frame that we had to wait for is new. One that was ready may be old: older than two frame intervals, it is
        dropped for the next one.
        """
        interval = 1 / self.fps
        deadline = time.monotonic() + _STALL_S
        while True:
            began = time.monotonic()
            if not self._capture.grab():
                raise self._describe_loss(time.monotonic() - began)
            now = time.monotonic()
            stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            repeated = 0 < stamp == self._stamp
            self._stamp = stamp
            # vivid's stamps are up to one interval ahead; a stamp of another clock is far off
            known = self._last - _STALL_S < stamp < now + interval
            t = min(stamp, now) if known else now
            was_ready = now - began < interval / 4
            oldest = t if known else self._last  # a queued frame is not older than the previous one
            if not repeated and not (was_ready and now - oldest > 2 * interval):
                self._last = t
                return t
            if now > deadline:  # some drivers repeat the last frame for ever when the camera is gone
                raise self._describe_loss(_STALL_S)

    def _retrieve(self) -> NDArray[np.uint8] | None:
        """Return the grabbed picture, uint8 (H,W,2 or 3), or None if it is broken. The next call reuses its memory."""
        width, height = self._real
        try:
            ok, answer = self._capture.retrieve(self._picture)
        except cv2.error:
            return None
        if not ok or answer is None:
            return None
        picture: NDArray[np.uint8] = np.asarray(answer, np.uint8)
        shape = (height, width, 2 if self.fmt is PixelFormat.YUYV else 3)
        if self._is_jpeg:  # of another size each time: its memory is not used again
            decoded = jpeg.decode(picture)
            return decoded if decoded is not None and decoded.shape == shape else None
        if picture.shape != shape:
            if self.fmt is not PixelFormat.YUYV or picture.size != height * width * 2:
                return None
            picture = picture.reshape(shape)  # OpenCV 4 gives the bytes in one row
        self._picture = picture
        return picture

    def _describe_loss(self, waited: float) -> DeviceError:
        if not os.path.exists(self._path):
            return DeviceError(f"{self.name} was unplugged. Plug it in. Run: camdaemon devices")
        if waited > _STALL_S / 2:
            why = f"sent no frame for {_STALL_S} s"
        else:
            why = "stopped sending (it was unplugged, or another program took it)"
        users = holders.list_holders(self._path)
        also = f" (it is also open in {', '.join(users)})" if users else ""
        remedy = "Start the program that feeds it" if self._is_loopback else "Replug it"
        return DeviceError(f"{self.name} {why}{also}. {remedy}. Run: camdaemon devices")

    def close(self) -> None:
        """See Source.close."""
        self._capture.release()


def _open(path: str) -> cv2.VideoCapture | DescriptorCapture:
    """Open a camera for pictures: by OpenCV, or one that is hidden by the descriptor that its service gives."""
    if hidden.should_fetch(path):
        return DescriptorCapture(hidden.fetch(path))
    return cv2.VideoCapture(path, cv2.CAP_V4L2)


def _describe_other(device: Device) -> DeviceError:
    if device.is_loopback and device.can_output:
        return DeviceError(
            f"{device.path} is a virtual camera without a producer. Start its program, or choose a camera. "
            "Run: camdaemon devices"
        )
    return DeviceError(f"{device.path} ({device.card}) is not a camera. Run: camdaemon devices")
