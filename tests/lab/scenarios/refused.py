"""A virtual camera is fed by another program, pinned to a format, or absent: camdaemon exits with 3."""

from __future__ import annotations

import os

from inside import module
from inside.bench import Bench
from inside.module import SECOND, VIRTUAL

from camdaemon.linux import v4l2
from camdaemon.linux.v4l2 import Format, Stream


def play(bench: Bench) -> None:
    bench.webcam()
    pattern = ["-re", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=10"]
    bench.start_program("ffmpeg", "-nostdin", "-v", "error", *pattern, "-f", "v4l2", VIRTUAL)
    bench.wait_until(lambda: module.capability(VIRTUAL).can_capture, 20, "ffmpeg feeds the virtual camera")
    _check_refusal(bench, VIRTUAL, "another program already sends", "ffmpeg")
    _check_refusal(bench, module.VIVID, "does not exist")
    _pin(bench.version)
    _check_refusal(bench, SECOND, "pinned", "set-caps")


def _pin(version: str) -> None:
    """Pin the second camera as `v4l2loopback-ctl set-caps` does."""
    fd = os.open(SECOND, os.O_RDWR)
    try:
        v4l2.set_format(fd, Stream.OUTPUT, Format("YUYV", 320, 240))
        if version == "0.12.7":  # which keeps a format only after a frame was sent in it
            os.write(fd, bytes(320 * 240 * 2))
            v4l2.stream_on(fd, Stream.OUTPUT)
        v4l2.set_control(fd, v4l2.KEEP_FORMAT, 1)
    finally:
        os.close(fd)


def _check_refusal(bench: Bench, sink: str, *words: str) -> None:
    daemon = bench.daemon("--sink", sink, ready=False)
    assert daemon.ended(30) == 3, f"it exits with 3 for a device: {daemon.log()}"
    said = daemon.log().strip().splitlines()[-1]
    assert all(word in said for word in words), f"{sink}: {said!r} lacks one of {words}"
