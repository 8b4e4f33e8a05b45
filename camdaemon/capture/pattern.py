"""The built-in clip as a source: a webcam clip of 12 s that needs no camera. An empty room, then a person walks in.

`tests/pattern/render.py` makes the clip; its painter gives tests the true alpha, foreground and plate of each frame.
"""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.capture.file import FileSource
from camdaemon.errors import StreamEnded
from camdaemon.frames.frame import CAMERA_SIZE, HostFrame, PixelFormat, Size

CLIP = Path(__file__).with_name("pattern.mp4")
SECONDS = 12  # for the first three the room is empty
CLIP_FPS = 30
_CATCH_UP_S = 5.0  # a reader later than this, after a suspend for example, continues where it stopped


class PatternSource:
    """Play the clip at any size and rate (see the protocol `Source`).

    The clip is cropped about its middle and scaled to `size`; its frames are skipped or repeated to give `fps`.
    """

    name = "pattern"
    live = False
    has_controls = False
    fmt = PixelFormat.I420

    @classmethod
    def open(cls, spec: str, size: Size | None, fps: float, *, loop: bool, paced: bool) -> PatternSource:
        """See `open_source`. 1280x720 without a size."""
        return cls(size or CAMERA_SIZE, fps, loop=loop, paced=paced)

    def __init__(self, size: Size, fps: float, *, loop: bool, paced: bool) -> None:
        """Open the clip.

        Args:
            size: Size of the frames that `read` gives.
            fps: Their rate, in frames per second of the clip's own time.
            loop: Start again at the end of the clip; without it `read` raises StreamEnded there.
            paced: Frames come in real time, and a late reader gets the newest one that is due. Without it every frame
                comes as fast as it is read.
        """
        self.size, self.fps = size, fps
        self.count = None if loop else round(SECONDS * fps)
        self._loop, self._paced = loop, paced
        self._clip = FileSource(CLIP, loop=True, paced=False, raw=True)
        self._decoded = HostFrame.empty(self.fmt, self._clip.size)
        self._decoded_count = 0
        self._index = -1  # of the last frame that was read
        self._start: float | None = None  # when frame 0 was due; the clock runs from the first read

    def read(self, into: HostFrame) -> None:
        """See `Source.read`. Raises StreamEnded at the end of a clip that does not loop."""
        index = self._wait_for_newest() if self._paced else self._index + 1
        if index >= max(1, round(SECONDS * self.fps)) and not self._loop:
            raise StreamEnded("the pattern is over (it plays once)")
        needed = int(index * CLIP_FPS / self.fps + 1e-6) + 1  # 1e-6: 3 · 30 / 90 must not become 0.999…
        while self._decoded_count < needed:
            self._clip.read(self._decoded)
            self._decoded_count += 1
        _scale(self._decoded, into)
        self._index, into.t = index, time.monotonic() if self._paced else index / self.fps

    def close(self) -> None:
        """Close the clip."""
        self._clip.close()

    def _wait_for_newest(self) -> int:
        """Return the index of the newest unread frame that is due; sleep until there is one."""
        now, following = time.monotonic(), self._index + 1
        if self._start is None or now - self._start - following / self.fps > _CATCH_UP_S:
            self._start = now - following / self.fps
        index = max(following, int((now - self._start) * self.fps))
        time.sleep(max(0.0, self._start + index / self.fps - now))
        return index


def _scale(frame: HostFrame, into: HostFrame) -> None:
    """Copy an I420 frame into one of any size, cropped about its middle to the same shape."""
    if frame.size == into.size:
        into.data[:] = frame.data
        return
    x, y, w, h = (side // 2 for side in into.size.cover(frame.size.width, frame.size.height))  # in pixels of chroma
    smaller = into.size.width < 2 * w
    kernel = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    for step, source, target in zip((2, 1, 1), _planes(frame), _planes(into), strict=True):
        part = source[step * y : step * (y + h), step * x : step * (x + w)]
        target[:] = cv2.resize(part, target.shape[::-1], interpolation=kernel)


def _planes(frame: HostFrame) -> list[NDArray[np.uint8]]:
    height, width = frame.size.height, frame.size.width
    return [frame.data[:height], *frame.data[height:].reshape(2, height // 2, width // 2)]
