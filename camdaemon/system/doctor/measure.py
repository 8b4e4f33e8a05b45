"""The real rate of a camera, by reading it as the daemon would."""

from __future__ import annotations

import itertools
import time

from camdaemon.frames.frame import HostFrame, Size

_SECONDS = 2.0
_LEAST = 2  # frames: one has no rate


def measure(path: str, size: Size, fps: float) -> tuple[float, float]:
    """(frames per second, seconds of the longest gap) over 2 s of real time; DeviceError when the camera fails."""
    from camdaemon.capture.v4l2 import V4l2Source

    source = V4l2Source(path, size, fps)
    try:
        frame = HostFrame.empty(source.fmt, source.size)
        stamps: list[float] = []
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end or len(stamps) < _LEAST:
            source.read(frame)
            stamps.append(frame.t)
    finally:
        source.close()
    gaps = [after - before for before, after in itertools.pairwise(stamps)]
    return len(gaps) / max(sum(gaps), 1e-9), max(gaps)
