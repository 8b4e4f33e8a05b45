"""The webcam's program: `feeder.py FOOTAGE KIND FPS NODE TIMES`. A process, so that it can be stopped and killed.

KIND is yuyv or mjpg, with `-broken` after it if every fifth frame is to lose data, as on a bad cable. TIMES is a file
of COUNT doubles: when each frame was last sent (time.monotonic), so that a viewer that reads a frame's number knows its
age. It runs until it is killed.
"""

from __future__ import annotations

import os
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from camdaemon.linux import v4l2
from camdaemon.linux.v4l2 import Format, Stream

_BROKEN = 5  # every so many frames
_PACKET = 3072  # bytes on USB: half the width of three rows
COUNT, WIDTH, HEIGHT = 128, 640, 360  # as in footage.py, which takes longer to import than a camera may take to start


def main(footage: str, kind: str, fps: str, node: str, times: str) -> None:
    """Send frame after frame, each at its time; late ones are skipped."""
    pictures = _pictures(Path(footage), kind)
    sent = np.memmap(times, np.float64, "r+", shape=(COUNT,))
    fd = os.open(node, os.O_RDWR)
    v4l2.set_format(fd, Stream.OUTPUT, Format({"yuyv": "YUYV", "mjpg": "MJPG"}[kind[:4]], WIDTH, HEIGHT))
    v4l2.set_rate(fd, Stream.OUTPUT, float(fps))
    start, step, streams = time.monotonic(), 1 / float(fps), False
    due = 0
    while True:
        time.sleep(max(0.0, start + due * step - time.monotonic()))
        due = max(due, int((time.monotonic() - start) / step))
        number = due * 30 // max(1, round(float(fps))) % COUNT  # the footage's own time, whatever the rate
        sent[number] = time.monotonic()
        os.write(fd, pictures[number])
        if not streams:  # otherwise 0.12.7 leaves the node unusable when this process ends
            streams = True
            v4l2.stream_on(fd, Stream.OUTPUT)
        due += 1


def _pictures(footage: Path, kind: str) -> list[bytes]:
    whole = (footage / kind[:4]).read_bytes()
    size = WIDTH * HEIGHT * 2
    ends = list(range(0, len(whole) + 1, size))
    if kind.startswith("mjpg"):
        ends = [0, *np.fromfile(footage / "mjpg.ends", np.int64).tolist()]
    pictures = [whole[a:b] for a, b in pairwise(ends)]
    if kind.endswith("-broken"):
        for number in range(4, len(pictures), _BROKEN):
            pictures[number] = _lose(pictures[number], number)
    return pictures


def _lose(picture: bytes, number: int) -> bytes:
    """Return `picture` without one packet of its data; what comes after that moves up, and a raw one keeps its size."""
    at, lost = len(picture) * (3 + number // _BROKEN % 5) // 10, _PACKET + 64 * (number % 7)
    left = picture[:at] + picture[at + lost :]
    return left if picture.startswith(b"\xff\xd8") else left + picture[-lost:]


if __name__ == "__main__":
    main(*sys.argv[1:])
