"""A video from a file, played in a loop at its own speed, decoded in a thread of its own."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from torch import Tensor

from camdaemon.backdrop import ONLY_VIDEOS
from camdaemon.backdrop.still import UploadedPicture
from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from camdaemon.frames.handoff import Mailbox
from camdaemon.frames.picture import Upload
from camdaemon.linux.threads import lower_priority

log = logging.getLogger(__name__)


class VideoBackdrop:
    """Plays a video in a loop. A video that breaks later stays on its last good frame.

    The decoding thread owns the file, and a mailbox hands its newest frame to the worker, which never waits. The first
    frame is decoded at construction.

    Raises:
        ConfigError: The file is not a video that can be played.
    """

    def __init__(self, spec: str, path: Path, size: Size) -> None:
        self.spec = spec
        try:
            container = av.open(str(path), options=ONLY_VIDEOS)
            first = next(container.decode(video=0))
        except (av.FFmpegError, StopIteration, IndexError, ValueError) as exc:
            raise ConfigError(
                f"cannot play backdrop {path}: {exc or 'no frames'}. Run: camdaemon run --backdrop blur"
            ) from None
        self._shown: UploadedPicture | None = None
        self._frames: Mailbox[picture.Picture] = Mailbox()
        self._frames.put(_fit(first, size))
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=_play, args=(container, size, self._frames, self._stop), name="backdrop", daemon=True
        )
        self._thread.start()

    @staticmethod
    def check(spec: str) -> None:
        """See BackdropClass.check. That the file exists is known already."""

    @classmethod
    def open(cls, spec: str, size: Size) -> VideoBackdrop:
        """See BackdropClass.open."""
        return cls(spec, Path(os.path.expanduser(spec)), size)

    def picture(self, t: float, plate: Tensor, upload: Upload) -> Tensor:
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


def _fit(frame: av.VideoFrame, size: Size) -> picture.Picture:
    return picture.cover(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), size)


def _play(container: InputContainer, size: Size, frames: Mailbox[picture.Picture], stop: threading.Event) -> None:
    """Decode in a loop, and put each picture into `frames` when it is due. Body of a thread; owns `container`."""
    lower_priority()
    try:
        with container:
            rate = container.streams.video[0].average_rate
            last = min(2.0, 1 / float(rate)) if rate else 0.5  # seconds that the last picture shows
            while not stop.is_set():
                container.seek(0)
                start = shown = None
                due = 0.0
                for frame in container.decode(video=0):
                    now = time.monotonic()
                    start = now - (frame.time or 0.0) if start is None else start
                    due = start + (frame.time or 0.0)
                    if stop.wait(max(0.0, due - now)):
                        return
                    if due - now < -0.1 and shown is not None and now - shown < 0.25:
                        continue  # late: decode on, and convert only a few
                    frames.put(_fit(frame, size))
                    shown = time.monotonic()
                if stop.wait(max(0.02, due + last - time.monotonic())):
                    return
    except av.FFmpegError as exc:
        log.warning("backdrop video stopped: %s; its last picture stays", exc)
