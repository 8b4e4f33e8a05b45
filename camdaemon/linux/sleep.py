"""Closing the camera before the machine sleeps: org.freedesktop.login1 says when, over the system's D-Bus, and waits.

A camera that is open while the machine sleeps comes back broken, or not at all, and its light may stay on meanwhile.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from camdaemon.linux.threads import join_or_warn

if TYPE_CHECKING:
    from jeepney import FileDescriptor, Message
    from jeepney.io.blocking import DBusConnection

log = logging.getLogger(__name__)

_NAME, _PATH = "org.freedesktop.login1", "/org/freedesktop/login1"
_LOGIND = "org.freedesktop.login1.Manager"
_PATIENCE_S = 5.0  # for an answer
_AGAIN_S = 10.0  # until the bus is looked for once more


class SleepWatch:
    """Calls `told(True)` before the machine sleeps and `told(False)` when it is awake again, always in turns.

    told: called in the thread 'sleep'. Until it returns the machine waits, yet no longer than logind allows (5 s unless
    InhibitDelayMaxSec says otherwise). What it raises is logged. When logind or the bus goes away after `told(True)`,
    `told(False)` follows at once, as nobody else would say it.
    `start` and `stop` are for one thread, the daemon's main one. Nothing that is missing or refused is an error.
    """

    def __init__(self, told: Callable[[bool], None]) -> None:
        self._told = told
        self._asleep = False  # what was told last
        self._deaf = False  # and this was logged
        self._ending = threading.Event()
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Returns at once. Call it once."""
        self._thread = threading.Thread(target=self._run, name="sleep", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, within 2 s; `told` is not called any more. Harmless when not started or repeated."""
        self._ending.set()
        if self._thread is None:
            return
        if self._socket is not None:
            with suppress(OSError):  # closed already
                self._socket.shutdown(socket.SHUT_RDWR)
        join_or_warn(self._thread)
        self._thread = None

    def _run(self) -> None:
        """Body of the thread 'sleep'."""
        while not self._ending.is_set():
            try:
                self._listen()
            except Exception as exc:  # jeepney says RuntimeError, ValueError … for an address it cannot read
                self._log_once(exc)
            self._tell(asleep=False)
            self._ending.wait(_AGAIN_S)

    def _listen(self) -> None:
        """Until the bus goes, or `stop`, both of which raise OSError; whatever jeepney says when there is no bus."""
        from jeepney.io.blocking import open_dbus_connection

        with open_dbus_connection("SYSTEM", enable_fds=True) as bus:
            self._socket = bus.sock
            if self._ending.is_set():  # `stop` did not see the socket
                return
            with _Logind(bus) as logind:
                self._delay(logind)
                while True:
                    asleep = logind.changed()
                    self._tell(asleep)
                    if asleep:
                        logind.release()
                    else:
                        self._delay(logind)

    def _delay(self, logind: _Logind) -> None:
        """A refusal costs the delay, not the news: those are listened to all the same."""
        from jeepney import DBusErrorResponse

        try:
            logind.inhibit()
            self._deaf = False
        except DBusErrorResponse as exc:
            self._log_once(exc)

    def _tell(self, asleep: bool) -> None:
        if asleep == self._asleep or self._ending.is_set():
            return
        self._asleep = asleep
        try:
            self._told(asleep)
        except Exception:
            log.exception("not ready for the machine to %s, which it does all the same", "sleep" if asleep else "wake")

    def _log_once(self, wrong: Exception) -> None:
        """Once until it works again, not every few seconds."""
        if not self._deaf and not self._ending.is_set():
            self._deaf = True
            log.debug("the machine may sleep without waiting for the camera: %s: %s", type(wrong).__name__, wrong)


class _Logind:
    """logind over one connection, and the inhibitor it gave. Everything raises OSError; as a context: closes that."""

    def __init__(self, bus: DBusConnection) -> None:
        from jeepney import MatchRule, message_bus
        from jeepney.io.blocking import Proxy

        self._bus = bus
        self._inhibitor: FileDescriptor | None = None
        self._answered = ""  # unique name of who did; the bus itself when there was no logind
        self._signals: deque[Message] = deque()  # those that arrived while a reply was waited for, too
        bus.filter(MatchRule(type="signal"), queue=self._signals)
        sleep = MatchRule(type="signal", sender=_NAME, path=_PATH, interface=_LOGIND, member="PrepareForSleep")
        owner = MatchRule(type="signal", sender=message_bus.bus_name, member="NameOwnerChanged")
        owner.add_arg_condition(0, _NAME)
        for rule in (sleep, owner):
            Proxy(message_bus, bus, timeout=_PATIENCE_S).AddMatch(rule)

    def __enter__(self) -> _Logind:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def inhibit(self) -> None:
        """Have the machine wait before it sleeps; DBusErrorResponse when there is no logind, or it says no."""
        from jeepney import DBusAddress, HeaderFields, MessageFlag, new_method_call
        from jeepney.wrappers import unwrap_msg

        self.release()
        who, why = "camdaemon", "close the camera"
        call = new_method_call(DBusAddress(_PATH, _NAME, _LOGIND), "Inhibit", "ssss", ("sleep", who, why, "delay"))
        call.header.flags |= MessageFlag.no_auto_start  # a logind that somebody stopped stays stopped
        answer = self._bus.send_and_get_reply(call, timeout=_PATIENCE_S)
        self._answered = answer.header.fields[HeaderFields.sender]
        (self._inhibitor,) = unwrap_msg(answer)
        os.set_inheritable(self._inhibitor.fileno(), False)  # a child that kept it would hold the machine up

    def release(self) -> None:
        """The machine may sleep. Harmless when there is no inhibitor."""
        if self._inhibitor is not None:
            self._inhibitor.close()
            self._inhibitor = None

    def changed(self) -> bool:
        """Waits until the machine is about to sleep: True; or has woken, or logind came or went: False."""
        from jeepney import HeaderFields, message_bus

        while True:
            message = self._bus.recv_until_filtered(self._signals)
            fields = message.header.fields
            # Anybody on the bus may send us a signal of any name, but nobody under another's name.
            match fields[HeaderFields.member], fields.get(HeaderFields.sender):
                case "PrepareForSleep", self._answered:
                    return bool(message.body[0])
                case "NameOwnerChanged", message_bus.bus_name if message.body[2] != self._answered:
                    return False
