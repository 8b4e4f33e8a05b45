"""The virtual camera: a v4l2loopback device, written through pyvirtualcam by a backend of our own.

Why not pyvirtualcam's own backend? It prints a failed write to stderr and returns, so a show that reaches nobody looks
like one that does; it hides its file descriptor; and it holds the GIL while the kernel copies the frame. What the lab
showed (0.12.7, 0.13.2, 0.15.0): rmmod, rmmod -f and v4l2loopback-ctl delete are refused while we hold the device, yet a
write can fail (on 0.13.2 with EINVAL, when another program sent the first frame), and nothing but write's own answer
tells: inode, sysfs state and format are the same before and after. pyvirtualcam lets anyone register a backend, so
ours is a write(2) that raises.

Having the descriptor, we need no second one to set the rate, to read the format back, or to cure 0.12.7. There a writer
that never said STREAMON leaves the node neither camera nor output, of no use until the module is reloaded. We say it
once, after the first frame and not before: on 0.13 it would get us past the check that refuses a second producer. On
0.13.2 and 0.15.0 it changes nothing. It is a property of the descriptor, so the cure holds through SIGKILL.
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
_SILENCE_S = 1.5  # without a frame, after which the module shows the card: somebody has killed us
_I420 = "YU12"  # V4L2_PIX_FMT_YUV420


class LoopbackSink:
    """`path` (/dev/videoN) as a camera of `size` pixels that announces `fps`; see Sink for who may call what.

    `write` takes I420 and does not convert: one copy into the driver, without the GIL. It never waits for viewers.
    Raises DeviceError when the device is missing, forbidden, no virtual camera, in use, pinned, or held at a size.
    """

    live = True
    can_reopen = True
    fmt = PixelFormat.I420

    @classmethod
    def open(cls, spec: str, size: Size, fps: float, *, paced: bool) -> LoopbackSink:
        """See `open_sink`."""
        return cls(spec, size, fps)

    @functools.cached_property
    def viewers(self) -> tuple[FollowViewers, ...]:
        """See Sink.viewers. Probes the device when first asked."""
        return (functools.partial(audience.follow, self.name),) if audience.can_tell(self.name) else ()

    def __init__(self, path: str, size: Size, fps: float) -> None:
        self.name, self.size, self._placed = path, size, False
        fd = v4l2.open_node(path, os.O_WRONLY, if_missing=_load(path))
        try:
            _check(fd, path)
            _negotiate(fd, path, size, fps)
            self._camera = pyvirtualcam.Camera(
                size.width, size.height, fps, fmt=pyvirtualcam.PixelFormat.I420, device=path, backend=_BACKEND, fd=fd
            )
        except BaseException:
            os.close(fd)
            raise

    def write(self, frame: HostFrame) -> None:
        """See Sink.write."""
        self._camera.send(frame.data)
        if not self._placed:
            self._placed = True
            with contextlib.suppress(OSError):
                placeholder.put(self.name, _ending(self.size), _SILENCE_S)

    def close(self) -> None:
        """See Sink.close. The device becomes an output again, free for the next producer."""
        with contextlib.suppress(OSError):
            placeholder.take_away(self.name)
        self._camera.close()


class Backend:
    """pyvirtualcam's Backend protocol over `fd`, a negotiated v4l2loopback device, which it owns from here on."""

    def __init__(self, *, width: int, height: int, fps: float, fourcc: int, device: str, fd: int) -> None:
        self._fd, self._path = fd, device
        self._fourcc = fourcc
        self._sent = False

    def send(self, frame: NDArray[np.uint8]) -> None:
        """Write one frame, 1-D and contiguous; DeviceError when the driver took less than all of it."""
        try:
            taken = os.write(self._fd, frame.data)
        except OSError as exc:
            raise DeviceError(f"{self._path}: frame not sent: {_why_unsent(self._path, exc)}") from None
        if taken != frame.size:
            raise DeviceError(
                f"{self._path}: took {taken} of a frame's {frame.size} bytes: another program changed its size; "
                f"close that, see it with: fuser -v {self._path}"
            )
        if not self._sent:
            self._sent = True
            with contextlib.suppress(OSError):  # see the top of this file
                v4l2.stream_on(self._fd, Stream.OUTPUT)

    def close(self) -> None:
        os.close(self._fd)

    def device(self) -> str:
        return self._path

    def native_fourcc(self) -> int:
        return self._fourcc


