"""Programs that read a camera of PipeWire, in one pixel format only, and what their pictures show."""

from __future__ import annotations

import signal
import subprocess
import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.frames.frame import Size
from tests.pipewire_session import PipeWireSession, wait_until


class GstReader:
    """A program that reads the camera `target` in one pixel format only; its frames are bytes, oldest first.

    `remote` is the connection to PipeWire that it uses, a file descriptor; None for one of its own.
    """

    def __init__(self, session: PipeWireSession, target: str, fmt: str, size: Size, remote: int | None = None) -> None:
        self._fmt, self._size = fmt, size
        self._bytes = size.width * size.height * {"I420": 3, "NV12": 3, "YUY2": 4, "BGRx": 8}[fmt] // 2
        given = [] if remote is None else [remote]
        source = ["pipewiresrc", *([f"target-object={target}"] if target else []), *(f"fd={each}" for each in given)]
        filters = f"video/x-raw,format={fmt}"
        command = ["gst-launch-1.0", "-q", *source, "!", filters, "!", "fdsink", "fd=1", "sync=false"]
        self.errors = (session.folder / f"reader-{fmt}.log").open("w+b")
        self.process = subprocess.Popen(
            command, env=session.environ, pass_fds=given, stdout=subprocess.PIPE, stderr=self.errors
        )
        self.frames: list[NDArray[np.uint8]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while len(data := self.process.stdout.read(self._bytes)) == self._bytes:
            self.frames.append(np.frombuffer(data, np.uint8))

    def wait_for(self, count: int) -> None:
        """Wait until that many frames have come."""
        wait_until(lambda: len(self.frames) >= count, f"frame {count}; {self.complaints()}")

    def complaints(self) -> str:
        """What the program wrote about errors."""
        return Path(self.errors.name).read_text("utf-8", "replace")

    def kill(self) -> None:
        """Kill it at once."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """Have it end in order."""
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._thread.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.errors.close()

    def pictures(self) -> list[NDArray[np.uint8]]:
        """What it has read until now, as (H,W,3) RGB."""
        return [self._to_rgb(data) for data in list(self.frames)]

    def _to_rgb(self, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
        width, height = self._size.width, self._size.height
        match self._fmt:
            case "BGRx":
                return np.ascontiguousarray(data.reshape(height, width, 4)[..., 2::-1])
            case "YUY2":
                return np.asarray(cv2.cvtColor(data.reshape(height, width, 2), cv2.COLOR_YUV2RGB_YUYV), np.uint8)
            case _:
                code = cv2.COLOR_YUV2RGB_I420 if self._fmt == "I420" else cv2.COLOR_YUV2RGB_NV12
                return np.asarray(cv2.cvtColor(data.reshape(height * 3 // 2, width), code), np.uint8)
