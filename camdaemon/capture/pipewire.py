"""A camera that PipeWire lists. Those of libcamera (IPU6, IPU7) have no other way; V4L2 is better for USB cameras."""

from __future__ import annotations

import logging
import threading
import time

import numpy as np
from numpy.typing import NDArray

from camdaemon.capture import jpeg, planes
from camdaemon.capture.modes import choose_mode, choose_size
from camdaemon.errors import DeviceError
from camdaemon.frames.frame import CAMERA_SIZE, HostFrame, PixelFormat, Size
from camdaemon.frames.picture import cover_into
from camdaemon.linux.pipewire import video
from camdaemon.linux.pipewire.buffer import Buffer
from camdaemon.linux.pipewire.camera import OWN
from camdaemon.linux.pipewire.cameras import FOURCCS, PipeWireCamera, ask_cameras
from camdaemon.linux.pipewire.connection import Connection
from camdaemon.linux.pipewire.registry import Global, Registry
from camdaemon.linux.pipewire.stream import Direction, Flag, State, Stream
from camdaemon.linux.pipewire.video import VideoFormat

log = logging.getLogger(__name__)

_STALL_S = 2.0
_LIST = "camdaemon devices"


class PipeWireSource:
    """A camera of PipeWire; see the protocol `Source` for threads and ownership.

    `fmt` is what the camera sends if that is YUV of the wanted size; else RGB, scaled down in `read` where it must be.

    Args:
        name: Name, description or serial of the camera; "" for the first one that V4L2 cannot read.
        size: Picture size to ask for; None: CAMERA_SIZE at most, see `Size.limit`.
        fps: Frames per second to ask for.

    Raises:
        DeviceError: PipeWire does not run, has no such camera, or the camera sends no first frame within 2 s.
    """

    live = True
    has_controls = False

    @classmethod
    def open(cls, spec: str, size: Size | None, fps: float, *, loop: bool, paced: bool) -> PipeWireSource:
        """See `open_source`. At most 1280x720 without a size."""
        return cls(spec.partition(":")[2], size, fps)

    def __init__(self, name: str, size: Size | None, fps: float) -> None:
        self._changed = threading.Condition()  # guards what follows
        self._format: VideoFormat | None = None
        self._has_frame, self._loss = False, ""
        self._stream: Stream | None = None
        self._registry: Registry | None = None
        self._last = time.monotonic()  # capture time of the last frame
        self._connection = Connection()
        try:
            camera = choose_camera(ask_cameras(self._connection), name)
            self.name, self._description = camera.name, camera.description
            asked = choose_mode(camera.device, size or CAMERA_SIZE, fps)
            pixels = [each for each, fourcc in FOURCCS.items() if fourcc == asked.fourcc]
            offers = video.ask(pixels, asked.width, asked.height, fps)
            with self._connection.lock():
                self._connect(camera, offers)
            self._negotiate(size, fps)
        except BaseException:
            self.close()
            raise

    def _connect(self, camera: PipeWireCamera, offers: list[bytes]) -> None:
        properties = {
            "media.type": "Video",
            "media.category": "Capture",
            "media.role": "Camera",
            "node.name": "camdaemon.camera",
            "target.object": camera.serial,
            "node.dont-reconnect": "true",  # never another camera in its place
            OWN: "true",
        }
        self._registry = Registry(self._connection, on_removed=lambda gone: self._on_removed(gone, camera.id))
        self._stream = Stream(
            self._connection, "camdaemon", properties, self._on_state, self._on_format, on_process=self._on_process
        )
        self._stream.connect(Direction.INPUT, Flag.AUTOCONNECT | Flag.MAP_BUFFERS, offers)

    def _negotiate(self, size: Size | None, fps: float) -> None:
        """Wait for the first frame, and take over the format that it has."""
        self._wait_for_frame()
        got = self._format
        if got is None:
            raise DeviceError(f"{self._description} sends no format that is known here. Run: {_LIST}")
        self.size = choose_size(size, got.width, got.height)
        is_plain = (self.size.width, self.size.height) == (got.width, got.height)
        native = planes.NATIVE.get(got.pixels) if got.pixels is not None and is_plain else None
        self.fmt = native or (PixelFormat.BGR if got.pixels is None else PixelFormat.RGB)
        self.fps = got.fps or fps
        self._got = got
        sent = "MJPG" if got.pixels is None else got.pixels.name
        log.info(
            "camera mode of %s: got %s %dx%d at %g fps; using %s",
            self.name, sent, got.width, got.height, self.fps, self.size,
        )  # fmt: skip

    def read(self, into: HostFrame) -> None:
        """See Source.read. Broken pictures are skipped; `t` is the driver's timestamp if there is one."""
        deadline = time.monotonic() + _STALL_S
        while True:
            self._wait_for_frame()
            taken = self._take_newest()
            if taken is not None:
                break
            if time.monotonic() > deadline:
                raise DeviceError(f"{self._description} sends only broken pictures. Run: {_LIST}")
        picture, into.t = taken
        if into.data.shape == picture.shape:
            np.copyto(into.data, picture)
        else:
            cover_into(into.data, picture)

    def _wait_for_frame(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._has_frame or self._loss, _STALL_S)
            if self._loss:
                raise DeviceError(f"{self._description} is gone: {self._loss}. Plug it in. Run: {_LIST}")
            if not self._has_frame:
                raise DeviceError(f"{self._description} sent no frame for {_STALL_S:g} s. Replug it. Run: {_LIST}")

    def _take_newest(self) -> tuple[NDArray[np.uint8], float] | None:
        """Copy the newest frame, drop those before it, and return it with its time; None if it is broken."""
        assert self._stream is not None
        with self._connection.lock():
            with self._changed:
                self._has_frame = False
                is_other = self._format != self._got
            if is_other:
                raise DeviceError(f"{self._description} has changed its format. Run: {_LIST}")
            newest = None
            while (buffer := self._stream.dequeue()) is not None:
                if newest is not None:
                    self._stream.queue(newest)
                newest = buffer
            if newest is None:
                return None
            try:
                picture, t = self._copy(newest), self._time_of(newest)
            finally:
                self._stream.queue(newest)
        return None if picture is None else (self._convert(picture), t)

    def _copy(self, buffer: Buffer) -> NDArray[np.uint8] | None:
        if self._got.pixels is not None:
            return planes.gather(buffer, self._got.pixels, self._got.width, self._got.height)
        offset, size, _, is_whole = buffer.read_chunk()
        decoded = jpeg.decode(buffer.memory()[offset : offset + size].copy()) if size and is_whole else None
        return decoded if decoded is not None and decoded.shape[:2] == (self._got.height, self._got.width) else None

    def _convert(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.fmt is PixelFormat.RGB and self._got.pixels is not None:
            return planes.to_rgb(picture, self._got.pixels)
        return picture

    def _time_of(self, buffer: Buffer) -> float:
        """Return when a frame was taken, on the clock of time.monotonic(); PipeWire's stamps may be of another one."""
        now, header = time.monotonic(), buffer.header
        stamp = header.pts / 1e9 if header is not None and header.pts > 0 else 0.0
        t = stamp if self._last - _STALL_S < stamp <= now else now
        self._last = t
        return t

    def _on_process(self) -> None:
        with self._changed:
            self._has_frame = True
            self._changed.notify_all()

    def _on_state(self, state: State, why: str) -> None:
        if state in (State.ERROR, State.UNCONNECTED):
            self._lose(why or "PipeWire has ended it")

    def _on_removed(self, gone: Global, camera: int) -> None:
        if gone.id == camera:
            self._lose("PipeWire no longer lists it")

    def _lose(self, why: str) -> None:
        with self._changed:
            self._loss = self._loss or why
            self._changed.notify_all()

    def _on_format(self, pod: bytes | None) -> None:
        with self._changed:
            self._format = video.read_format(pod) if pod is not None else None
        if pod is not None and self._stream is not None:
            self._stream.update([video.take_buffers(), *video.ask_metas()])

    def close(self) -> None:
        """See Source.close."""
        if self._connection.is_open:
            with self._connection.lock():
                for part in (self._stream, self._registry):
                    if part is not None:
                        part.close()
            self._connection.close()


def choose_camera(cameras: list[PipeWireCamera], name: str) -> PipeWireCamera:
    """Return the camera that is called `name`; for "" the first that is neither ours nor V4L2's.

    Raises:
        DeviceError: There is none, or it is our own picture.
    """
    others = [camera for camera in cameras if not camera.is_own]
    if name:
        if found := next((camera for camera in others if camera.is_called(name)), None):
            return found
        if any(camera.is_called(name) for camera in cameras):
            raise DeviceError(f"pipewire:{name} is camdaemon's own picture. Choose a camera. Run: {_LIST}")
        raise DeviceError(f"PipeWire lists no camera {name!r}. Plug it in. Run: {_LIST}")
    if found := next((camera for camera in others if not camera.v4l2_path), None):
        return found
    paths = ", ".join(camera.v4l2_path for camera in others)
    also = f" but those that V4L2 reads: choose --source {paths}" if paths else ""
    raise DeviceError(f"PipeWire lists no camera{also}. Run: {_LIST}")