pyvirtualcam.register_backend(_BACKEND, Backend)


def _ending(size: Size) -> NDArray[np.uint8]:
    """The card for viewers whose daemon was killed, in the sink's format."""
    picture = np.empty(PixelFormat.I420.shape(size), np.uint8)
    color.rgb_to_host(card.draw(card.FAULT, size), PixelFormat.I420, picture)
    return picture


def _load(path: str) -> str:
    number = path.removeprefix("/dev/video")
    number = number if number.isdigit() else "10"
    return f"sudo modprobe v4l2loopback devices=1 video_nr={number} card_label=camdaemon exclusive_caps=1 max_buffers=4"


def _reload(path: str) -> str:
    return f"sudo modprobe -r v4l2loopback && {_load(path)}"


def _check(fd: int, path: str) -> None:
    """That the node is a v4l2loopback device which takes a producer now."""
    try:
        is_a = v4l2.query_capability(fd)
    except OSError:
        raise DeviceError(f"{path} is not a video device; see your virtual cameras with: camdaemon devices") from None
    if not is_a.is_loopback:
        raise DeviceError(
            f"{path} is {is_a.card} ({is_a.driver}), not a virtual camera; see yours with: camdaemon devices, "
            f"or load one: {_load('')}"
        )
    if is_a.can_output:
        return
    if not is_a.can_capture:
        raise DeviceError(
            f"{path} is stuck: its last producer left it as neither camera nor output; reload it: {_reload(path)}"
        )
    _refuse_pinned(fd, path)
    raise DeviceError(
        f"another program already sends to {path}; it is open by {name_holders(path)}; close that, see it with: "
        f"fuser -v {path}"
    )


def _refuse_pinned(fd: int, path: str) -> None:
    with contextlib.suppress(OSError):
        if v4l2.get_control(fd, v4l2.KEEP_FORMAT):
            raise DeviceError(
                f"{path} is pinned to its format (keep_format, as v4l2loopback-ctl set-caps does); free it with: "
                f"sudo v4l2loopback-ctl set-caps {path} any"
            )


def _negotiate(fd: int, path: str, size: Size, fps: float) -> None:
    """Set I420, size and rate, and believe only the format read back: since 0.14 a held one stays without an error."""
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
            f"{path} takes no producer now ({exc.strerror}); it is open by {name_holders(path)}; close that, or reload "
            f"it: {_reload(path)}"
        ) from None
    if got != wanted:
        _refuse_pinned(fd, path)
        same = (got.width, got.height) == (size.width, size.height)
        way_out = f"see it with: fuser -v {path}" if same else f"or run with: --size {got.width}x{got.height}"
        raise DeviceError(
            f"{path} stays at {got} instead of {wanted}: it is held by {name_holders(path)}; close that, {way_out}"
        )
    if refused is not None:
        raise DeviceError(
            f"{path} takes no producer now ({refused.strerror}); it is open by {name_holders(path)}; close that, see "
            f"it with: fuser -v {path}"
        )
    with contextlib.suppress(OSError):  # only what is announced to viewers: the frames come at their own rate anyway
        v4l2.set_rate(fd, Stream.OUTPUT, fps)


def _why_unsent(path: str, wrong: OSError) -> str:
    if wrong.errno in (errno.EINVAL, errno.EBUSY):
        return f"another program sends to it, open by {name_holders(path)}; close that, see it with: fuser -v {path}"
    return f"{wrong.strerror}; if the module was unloaded, load it: {_load(path)}"
