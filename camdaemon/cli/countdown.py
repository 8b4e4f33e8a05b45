"""Waiting for a plate at the terminal: the countdown, what the plate waits for, and Ctrl-C. Standard library only."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TextIO

from camdaemon.control.table import Command
from camdaemon.errors import ControlError

_LOOK_S = 0.2  # between two looks at how far it is
_INTERRUPTED = 130  # exit code, as of every program that Ctrl-C ends


def ask_for_plate(client: Any, command: Command, values: Mapping[str, Any], line: TextIO = sys.stderr) -> Any:
    """Send `command` and show how far the plate is, where `line` is a terminal; return the daemon's answer.

    Ctrl-C cancels the plate in the daemon as well, says so, and ends the program.

    Raises:
        CamdaemonError: as `Client.ask`.
    """
    answer: Future[Any] = Future()
    threading.Thread(target=_settle, args=(answer, client, command, values), name="plate", daemon=True).start()
    shown = ""
    try:
        while not answer.done():
            with suppress(TimeoutError):
                answer.exception(_LOOK_S)
            if line.isatty() and not answer.done():
                shown = _show(client, shown, line)
    except KeyboardInterrupt:
        _clear(shown, line)
        print(client.cancel_plate(), file=line)
        raise SystemExit(_INTERRUPTED) from None
    _clear(shown, line)
    return answer.result()


def _settle(answer: Future[Any], client: Any, command: Command, values: Mapping[str, Any]) -> None:
    try:
        answer.set_result(client.ask(command, values))
    except BaseException as exc:  # raised again by who waits
        answer.set_exception(exc)


def _show(client: Any, shown: str, line: TextIO) -> str:
    """Bring the line up to date; return what it shows."""
    taking = None
    with suppress(ControlError):  # said by the command itself
        taking = client.status().get("taking")
    words = shown if taking is None else describe(taking)
    if words != shown:
        line.write(f"\r\x1b[K{words}")
        line.flush()
    return words


def describe(taking: Mapping[str, Any]) -> str:
    """Say how far a plate is, as the status tells it."""
    if taking["left_s"] > 0:
        return f"Step out of the picture: {math.ceil(taking['left_s'])}"
    if taking["waits_for"]:
        return f"Stay out of the picture. The plate waits: {taking['waits_for']}"
    return "Stay out of the picture. The empty room is being photographed."


def _clear(shown: str, line: TextIO) -> None:
    if shown:
        line.write("\r\x1b[K")
        line.flush()
