"""The webcam's program: `feeder.py FOOTAGE yuyv|mjpg FPS NODE TIMES`. A process, so that it can be stopped and killed.

It runs until it is killed. TIMES is a file of COUNT doubles: when each frame was last sent (time.monotonic), so that a
viewer that reads a frame's number knows its age.
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

COUNT, WIDTH, HEIGHT = 128, 640, 360  # as in footage.py, which takes longer to import than a camera may take to start


def main(footage: str, kind: str, fps: str, node: str, times: str) -> None:
    """Send frame after frame, each at its time; late ones are skipped."""
    pictures = _pictures(Path(footage), kind)
    sent = np.memmap(times, np.float64, "r+", shape=(COUNT,))
    fd = os.open(node, os.O_RDWR)
    v4l2.set_format(fd, Stream.OUTPUT, Format({"yuyv": "YUYV", "mjpg": "MJPG"}[kind], WIDTH, HEIGHT))
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


def _pictures(footage: Path, kind: str) -> list[memoryview]:
    whole = memoryview((footage / kind).read_bytes())
    if kind == "yuyv":
        size = WIDTH * HEIGHT * 2
        return [whole[at : at + size] for at in range(0, len(whole), size)]
    ends = [0, *np.fromfile(footage / "mjpg.ends", np.int64).tolist()]
    return [whole[a:b] for a, b in pairwise(ends)]


if __name__ == "__main__":
    main(*sys.argv[1:])
