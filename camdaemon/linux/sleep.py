"""Closing the camera before the machine sleeps: logind announces it on the system's D-Bus, and waits.

A camera that is open while the machine sleeps comes back broken, or not at all, and its light may stay on meanwhile.
See https://systemd.io/INHIBITOR_LOCKS/ for the protocol.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from camdaemon.linux.threads import join_or_warn

if TYPE_CHECKING:
    from jeepney import FileDescriptor
    from jeepney.io.blocking import DBusConnection

log = logging.getLogger(__name__)

_NAME, _PATH = "org.freedesktop.login1", "/org/freedesktop/login1"
_MANAGER = "org.freedesktop.login1.Manager"
_REPLY_S = 5.0
_RETRY_S = 10.0  # until the bus is tried again


class SleepWatch:
    """Calls `on_change(True)` before the machine sleeps and `on_change(False)` when it is awake again, alternately.

    When logind or the bus goes away after `on_change(True)`, `on_change(False)` follows at once, since no wake-up will
    be announced. A bus or logind that is missing or refuses is no error.

    `start` and `stop` belong to one thread, the daemon's main one.

    Args:
        on_change: called in the thread 'sleep'. The machine waits until it returns, but no longer than logind allows
            (5 s unless InhibitDelayMaxSec says otherwise). Its exceptions are logged.
    """

    def __init__(self, on_change: Callable[[bool], None]) -> None:
        self._on_change = on_change
        self._asleep = False  # as last reported
        self._is_logged = False  # that the machine does not wait
        self._stopping = threading.Event()
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread. Call it once."""
        self._thread = threading.Thread(target=self._run, name="sleep", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, within 2 s; `on_change` is not called again. Harmless when not started or repeated."""
        self._stopping.set()
        if self._thread is None:
            return
        if self._socket is not None:
            from camdaemon.linux import dbus

            dbus.interrupt(self._socket)
        join_or_warn(self._thread)
        self._thread = None

    def _run(self) -> None:
        """Body of the thread 'sleep'."""
        while not self._stopping.is_set():
            try:
                self._listen()
            except Exception as exc:  # jeepney raises RuntimeError, ValueError … for an address it cannot read
                self._log_once(exc)
            self._report(asleep=False)
            self._stopping.wait(_RETRY_S)

    def _listen(self) -> None:
        """Listen until the bus goes or `stop` is called, both of which raise OSError; other errors: there is no bus."""
        from camdaemon.linux import dbus

        with dbus.connect_system() as bus:
            self._socket = bus.sock
            if self._stopping.is_set():  # `stop` did not see the socket
                return
            with _Logind(bus) as logind:
                self._inhibit(logind)
                while True:
                    asleep = logind.wait_for_change()
                    self._report(asleep)
                    if asleep:
                        logind.release()
                    else:
                        self._inhibit(logind)

    def _inhibit(self, logind: _Logind) -> None:
        """Take the inhibitor. If logind denies it we still get the signals, just without the delay."""
        from jeepney import DBusErrorResponse

        try:
            logind.inhibit()
            self._is_logged = False
        except DBusErrorResponse as exc:
            self._log_once(exc)

    def _report(self, asleep: bool) -> None:
        if asleep == self._asleep or self._stopping.is_set():
            return
        self._asleep = asleep
        try:
            self._on_change(asleep)
        except Exception:
            log.exception("preparing for %s failed, continuing", "sleep" if asleep else "wake-up")

    def _log_once(self, reason: Exception) -> None:
        """Log once until it works again, not every few seconds."""
        if not self._is_logged and not self._stopping.is_set():
            self._is_logged = True
            log.debug("sleep not delayed: %s: %s", type(reason).__name__, reason)


class _Logind:
    """logind over one connection, and its inhibitor, which leaving the context closes. All methods raise OSError."""

    def __init__(self, bus: DBusConnection) -> None:
        from jeepney import MatchRule

        from camdaemon.linux.dbus import Service

        self._inhibitor: FileDescriptor | None = None
        self._sender: str | None = ""  # unique name of who answered; the bus itself when there was no logind
        self._service = Service(bus, _NAME, _PATH, _REPLY_S)
        self._service.subscribe(
            MatchRule(type="signal", sender=_NAME, path=_PATH, interface=_MANAGER, member="PrepareForSleep")
        )

    def __enter__(self) -> _Logind:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def inhibit(self) -> None:
        """Have the machine wait before it sleeps; DBusErrorResponse when there is no logind or it refuses."""
        from jeepney.wrappers import unwrap_msg

        from camdaemon.linux.dbus import get_sender

        self.release()
        purpose = ("sleep", "camdaemon", "close the camera", "delay")
        # A logind that was stopped on purpose stays stopped.
        reply = self._service.request(_MANAGER, "Inhibit", "ssss", purpose, may_start=False)
        self._sender = get_sender(reply)
        (self._inhibitor,) = unwrap_msg(reply)
        os.set_inheritable(self._inhibitor.fileno(), False)  # a child that kept it would hold the machine up

    def release(self) -> None:
        """Let the machine sleep. Harmless without an inhibitor."""
        if self._inhibitor is not None:
            self._inhibitor.close()
            self._inhibitor = None

    def wait_for_change(self) -> bool:
        """Wait until the machine is about to sleep: True; or has woken, or logind came or went: False."""
        from jeepney import message_bus

        from camdaemon.linux.dbus import get_member, get_sender

        while True:
            message = self._service.wait_for_signal()
            # Any program on the bus may send us a signal of any name, but none under another's sender.
            match get_member(message), get_sender(message):
                case "PrepareForSleep", self._sender:
                    return bool(message.body[0])
                case "NameOwnerChanged", message_bus.bus_name if message.body[2] != self._sender:
                    return False
