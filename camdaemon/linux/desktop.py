"""A note on the user's desktop, for what they should know while they look at the call and not at a terminal."""

from __future__ import annotations

import html
import logging
import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from jeepney.io.blocking import DBusConnection

log = logging.getLogger(__name__)

_REPLY_S = 5.0  # the bus may have to start the notification service first
_NAME = "org.freedesktop.Notifications"
_URGENCY = {False: 1, True: 2}  # normal; critical, which stays until it is clicked away


class _Note(NamedTuple):
    title: str
    body: str
    urgent: bool


class _Notifier:
    """A mailbox of one: the newest note wins, as each replaces the one before on the screen anyway."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: _Note | None = None
        self._sending = False
        self._shown = 0  # the desktop's number of our last note; only the sending thread touches it

    def put(self, note: _Note) -> None:
        with self._lock:
            self._waiting = note
            if self._sending:
                return
            self._sending = True
        try:
            threading.Thread(target=self._send_all, name="desktop", daemon=True).start()
        except RuntimeError as exc:  # no more threads, or the interpreter is ending
            log.debug("no desktop notification: %s", exc)
            with self._lock:
                self._sending = False

    def _send_all(self) -> None:
        while True:
            with self._lock:
                note, self._waiting = self._waiting, None
                if note is None:
                    self._sending = False
                    return
            try:
                self._shown = _send(note, self._shown)
            except Exception as exc:  # no bus, no desktop, an answer that is none: the log has said it all anyway
                log.debug("no desktop notification: %r", exc)


_notifier = _Notifier()


def notify(title: str, body: str, *, urgent: bool = False) -> None:
    """Show `title` and `body`, both plain text, instead of the note before. Any thread; returns at once, never raises.

    urgent: stays on the screen until it is clicked away. Without a session bus or a desktop nothing happens.
    """
    _notifier.put(_Note(title, body, urgent))


def _send(note: _Note, replaces: int) -> int:
    """The desktop's number of the new note. Raises whatever the bus says."""
    from jeepney.io.blocking import open_dbus_connection

    with open_dbus_connection(_session_bus()) as bus:
        (capabilities,) = _call(bus, "GetCapabilities")
        body = html.escape(note.body, quote=False) if "body-markup" in capabilities else note.body
        hints = {"urgency": ("y", _URGENCY[note.urgent])}
        answer = _call(
            bus, "Notify", "susssasa{sv}i", ("camdaemon", replaces, "camera-web", note.title, body, [], hints, -1)
        )
        return int(answer[0])


def _call(bus: DBusConnection, method: str, signature: str | None = None, arguments: tuple[Any, ...] = ()) -> Any:
    from jeepney import DBusAddress, new_method_call
    from jeepney.wrappers import unwrap_msg

    desktop = DBusAddress("/org/freedesktop/Notifications", bus_name=_NAME, interface=_NAME)
    asked = new_method_call(desktop, method, signature, arguments)
    return unwrap_msg(bus.send_and_get_reply(asked, timeout=_REPLY_S))


def _session_bus() -> str:
    """Its address; KeyError when there can be none. A service may lack the variable that names it."""
    named = os.environ.get("DBUS_SESSION_BUS_ADDRESS")
    return named or f"unix:path={os.environ['XDG_RUNTIME_DIR']}/bus"
