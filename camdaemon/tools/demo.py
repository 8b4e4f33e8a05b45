"""`camdaemon demo`: the daemon's real pipeline on the clip that comes with it, and a contact sheet of what it did."""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

import cv2
import numpy as np

from camdaemon.config.schema import Config
from camdaemon.control.commands import Commands
from camdaemon.control.instance import socket_path
from camdaemon.daemon.opening import Playing
from camdaemon.daemon.progress import console
from camdaemon.daemon.run import start_daemon, watch
from camdaemon.daemon.signals import handle_signals
from camdaemon.errors import CamdaemonError
from camdaemon.frames import picture
from camdaemon.frames.frame import HostFrame, Size
from camdaemon.frames.job import JobFrame
from camdaemon.frames.picture import Picture, copy_to_host
from camdaemon.output import Sink
from camdaemon.output.file import FileSink
from camdaemon.output.tee import TeeSink
from camdaemon.output.window import PreviewSink, has_display
from camdaemon.pipeline.threads import Pipeline
from camdaemon.tools.own_folder import OwnFolder

SIZE = Size(960, 540)
# Seconds of the clip. The person is in the picture from 3 s to the end at 12 s.
_LOOKS = (4.0, 5.8, 8.2, 10.5)
_SWAPS = {4.4: "library", 6.9: "window", 9.3: "blur:14"}  # when which backdrop is chosen, live
_NAMES = ("demo.mp4", "contact-sheet.png")

Moment = tuple[Picture, Picture, Picture]  # camera, alpha (gray as RGB), composite; uint8 (H,W,3) each


def demo(folder: Path, *, preview: bool, force: bool = False) -> None:
    """Put the clip once through the pipeline, every frame of it; write an MP4 and a contact sheet.

    Args:
        folder: Where to write; created if needed.
        preview: Show a window, too, if there is a display.
        force: Overwrite files in `folder` that are not the demo's own.

    Raises:
        ConfigError: The folder cannot be written to, or has files of that name that are not the demo's own.
    """
    own = OwnFolder(folder)
    own.check(_NAMES, force=force)
    own.make()
    video, sheet = (own.path / name for name in _NAMES)
    config = Config(source="pattern", sink=str(video), size=SIZE, plate="auto", backdrop="evening")

    def sinks(size: Size, fps: float) -> Sink:
        file = FileSink.open(str(video), size, fps, paced=False)
        return TeeSink([file, RealTimeSink(PreviewSink(size))]) if preview and has_display() else file

    stop = threading.Event()
    moments: list[Moment] = []
    socket = socket_path().with_name("demo.sock")
    console.print(
        "The demo plays a clip of 12 s: the room is empty for 3 s, while the plate is taken; then a person appears."
    )
    with (
        handle_signals(stop),
        start_daemon(config, Playing(paced=False, loop=False), sinks, stop, socket) as daemon,
    ):
        director = threading.Thread(
            target=_take_moments, args=(daemon.pipeline, daemon.commands, moments), name="director", daemon=True
        )
        director.start()
        watch(daemon.pipeline, stop)
    if moments:
        picture.write(sheet, draw_contact_sheet(moments))
    own.record(_NAMES)
    _print_next_steps(video, sheet if moments else None)


class RealTimeSink:
    """Shows frames of a clip in `inner` no sooner than they are due, so that all of the demo waits for its viewer."""

    live = False  # what is shown is a file's, and ends with it

    def __init__(self, inner: Sink) -> None:
        self.name, self.can_reopen, self.viewers = inner.name, False, ()
        self.fmt, self.size = inner.fmt, inner.size
        self._inner = inner
        self._start: float | None = None  # when the clip began, in seconds of time.monotonic()

    def write(self, frame: HostFrame) -> None:
        """See Sink.write."""
        now = time.monotonic()
        self._start = now - frame.t if self._start is None else max(self._start, now - frame.t)
        time.sleep(max(0.0, self._start + frame.t - now))
        self._inner.write(frame)

    def close(self) -> None:
        """See Sink.close."""
        self._inner.close()


def _take_moments(pipeline: Pipeline, commands: Commands, moments: list[Moment]) -> None:
    """Copy the moments at `_LOOKS`, and choose other backdrops in between; body of a thread."""
    with contextlib.suppress(CamdaemonError):  # the clip has ended, or there is no plate; the log says which
        for at in sorted((*_LOOKS, *_SWAPS)):
            moment = _look(pipeline, at)
            if at in _SWAPS:
                commands.backdrop(_SWAPS[at])
            else:
                moments.append(moment)


def _look(pipeline: Pipeline, at: float) -> Moment:
    """Return the first moment with a matte from `at` seconds of the clip on. Raises CamdaemonError: there is none."""
    job = MomentJob(at)
    pipeline.submit(job)
    return job.future.result()


def _print_next_steps(video: Path, sheet: Path | None) -> None:
    console.print(f"\nThe video:  {video}")
    if sheet is not None:
        console.print(f"The sheet:  {sheet}  (camera | alpha | composite)")
    on_path = shutil.which("camdaemon") is not None
    steps = [
        ("sudo apt install v4l2loopback-dkms", "once, for Chrome, Zoom and the rest; PipeWire needs none"),
        *([] if on_path else [(f"export PATH={Path(sys.argv[0]).resolve().parent}:$PATH", "where camdaemon is")]),
        ("camdaemon setup", "makes the virtual camera; prints what it will do, and asks"),
        ("camdaemon devices", "which camera is yours"),
        ("camdaemon run --source /dev/video0 --backdrop blur", "to every output that is there"),
        ("camdaemon plate --countdown 5", "in a second terminal, and step out of the picture"),
    ]
    console.print("\nWith a real camera:", highlight=False)
    for command, why in steps:
        console.print(f"  {command}" + (f"   # {why}" if why else ""), highlight=False, soft_wrap=True, markup=False)


class MomentJob:
    """A `Job` that copies a frame with a matte to the host. The copy shows the room: never publish it.

    Args:
        at: Time of the clip from which on it looks, in seconds.
    """

    def __init__(self, at: float = 0.0) -> None:
        self.future: Future[Moment] = Future()
        self._at = at

    def card(self) -> None:
        """The show goes on."""

    def feed(self, look: JobFrame) -> Moment | None:
        """Return the moment if it has come and has a matte; see `Job`."""
        if look.t < self._at or look.alpha is None or look.finished is None:
            return None
        gray = np.dstack([copy_to_host(look.alpha)] * 3)
        return copy_to_host(look.src), gray, copy_to_host(look.finished)


def draw_contact_sheet(moments: Sequence[Moment], width: int = 1440) -> Picture:
    """Draw the contact sheet: camera | alpha | composite, a row per moment, `width` pixels wide; uint8 (H,W,3)."""
    gap, head = 12, 44
    column = (width - 4 * gap) // 3
    height, across = moments[0][0].shape[:2]
    row = round(column * height / across)
    canvas = np.full((head + len(moments) * (row + gap), width, 3), 246, np.uint8)
    for i, title in enumerate(("camera", "alpha", "composite")):
        at = (gap + i * (column + gap), head - 14)
        cv2.putText(canvas, title, at, cv2.FONT_HERSHEY_DUPLEX, 0.75, (50, 60, 70), 1, cv2.LINE_AA)
    for j, moment in enumerate(moments):
        for i, part in enumerate(moment):
            x, y = gap + i * (column + gap), head + j * (row + gap)
            canvas[y : y + row, x : x + column] = cv2.resize(part, (column, row), interpolation=cv2.INTER_AREA)
    return canvas
