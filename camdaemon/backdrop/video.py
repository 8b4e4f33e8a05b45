"""A video from a file, played in a loop at its own times, decoded in a thread of its own."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av

from camdaemon.backdrop.still import UploadedPicture
from camdaemon.errors import DeviceError
from camdaemon.frames.frame import Size
from camdaemon.frames.handoff import Mailbox
from camdaemon.frames.picture import CALM, Picture, Upload
from camdaemon.frames.pixels import Array
from camdaemon.frames.video import Video
from camdaemon.linux.folders import expand_home
from camdaemon.linux.threads import lower_priority

log = logging.getLogger(__name__)

_CATCH_UP_S = 5.0  # behind by more than this (after a suspend), the video goes on from where it was


def open_clip(path: Path) -> Video:
    """Open a video as a backdrop. Raises ConfigError."""
    return Video(path, "backdrop", "Run: camdaemon run --backdrop blur", over=CALM)


class VideoBackdrop:
    """Plays a video in a loop. A video that breaks later stays on its last good frame.

    The decoding thread owns the file, and a mailbox hands its newest frame to the worker, which never waits. The first
    frame is decoded at construction.

    Raises:
        ConfigError: The file is not a video that can be played.
    """

    needs_plate = False

    def __init__(self, spec: str, path: Path, size: Size) -> None:
        self.spec = spec
        clip = open_clip(path)
        self._shown: UploadedPicture | None = None
        self._frames: Mailbox[Picture] = Mailbox()
        self._frames.put(clip.convert.cover(clip.first, size))
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=_play, args=(clip, size, self._frames, self._stop), name="backdrop", daemon=True
        )
        self._thread.start()

    @staticmethod
    def check(spec: str) -> None:
        """See BackdropClass.check. That the file exists is known already."""

    @classmethod
    def open(cls, spec: str, size: Size) -> VideoBackdrop:
        """See BackdropClass.open."""
        return cls(spec, Path(os.path.expanduser(spec)), size)

    def picture(self, t: float, plate: Array, upload: Upload) -> Array:
        """See Backdrop.picture. The video runs on the wall clock, not on `t`."""
        newest = self._frames.take(0)
        if newest is not None:
            self._shown = UploadedPicture(newest)
        assert self._shown is not None  # the constructor has put the first frame
        return self._shown.on_device_of(plate, upload)

    def close(self) -> None:
        """See Backdrop.close. Waits for the decoding thread at most a second."""
        self._stop.set()
        self._thread.join(1.0)


class ClipBackdrop:
    """Plays a video in a loop by the time of the frames that it is for, not the clock: the same result on any machine.

    Raises:
        ConfigError: The file is not a video that can be played.
    """

    needs_plate = False

    def __init__(self, spec: str, size: Size) -> None:
        self.spec, self._size = spec, size
        self._video = open_clip(expand_home(spec))
        self._frames: Iterator[tuple[float, av.VideoFrame]] = self._video.play(loop=True)
        self._next = next(self._frames)
        self._shown: UploadedPicture | None = None

    def picture(self, t: float, plate: Array, upload: Upload) -> Array:
        """Return the newest picture that is due at `t` seconds; `t` must not decrease. See Backdrop.picture."""
        due = None
        try:
            while (self._shown is None and due is None) or self._next[0] <= t + 1e-6:
                due = self._next[1]
                self._next = next(self._frames)
        except (av.FFmpegError, DeviceError) as exc:
            log.warning("backdrop video stopped: %s; its last picture stays", exc)
            self._next = math.inf, self._next[1]
        if due is not None:
            self._shown = UploadedPicture(self._video.convert.cover(due, self._size))
        assert self._shown is not None
        return self._shown.on_device_of(plate, upload)

    def close(self) -> None:
        """Close the file."""
        self._video.close()


def _play(clip: Video, size: Size, frames: Mailbox[Picture], stop: threading.Event) -> None:
    """Decode in a loop, and put each picture into `frames` when it is due. Body of a thread; owns `clip`."""
    lower_priority()
    start = shown = time.monotonic()
    try:
        for due, frame in clip.play(loop=True):
            now = time.monotonic()
            if now - start - due > _CATCH_UP_S:
                start = now - due
            if stop.wait(max(0.0, start + due - now)):
                return
            if start + due - now < -0.1 and now - shown < 0.25:
                continue  # late: decode on, and convert only a few
            frames.put(clip.convert.cover(frame, size))
            shown = time.monotonic()
    except (av.FFmpegError, DeviceError) as exc:
        log.warning("backdrop video stopped: %s; its last picture stays", exc)
    finally:
        clip.close()
