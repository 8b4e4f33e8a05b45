"""The icon in the desktop's tray: what viewers see, and a menu of commands. Over D-Bus, as StatusNotifierItem.

Nothing here ever stops the daemon. Without a session bus nothing runs; without a tray one thread waits for it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from camdaemon.control import table
from camdaemon.control.actions import Request
from camdaemon.control.table import BackdropFile
from camdaemon.control.visit import open_browser
from camdaemon.linux.backoff import Backoff
from camdaemon.linux.threads import join_or_warn

if TYPE_CHECKING:
    from camdaemon.control.tray.menu import Action, Entry
    from camdaemon.linux.dbus import WakeableBus

log = logging.getLogger(__name__)

_FIRST_S, _LONGEST_S = 1.0, 60.0  # pauses between two tries to find a lost bus; after the longest it is given up


class Seen(NamedTuple):
    """What viewers see.

    Attributes:
        state: 'live', 'unsteady', 'paused', 'card', 'passthrough' or 'unknown'.
        sentence: The same for people.
    """

    state: str = "unknown"
    sentence: str = "camdaemon starts."


class _Lost(Exception):
    """The bus was there and has gone."""


class TrayCommands(Protocol):
    """What the menu is made of: two commands of the table. Any thread."""

    def status(self) -> dict[str, Any]:
        """Describe what is going on, as plain JSON values."""

    def backdrops(self) -> list[BackdropFile]:
        """List what can be chosen."""


class Tray:
    """The icon of one daemon. `start` and `stop` are for one thread at a time, and raise nothing; `tell` is for any."""

    def __init__(self, commands: TrayCommands, press: Callable[[Request], None]) -> None:
        """Prepare.

        Args:
            commands: Asked in the thread 'tray', when a menu is about to be read.
            press: Has a request done, and its answer or error told; called in the thread 'tray', returns at once.
        """
        self._commands, self._press = commands, press
        self._ending = threading.Event()
        self._lock = threading.Lock()  # guards the two below, and the bus against its end while it is woken up
        self._bus: WakeableBus | None = None
        self._news: tuple[Seen, object] | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Show the icon wherever a tray is or will be; return at once."""
        self._thread = threading.Thread(target=self._run, name="tray", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take the icon away and end the thread, within 2 s. Harmless when not started or repeated."""
        if self._thread is None:
            return
        self._ending.set()
        with self._lock:
            if self._bus is not None:
                from camdaemon.linux import dbus

                dbus.interrupt(self._bus.bus.sock)
        join_or_warn(self._thread)
        self._thread = None

    def tell(self, seen: Seen, scene: object) -> None:
        """Say what viewers see, and from which scene: anything that is another object when it changes. Any thread.

        Costs nothing while both are what they were, so call it as often as you like.
        """
        with self._lock:
            if self._news is not None and self._news[0] == seen and self._news[1] is scene:
                return
            self._news = seen, scene
            if self._bus is not None:
                self._bus.wake()

    def _run(self) -> None:
        """Body of the thread 'tray'."""
        backoff, was_there = Backoff(_FIRST_S, _LONGEST_S), False
        while not self._ending.is_set():
            try:
                self._serve()
            except _Lost as exc:
                backoff, was_there = Backoff(_FIRST_S, _LONGEST_S), True
                log.debug("the session's D-Bus has gone: %s", exc)
            except Exception as exc:  # jeepney says RuntimeError, ValueError … for an address it cannot read
                if not was_there or backoff.pause_s >= _LONGEST_S:
                    log.debug("no icon in the tray: %s: %s", type(exc).__name__, exc)
                    return
                backoff.increase()
            self._ending.wait(backoff.pause_s)

    def _serve(self) -> None:
        """Serve until `stop` is called or the bus has gone: _Lost. Other errors: there was none to begin with."""
        from camdaemon.control.tray.session import TraySession
        from camdaemon.linux import dbus

        with dbus.connect_session() as connection, dbus.WakeableBus(connection) as bus:
            session = TraySession(connection, self._build, self._click)
            session.open()
            with self._lock:
                self._bus = bus
                bus.wake()  # for what was told before
            try:
                while not self._ending.is_set():
                    if (message := bus.wait()) is not None:
                        session.handle(message)
                    elif self._news is not None:
                        session.show(self._news[0])
            except OSError as exc:
                raise _Lost(exc) from None
            finally:
                with self._lock:
                    self._bus = None

    def _build(self) -> Sequence[Entry]:
        from camdaemon.control.tray.menu import build

        return build(self._commands.status(), self._commands.backdrops())

    def _click(self, action: Action) -> None:
        command = table.find(action.function)
        values = {each.name: each.initial for each in command.sent} | dict(action.values)
        self._press(Request(command, values, open_browser if command.function == "panel" else str))
