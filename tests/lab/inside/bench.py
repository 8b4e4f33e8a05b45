"""What a scenario is given: webcam, daemon and viewers. `close` ends them all and fails if a viewer saw the room."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from inside import module
from inside.process import Daemon
from inside.viewer import Viewer
from inside.webcam import Webcam


class NotApplicableError(Exception):
    """The scenario does not apply here; the message says why."""


class Bench:
    """The devices and processes of one scenario.

    Attributes:
        footage: Folder with the footage; see footage.py.
        share: Folder for what is kept.
        version: Version of v4l2loopback.
        figures: Key figures for the table.
        webcam_now: The latest webcam.
        daemon_now: The latest daemon.
        viewers: All viewers so far.
    """

    def __init__(self, footage: Path, share: Path) -> None:
        self.footage, self.share = footage, share
        self.version = module.VERSION
        self.figures: dict[str, object] = {}
        self.webcam_now: Webcam | None = None
        self.daemon_now: Daemon | None = None
        self.viewers: list[Viewer] = []
        self._undo = contextlib.ExitStack()

    @property
    def plate(self) -> Path:
        return self.footage / "plate.png"

    def note(self, **figures: object) -> None:
        """Add figures to the table, rounded to three digits."""
        for name, value in figures.items():
            self.figures[name] = float(f"{value:.3g}") if isinstance(value, float) else value

    def not_applicable(self, why: str) -> NoReturn:
        """End the scenario as one that does not apply."""
        raise NotApplicableError(why)

    def webcam(self, kind: str = "yuyv", fps: int = 30) -> Webcam:
        """Start the webcam."""
        self.webcam_now = Webcam(self.footage, kind, fps)
        self._undo.callback(self.webcam_now.close)
        return self.webcam_now

    def daemon(
        self, *options: str, plate: Path | str | None = None, ready: bool = True, user: int | None = None
    ) -> Daemon:
        """Start the daemon; `ready`: wait until it answers. `user`: whose it is; None: root's."""
        daemon = Daemon(self.share / "daemon.log", plate or self.plate, list(options), ready=ready, user=user)
        self._undo.callback(daemon.kill)
        self.daemon_now = daemon
        return daemon

    def start(self, *options: str) -> Daemon:
        """Start webcam and daemon, and wait until the daemon answers."""
        self.webcam()
        return self.daemon(*options)

    def view(self, path: str = module.VIRTUAL) -> Viewer:
        """Start a program that watches the node `path`."""
        viewer = Viewer(path, self.share, self.webcam_now)
        self.viewers.append(viewer)
        self._undo.callback(viewer.close)
        return viewer

    def start_program(self, *words: str) -> subprocess.Popen[bytes]:
        """Start another program; it ends with the scenario at the latest."""
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self._undo.callback(_end, process)
        return process

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until `condition` holds. Raises AssertionError if it does not in time."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
            time.sleep(0.05)

    def close(self) -> None:
        """End everything. Raises AssertionError if a viewer ever saw what must not be seen."""
        self._undo.close()
        frames = sum(len(viewer.seen) for viewer in self.viewers)
        if self.viewers:
            self.note(frames=frames, saw=" | ".join(viewer.story() for viewer in self.viewers))
            self.note(marked_most=max((seen.marked for viewer in self.viewers for seen in viewer.seen), default=0.0))
        for viewer in self.viewers:
            assert not viewer.bad(), f"{len(viewer.bad())} forbidden pictures: {viewer.story()}"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
