"""Ctrl-C, SIGTERM and a closed terminal end a run between two steps, so that its checkpoint is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Notes the first signal while entered; a second Ctrl-C raises KeyboardInterrupt at once.

    Only the main thread gets signals; entered elsewhere, it does nothing. Only a second Ctrl-C is a sign of impatience:
    torchrun passes the first on as SIGTERM.

    Args:
        say: Called once, with a line for the user, when the first signal comes.

    Attributes:
        is_asked: Whether the run should end.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self.is_asked = say, False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # as under nohup
            self._before = {number: signal.signal(number, self._note) for number in heard}
        return self

    def __exit__(self, kind: type[BaseException] | None, what: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if not self.is_asked:
            self.is_asked = True
            self._say(
                "stopping after this step; Ctrl-C again stops at once, and loses what came after the last checkpoint"
            )
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
