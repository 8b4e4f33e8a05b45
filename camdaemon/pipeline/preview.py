"""The live preview for the panel: camera, alpha and composite, small. Costs nothing while it is not looked at."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import ConfigError
from camdaemon.frames import color, picture
from camdaemon.frames.frame import HostFrame
from camdaemon.frames.picture import Picture
from camdaemon.frames.pixels import Array, is_host

VIEWS = ("composite", "alpha", "camera")
_MAX_WIDTH = 640  # pixels
_PERIOD_S = 0.06  # between two pictures
_INTEREST_S = 1.0  # for which pictures are made after a request


@dataclass(slots=True)
class _Slot:
    """The newest picture of one view."""

    number: int = 0  # of the picture, from 1
    picture: NDArray[np.uint8] | HostFrame | None = None
    wanted_until: float = 0.0  # time.monotonic()
    next_at: float = 0.0  # time.monotonic()


@dataclass(slots=True)
class LivePreview:
    """Pictures of the three views, made while they are asked for.

    `record_published` is for the output thread, `record_matted` for the worker; neither waits. `jpeg` is for any other
    thread.
    """

    _changed: threading.Condition = field(default_factory=threading.Condition)
    _slots: dict[str, _Slot] = field(default_factory=lambda: {view: _Slot() for view in VIEWS})

    def record_published(self, frame: HostFrame) -> None:
        """Keep a copy of `frame`, which was written: what viewers see, whatever it is."""
        if self._due("composite"):
            copy = HostFrame(frame.data.copy(), frame.fmt, frame.size, frame.seq, frame.t, frame.content)
            self._keep("composite", copy)

    def record_matted(self, src: Array, alpha: Array | None) -> None:
        """Keep a copy of the camera's picture `src`, (1,3,H,W), and of its matte `alpha`, (1,1,H,W), if any."""
        for view, found in (("camera", src), ("alpha", alpha)):
            if found is not None and self._due(view):
                self._keep(view, picture.copy_to_host(_shrink(found)))

    def jpeg(self, view: str, after: int, timeout: float) -> tuple[int, bytes] | None:
        """See control.panel.app.Preview. Raises ConfigError for a view that is not in VIEWS."""
        slot = self._slots.get(view)
        if slot is None:
            raise ConfigError(f"there is no view {view!r}; it can be {', '.join(VIEWS)}")
        end = time.monotonic() + timeout
        with self._changed:
            if slot.wanted_until < time.monotonic():
                slot.picture = None  # of the last visit: not what is seen now
            slot.wanted_until = max(slot.wanted_until, end + _INTEREST_S)
            if not self._changed.wait_for(lambda: slot.picture is not None and slot.number > after, timeout):
                return None
            number, found = slot.number, slot.picture
        return number, _compress(found) if found is not None else b""

    def _due(self, view: str) -> bool:
        now, slot = time.monotonic(), self._slots[view]
        return slot.next_at <= now < slot.wanted_until

    def _keep(self, view: str, found: NDArray[np.uint8] | HostFrame) -> None:
        with self._changed:
            slot = self._slots[view]
            slot.number, slot.picture, slot.next_at = slot.number + 1, found, time.monotonic() + _PERIOD_S
            self._changed.notify_all()


def _shrink(found: Array) -> Array:
    """Shrink floats on their device; bytes are shrunk later, when they are compressed."""
    if is_host(found):
        return found
    from torch.nn import functional

    height, width = found.shape[-2:]
    share = min(1.0, _MAX_WIDTH / width)
    return functional.interpolate(found, (round(height * share), round(width * share)), mode="area")


def _compress(found: NDArray[np.uint8] | HostFrame) -> bytes:
    """Encode a frame, (H,W,3) RGB or (H,W) gray, as a JPEG of at most 640 pixels in width."""
    pixels: Picture = color.host_to_rgb(found.data, found.fmt) if isinstance(found, HostFrame) else found
    if pixels.shape[1] > _MAX_WIDTH:
        size = (_MAX_WIDTH, round(pixels.shape[0] * _MAX_WIDTH / pixels.shape[1]))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    if pixels.ndim == 3:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return data.tobytes()
