"""A program that watches the virtual camera by mmap, as a program for calls does; every picture is judged."""

from __future__ import annotations

import itertools
import mmap
import os
import select
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path

import cv2
import numpy as np
from footage import SIZE, read_number
from inside.judge import COMPOSITE, ROOM, STRANGE, Judge
from inside.webcam import Webcam

from camdaemon.frames.frame import Size
from camdaemon.linux import v4l2
from camdaemon.linux.v4l2 import Stream

_COUNT = 4
_REQUEST = struct.Struct("=III8x")  # v4l2_requestbuffers: count type memory
_BUFFER = struct.Struct("=IIIIIxxxx16x16xIIQII8x")  # v4l2_buffer: index type bytesused flags field … sequence …
_MMAP = 1
_REQBUFS = v4l2.request(v4l2.READ | v4l2.WRITE, 8, _REQUEST)
_QUERYBUF = v4l2.request(v4l2.READ | v4l2.WRITE, 9, _BUFFER)
_QBUF = v4l2.request(v4l2.READ | v4l2.WRITE, 15, _BUFFER)
_DQBUF = v4l2.request(v4l2.READ | v4l2.WRITE, 17, _BUFFER)
_STREAMOFF = v4l2.request(v4l2.WRITE, 19, struct.Struct("=i"))


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture."""

    t: float  # when it was read, time.monotonic
    word: str  # what it shows; see judge.py
    marked: float  # share of pixels in the room's marker color
    number: int | None  # of the camera's frame, by its badge
    age: float | None  # seconds since the camera sent that frame

    @property
    def sent(self) -> float:
        """When the camera sent what it shows, time.monotonic; `t` if that is unknown."""
        return self.t - (self.age or 0.0)


class Viewer:
    """Streams from a node on its own thread until `close`.

    Attributes:
        path: The node.
        size: Size of its pictures.
        began: When it started, time.monotonic.
        seen: Every picture so far.
        errors: Errors of the device so far.
        last: The newest picture, (H,W,3) uint8 RGB.
    """

    def __init__(self, path: str, save: Path, webcam: Webcam | None = None) -> None:
        self.path = path
        self.seen: list[Seen] = []
        self.errors: list[str] = []
        self.last: np.ndarray | None = None
        self._save, self._webcam = save, webcam
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._saved: set[str] = set()
        self.began = time.monotonic()
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        try:
            got = v4l2.get_format(self._fd, Stream.CAPTURE)
            if got.fourcc != "YU12":
                raise RuntimeError(f"{path} gives {got}, not YU12")
            self.size = Size(got.width, got.height)
            self._judge = Judge(self.size)
            self._maps = self._start_streaming()
        except BaseException:
            os.close(self._fd)
            raise
        self._thread = threading.Thread(target=self._watch, name="viewer")
        self._thread.start()

    def _start_streaming(self) -> list[mmap.mmap]:
        count = v4l2.call(self._fd, _REQBUFS, _REQUEST, _COUNT, Stream.CAPTURE, _MMAP)[0]
        maps = []
        for index in range(count):
            *_, offset, length, _ = self._buffer(_QUERYBUF, index)
            maps.append(mmap.mmap(self._fd, length, offset=offset))
            self._buffer(_QBUF, index)
        v4l2.stream_on(self._fd, Stream.CAPTURE)
        return maps

    def _buffer(self, what: int, index: int = 0) -> tuple[int, ...]:
        return v4l2.call(self._fd, what, _BUFFER, index, Stream.CAPTURE, 0, 0, 0, 0, _MMAP, 0, 0, 0)

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        while not self._stop.is_set():
            try:
                if not poll.poll(100):
                    continue
                index, _, used, *_ = self._buffer(_DQBUF)
                t = time.monotonic()
                picture = np.frombuffer(self._maps[index], np.uint8, self.size.width * self.size.height * 3 // 2).copy()
                self._buffer(_QBUF, index)
            except BlockingIOError:
                continue
            except OSError as exc:
                self.errors.append(f"{time.monotonic() - self.began:.1f} s: {exc.strerror}")
                self._stop.wait(0.1)
                continue
            if used:
                self._judge_picture(picture, t)

    def _judge_picture(self, i420: np.ndarray, t: float) -> None:
        rows = i420.reshape(self.size.height * 3 // 2, self.size.width)
        rgb = np.asarray(cv2.cvtColor(rows, cv2.COLOR_YUV2RGB_I420), np.uint8)
        verdict = self._judge(rgb)
        webcam = self._webcam if verdict.word == COMPOSITE and self.size == SIZE else None
        number = read_number(rgb) if webcam is not None else None
        age = webcam.age(number, t) if webcam is not None and number is not None else None
        if verdict.word not in self._saved:
            self._saved.add(verdict.word)
            name = f"{Path(self.path).name}-{verdict.word.replace(':', '-').replace(' ', '-')}.png"
            cv2.imwrite(str(self._save / name), rgb[..., ::-1])
        with self._changed:
            self.last = rgb
            self.seen.append(Seen(t, verdict.word, verdict.marked, number, age))
            self._changed.notify_all()

    def wait(self, what: str | Callable[[Seen], bool], seconds: float, since: float = 0.0) -> Seen:
        """Wait for the first picture after `since` that shows `what`, a word or its start. Raises AssertionError."""
        is_wanted = what if callable(what) else lambda seen: seen.word.startswith(what)
        end, at = time.monotonic() + seconds, 0
        with self._changed:
            while True:
                for seen in itertools.islice(self.seen, at, None):
                    if seen.t > since and is_wanted(seen):
                        return seen
                at = len(self.seen)
                if not self._changed.wait(max(0.0, end - time.monotonic())):
                    break
        raise AssertionError(f"viewers did not see {what} within {seconds:g} s, but: {self.story() or 'nothing'}")

    def between(self, begin: float, end: float = float("inf")) -> list[Seen]:
        """Return what was seen between two times."""
        with self._changed:
            return [seen for seen in self.seen if begin <= seen.t <= end]

    def story(self) -> str:
        """Return what was seen, frame by frame: 'card:standby 3, composite 120, …'."""
        with self._changed:
            words = [seen.word for seen in self.seen]
        return ", ".join(f"{word} {sum(1 for _ in run)}" for word, run in itertools.groupby(words))

    def bad(self) -> list[Seen]:
        """Return every forbidden picture."""
        with self._changed:
            return [seen for seen in self.seen if seen.word in (ROOM, STRANGE)]

    def close(self) -> None:
        """Stop streaming. May be called twice."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join()
        with suppress(OSError):
            ioctl(self._fd, _STREAMOFF, struct.pack("=i", Stream.CAPTURE))
        for each in self._maps:
            each.close()
        os.close(self._fd)
