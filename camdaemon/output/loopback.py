"""The virtual camera: a v4l2loopback device, written through pyvirtualcam by a backend of our own.

pyvirtualcam's own backend prints a failed write to stderr and returns, so that a picture which reaches no viewer looks
like one that does; it hides its file descriptor; and it holds the GIL while the kernel copies the frame. pyvirtualcam
accepts other backends, so ours is a write(2) that raises.

Measured with v4l2loopback 0.12.7, 0.13.2 and 0.15.0: rmmod, rmmod -f and v4l2loopback-ctl delete are refused while we
hold the device. A write can still fail (on 0.13.2 with EINVAL, when another program has sent the first frame), and only
the write's result tells: inode, sysfs state and format are the same before and after.

The same descriptor sets the rate, reads the format back, and works around a fault of 0.12.7: a writer that never called
STREAMON leaves the node neither camera nor output until the module is reloaded. We call it once, after the first frame.
Before it, on 0.13, it would bypass the check that refuses a second producer; on 0.13.2 and 0.15.0 it changes nothing.
It is a property of the descriptor, so it also holds after SIGKILL.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os

import numpy as np
import pyvirtualcam
from numpy.typing import NDArray

from camdaemon.errors import DeviceError
from camdaemon.frames import card, color
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.linux import v4l2
from camdaemon.linux.holders import name_holders
from camdaemon.linux.v4l2 import Format, Stream
from camdaemon.output import FollowViewers, audience, placeholder

_BACKEND = "camdaemon"
_SILENCE_S = 1.5  # without a frame, then the module shows the card: the daemon was killed
_I420 = "YU12"  # V4L2_PIX_FMT_YUV420


class LoopbackSink:
    """A v4l2loopback device; see the protocol `Sink` for threads and ownership.

    `write` takes I420 and does not convert: one copy into the driver, without the GIL. It never waits for viewers.

    Args:
        path: /dev/videoN.
        size: Size of the frames, and of the camera that viewers see.
        fps: Frames per second to announce.

    Raises:
        DeviceError: The device is missing, forbidden, not a virtual camera, in use, pinned, or held at another size.
    """

    live = True
    can_reopen = True
    is_file = False
    fmt = PixelFormat.I420

    @classmethod
    def open(cls, spec: str, size: Size, fps: float, *, paced: bool) -> LoopbackSink:
        """See `open_sink`."""
        return cls(spec, size, fps)

    def __init__(self, path: str, size: Size, fps: float) -> None:
        self.name, self.size, self._has_placeholder = path, size, False
        fd = v4l2.open_node(path, os.O_WRONLY, if_missing=_load_command(path))
        try:
            _check(fd, path)
            _negotiate(fd, path, size, fps)
            self._camera = pyvirtualcam.Camera(
                size.width, size.height, fps, fmt=pyvirtualcam.PixelFormat.I420, device=path, backend=_BACKEND, fd=fd
            )
        except BaseException:
            os.close(fd)
            raise

    @functools.cached_property
    def viewers(self) -> tuple[FollowViewers, ...]:
        """See Sink.viewers. Probes the device when first asked."""
        return (functools.partial(audience.follow_viewers, self.name),) if audience.can_follow(self.name) else ()

    def write(self, frame: HostFrame) -> None:
        """See Sink.write."""
        self._camera.send(frame.data)
        if not self._has_placeholder:
            self._has_placeholder = True
            with contextlib.suppress(OSError):
                placeholder.install(self.name, _draw_ending(self.size), _SILENCE_S)

    def close(self) -> None:
        """See Sink.close. The device becomes an output again, free for the next producer."""
        with contextlib.suppress(OSError):
            placeholder.remove(self.name)
        self._camera.close()


class Backend:
    """pyvirtualcam's Backend protocol over `fd`, a negotiated v4l2loopback device, which it owns."""

    def __init__(self, *, width: int, height: int, fps: float, fourcc: int, device: str, fd: int) -> None:
        self._fd, self._path = fd, device
        self._fourcc = fourcc
        self._sent = False

    def send(self, frame: NDArray[np.uint8]) -> None:
        """Write one frame, uint8, 1-D and contiguous.

        Raises:
            DeviceError: The driver did not take all of it.
        """
        try:
            taken = os.write(self._fd, frame.data)
        except OSError as exc:
            raise DeviceError(f"{self._path}: frame not sent: {_explain_unsent(self._path, exc)}") from None
        if taken != frame.size:
            raise DeviceError(
                f"{self._path}: took {taken} of a frame's {frame.size} bytes: another program changed its size. "
                f"Close that. Run: fuser -v {self._path}"
            )
        if not self._sent:
            self._sent = True
            with contextlib.suppress(OSError):  # see the top of this file
                v4l2.stream_on(self._fd, Stream.OUTPUT)

    def close(self) -> None:
        """Close the device."""
        os.close(self._fd)

    def device(self) -> str:
        """Return the device's path."""
        return self._path

    def native_fourcc(self) -> int:
        """Return the pixel format's code, as pyvirtualcam gave it."""
        return self._fourcc


