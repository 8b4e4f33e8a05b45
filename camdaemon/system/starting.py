"""Starting camdaemon without a terminal: as the service where it is installed, else as a process of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from camdaemon.control.client import Client
from camdaemon.errors import CamdaemonError, ControlError
from camdaemon.linux.folders import find_folder
from camdaemon.linux.private import make_private_folder
from camdaemon.linux.programs import DetachedProgram
from camdaemon.system import service

_STARTING_S = 180.0  # as TimeoutStartSec of the unit: a cold start reads gigabytes
_LOOK_S = 0.1


def start(on_waiting: Callable[[], None] = lambda: None) -> bool:
    """Start camdaemon unless it runs, and return once it answers; return whether that was needed.

    Args:
        on_waiting: Called before it is started, which takes seconds.

    Raises:
        CamdaemonError: It does not start; the message says why.
    """
    if _is_running():
        return False
    on_waiting()
    if os.path.lexists(service.unit_path()) and service.has_systemd():
        service.start()
        _wait(lambda: None)
        return True
    log = log_path()
    try:
        make_private_folder(log.parent)
        program = DetachedProgram([*service.own_command(), "run"], log)
    except OSError as exc:
        raise ControlError(f"camdaemon cannot be started: {exc.strerror}. Run: camdaemon run") from None
    _wait(lambda: _refuse_end(program, log))
    return True


def log_path() -> Path:
    """Return the log of a daemon that was started without a terminal and without systemd: that of the last start."""
    return find_folder("state") / "daemon.log"


def _wait(look: Callable[[], None]) -> None:
    """Wait until camdaemon answers; `look` may raise meanwhile."""
    end = time.monotonic() + _STARTING_S
    while not _is_running():
        look()
        if time.monotonic() > end:
            raise ControlError(f"camdaemon does not answer after {_STARTING_S:g} s. Run: camdaemon run")
        time.sleep(_LOOK_S)


def _refuse_end(program: DetachedProgram, log: Path) -> None:
    if program.has_ended():
        text = log.read_text("utf-8", "replace").strip()
        why = text.rpartition("camdaemon: ")[2] or "it says nothing"
        advice = "" if "Run: " in why else ". Run: camdaemon run"
        raise ControlError(f"camdaemon did not start: {why}{advice}")


def _is_running() -> bool:
    try:
        Client().status()
    except CamdaemonError:
        return False
    return True
