"""What users get on their desktop: notifications, while they look at their call and not at a terminal; pages."""

from __future__ import annotations

import html
import logging
import os
import sys
import threading
from typing import NamedTuple

from camdaemon.errors import printable
from camdaemon.linux.programs import ask

log = logging.getLogger(__name__)

# Variables that name the desktop: what a service lacks that is older than it.
DESKTOP = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_CURRENT_DESKTOP", "XDG_SESSION_TYPE")

_REPLY_S = 5.0  # the bus may have to start the notification service first
_NAME, _PATH = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"
_NORMAL = 1  # urgency: it disappears by itself


class _Note(NamedTuple):
    title: str
    body: str


class _Notifier:
    """A mailbox of one note: the newest wins, as each replaces the previous one on the screen anyway."""

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
            log.debug("notification failed: %s", exc)
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
            except Exception as exc:  # no bus, no desktop, a malformed reply: the log has the message in any case
                log.debug("notification failed: %r", exc)


_notifier = _Notifier()


def notify(title: str, body: str) -> None:
    """Show a notification that replaces our previous one. Any thread; returns at once and never raises.

    Without a session bus or a desktop nothing happens.

    Args:
        title: plain text.
        body: plain text; escaped where the desktop reads markup.
    """
    _notifier.put(_Note(printable(title), printable(body, keep="\n")))


def show(title: str, body: str) -> None:
    """Show a notification and return once the desktop has it: for commands that end then. Otherwise as `notify`."""
    try:
        _send(_Note(printable(title), printable(body, keep="\n")), 0)
    except Exception as exc:
        log.debug("notification failed: %r", exc)


def open_page(address: str) -> bool:
    """Open `address` in the user's browser; return whether one could be asked. Any thread.

    A browser that a service of systemd starts itself would be in the service's sandbox, where Chromium and Snaps do not
    run. So the user's service manager is asked to start it; it also knows a desktop that came after the service.
    """
    import webbrowser  # which nobody else needs

    if "INVOCATION_ID" in os.environ:
        known = [f"--setenv={name}={os.environ[name]}" for name in DESKTOP if name in os.environ]
        # A browser goes on when what has started it ends: KillMode.
        how = ["--user", "--quiet", "--collect", "--property=KillMode=process", *known]
        if ask(["systemd-run", *how, "--", sys.executable, "-m", "webbrowser", address], _REPLY_S).code == 0:
            return True
    return webbrowser.open(address)


def _send(note: _Note, replaces: int) -> int:
    """Return the desktop's number of the new note. Raises what the bus raises."""
    from camdaemon.linux.dbus import Service, connect_session

    with connect_session() as bus:
        desktop = Service(bus, _NAME, _PATH, _REPLY_S)
        (capabilities,) = desktop.call(_NAME, "GetCapabilities")
        body = html.escape(note.body, quote=False) if "body-markup" in capabilities else note.body
        hints = {"urgency": ("y", _NORMAL)}
        shown = desktop.call(
            _NAME, "Notify", "susssasa{sv}i", ("camdaemon", replaces, "camera-web", note.title, body, [], hints, -1)
        )
        return int(shown[0])