pyvirtualcam.register_backend(_BACKEND, Backend)


def _draw_ending(size: Size) -> NDArray[np.uint8]:
    """Draw the card for viewers whose daemon was killed: I420, uint8 (H·3/2,W)."""
    picture = np.empty(PixelFormat.I420.shape(size), np.uint8)
    color.rgb_to_host(card.draw(card.FAULT, size), PixelFormat.I420, picture)
    return picture


def _load_command(path: str) -> str:
    number = path.removeprefix("/dev/video")
    number = number if number.isdigit() else "10"
    return f"sudo modprobe v4l2loopback devices=1 video_nr={number} card_label=camdaemon exclusive_caps=1 max_buffers=4"


def _reload_command(path: str) -> str:
    return f"sudo modprobe -r v4l2loopback && {_load_command(path)}"


def _check(fd: int, path: str) -> None:
    """Raise DeviceError unless the node is a v4l2loopback device that takes a producer now."""
    try:
        is_a = v4l2.query_capability(fd)
    except OSError:
        raise DeviceError(f"{path} is not a video device. Run: camdaemon devices") from None
    if not is_a.is_loopback:
        raise DeviceError(
            f"{path} is {is_a.card} ({is_a.driver}), not a virtual camera. Run: camdaemon devices, "
            f"or: {_load_command('')}"
        )
    if is_a.can_output:
        return
    if not is_a.can_capture:
        raise DeviceError(
            f"{path} is stuck: its last producer left it as neither camera nor output. Run: {_reload_command(path)}"
        )
    _refuse_pinned(fd, path)
    raise DeviceError(
        f"another program already sends to {path}: {name_holders(path)} has it open. Close that. Run: fuser -v {path}"
    )


def _refuse_pinned(fd: int, path: str) -> None:
    with contextlib.suppress(OSError):
        if v4l2.get_control(fd, v4l2.KEEP_FORMAT):
            raise DeviceError(
                f"{path} is pinned to its format (keep_format, as v4l2loopback-ctl set-caps does). "
                f"Run: sudo v4l2loopback-ctl set-caps {path} any"
            )


def _negotiate(fd: int, path: str, size: Size, fps: float) -> None:
    """Set I420, size and rate, and check the format read back: since 0.14 a held format stays without an error."""
    wanted = Format(_I420, size.width, size.height)
    refused: OSError | None = None
    try:
        v4l2.set_format(fd, Stream.OUTPUT, wanted)
    except OSError as exc:
        refused = exc
    try:
        got = v4l2.get_format(fd, Stream.OUTPUT)
    except OSError as exc:
        raise DeviceError(
            f"{path} takes no producer now ({exc.strerror}): {name_holders(path)} has it open. Close that. "
            f"Run: {_reload_command(path)}"
        ) from None
    if got != wanted:
        _refuse_pinned(fd, path)
        same = (got.width, got.height) == (size.width, size.height)
        way_out = f"fuser -v {path}" if same else f"camdaemon run --size {got.width}x{got.height}"
        raise DeviceError(
            f"{path} stays at {got} instead of {wanted}: {name_holders(path)} holds it. Close that. Run: {way_out}"
        )
    if refused is not None:
        raise DeviceError(
            f"{path} takes no producer now ({refused.strerror}): {name_holders(path)} has it open. Close that. "
            f"Run: fuser -v {path}"
        )
    with contextlib.suppress(OSError):  # only announced to viewers: frames come at their own rate
        v4l2.set_rate(fd, Stream.OUTPUT, fps)


def _explain_unsent(path: str, error: OSError) -> str:
    if error.errno in (errno.EINVAL, errno.EBUSY):
        return f"another program sends to it: {name_holders(path)} has it open. Close that. Run: fuser -v {path}"
    return f"{error.strerror}. If the module was unloaded, load it. Run: {_load_command(path)}"
