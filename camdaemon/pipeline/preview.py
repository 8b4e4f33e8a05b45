"""What camdaemon sees and shows, small, for the user's own eyes. Costs nothing while nobody looks."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from camdaemon.errors import ConfigError
from camdaemon.frames import color, picture
from camdaemon.frames.frame import HostFrame
from camdaemon.frames.picture import Picture

VIEWS = ("composite", "alpha", "camera")
_WIDEST = 640  # pixels
_PERIOD = 0.06  # seconds between two pictures
_INTEREST = 1.0  # seconds that pictures are made after somebody asked


@dataclass(slots=True)
class _Slot:
    """number: of the newest picture, from 1.   wanted_until, next_at: time.monotonic."""

    number: int = 0
    picture: NDArray[np.uint8] | HostFrame | None = None
    wanted_until: float = 0.0
    next_at: float = 0.0


@dataclass(slots=True)
class LivePreview:
    """`published` is for the output thread, `looked` for the worker; neither waits. `jpeg` is for any other thread."""

    _changed: threading.Condition = field(default_factory=threading.Condition)
    _slots: dict[str, _Slot] = field(default_factory=lambda: {view: _Slot() for view in VIEWS})

    def published(self, frame: HostFrame) -> None:
        """`frame` was written: keep a copy of what viewers see, whatever it is."""
        if self._due("composite"):
            copy = HostFrame(frame.data.copy(), frame.fmt, frame.size, frame.seq, frame.t, frame.content)
            self._keep("composite", copy)

    def looked(self, src: Tensor, alpha: Tensor | None) -> None:
        """The worker's frame before the matte, (1,3,H,W), and its matte (1,1,H,W), if there is one."""
        for view, tensor in (("camera", src), ("alpha", alpha)):
            if tensor is not None and self._due(view):
                self._keep(view, picture.from_tensor(_smaller(tensor)))

    def jpeg(self, view: str, after: int, timeout: float) -> tuple[int, bytes] | None:
        """See control.verbs.Preview. Raises ConfigError for a view that is not in VIEWS."""
        slot = self._slots.get(view)
        if slot is None:
            raise ConfigError(f"there is no view {view!r}; it can be {', '.join(VIEWS)}")
        end = time.monotonic() + timeout
        with self._changed:
            if slot.wanted_until < time.monotonic():
                slot.picture = None  # from when somebody looked last: not what is seen now
            slot.wanted_until = max(slot.wanted_until, end + _INTEREST)
            if not self._changed.wait_for(lambda: slot.picture is not None and slot.number > after, timeout):
                return None
            number, found = slot.number, slot.picture
        return number, _compressed(found) if found is not None else b""

    def _due(self, view: str) -> bool:
        now, slot = time.monotonic(), self._slots[view]
        return slot.next_at <= now < slot.wanted_until

    def _keep(self, view: str, found: NDArray[np.uint8] | HostFrame) -> None:
        with self._changed:
            slot = self._slots[view]
            slot.number, slot.picture, slot.next_at = slot.number + 1, found, time.monotonic() + _PERIOD
            self._changed.notify_all()


def _smaller(tensor: Tensor) -> Tensor:
    """Floats made small where they lie; bytes are later, when they are compressed."""
    if not tensor.is_floating_point():
        return tensor
    height, width = tensor.shape[-2:]
    share = min(1.0, _WIDEST / width)
    return F.interpolate(tensor, (round(height * share), round(width * share)), mode="area")


def _compressed(found: NDArray[np.uint8] | HostFrame) -> bytes:
    """JPEG of a frame, (H,W,3) RGB or (H,W) gray, at most 640 pixels wide."""
    pixels: Picture = color.host_to_rgb(found.data, found.fmt) if isinstance(found, HostFrame) else found
    if pixels.shape[1] > _WIDEST:
        size = (_WIDEST, round(pixels.shape[0] * _WIDEST / pixels.shape[1]))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    if pixels.ndim == 3:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), np.uint8)
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return data.tobytes()
