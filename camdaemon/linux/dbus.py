"""Services on D-Bus: where the buses are, calls, and signals that are waited for.

Loads jeepney, so import it in the thread that speaks D-Bus, not at start.
"""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from contextlib import suppress
from typing import Any

from jeepney import DBusAddress, HeaderFields, MatchRule, Message, MessageFlag, message_bus, new_method_call
from jeepney.io.blocking import DBusConnection, Proxy, open_dbus_connection
from jeepney.wrappers import unwrap_msg


def connect_session() -> DBusConnection:
    """Connect to the session bus; a service may lack the variable that names it.

    Raises:
        KeyError: there can be none.
        Exception: there is none at the address, or jeepney cannot read that (RuntimeError, ValueError, OSError …).
    """
    named = os.environ.get("DBUS_SESSION_BUS_ADDRESS")
    return open_dbus_connection(named or f"unix:path={os.environ['XDG_RUNTIME_DIR']}/bus")


def connect_system() -> DBusConnection:
    """Connect to the system bus, able to receive file descriptors. Raises like `connect_session`."""
    return open_dbus_connection("SYSTEM", enable_fds=True)


def interrupt(bus_socket: socket.socket | None) -> None:
    """Make a thread that waits on a connection's socket fail with OSError. Any thread; harmless when it is closed."""
    if bus_socket is not None:
        with suppress(OSError):  # closed already
            bus_socket.shutdown(socket.SHUT_RDWR)


class Service:
    """The object at `path` of the service `name`, over a connection that stays the caller's. For one thread."""

    def __init__(self, bus: DBusConnection, name: str, path: str, timeout_s: float) -> None:
        self._bus, self._name, self._path, self._timeout_s = bus, name, path, timeout_s
        self._signals: deque[Message] = deque()  # in order; those that came while a reply was awaited, too

    def subscribe(self, rule: MatchRule) -> None:
        """Have the bus deliver the signals of `rule`, and NameOwnerChanged when the service comes or goes. Call once.

        Subscribe before calling: a signal may arrive before the reply that announces it.
        """
        self._bus.filter(MatchRule(type="signal"), queue=self._signals)
        owner = MatchRule(type="signal", sender=message_bus.bus_name, member="NameOwnerChanged")
        owner.add_arg_condition(0, self._name)
        for each in (rule, owner):
            Proxy(message_bus, self._bus, timeout=self._timeout_s).AddMatch(each)

    def call(
        self, interface: str, method: str, signature: str | None = None, arguments: tuple[Any, ...] = ()
    ) -> tuple[Any, ...]:
        """Call a method and return the body of the reply.

        Raises:
            DBusErrorResponse: the service, or the bus, says no.
            TimeoutError: there is no reply in time.
            OSError: the bus is gone.
        """
        body: tuple[Any, ...] = unwrap_msg(self.request(interface, method, signature, arguments))
        return body

    def request(
        self,
        interface: str,
        method: str,
        signature: str | None = None,
        arguments: tuple[Any, ...] = (),
        *,
        may_start: bool = True,
    ) -> Message:
        """Call a method and return the whole reply, which may be an error. Raises TimeoutError and OSError like `call`.

        Args:
            interface: the D-Bus interface of the method.
            method: its name.
            signature: D-Bus types of `arguments`.
            arguments: what the method is called with.
            may_start: let the bus start the service when it does not run.
        """
        message = new_method_call(DBusAddress(self._path, self._name, interface), method, signature, arguments)
        if not may_start:
            message.header.flags |= MessageFlag.no_auto_start
        return self._bus.send_and_get_reply(message, timeout=self._timeout_s)

    def wait_for_signal(self) -> Message:
        """Wait for the next signal on the connection. Check its sender: any program on the bus may send us one.

        Raises:
            OSError: the bus is gone, or `interrupt` was called.
        """
        return self._bus.recv_until_filtered(self._signals)


class WakeableBus:
    """A connection whose thread waits for messages, and is woken up by other threads. Closing stays the caller's.

    All methods are for that thread, but `wake`.
    """

    def __init__(self, bus: DBusConnection) -> None:
        self.bus = bus
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll = select.poll()  # select() knows no descriptor above 1023
        for each in (bus.sock, self._event):
            self._poll.register(each, select.POLLIN)

    def __enter__(self) -> WakeableBus:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._event)

    def wait(self) -> Message | None:
        """Wait for the next message; None: `wake` was called. Raises OSError: the bus is gone, or was interrupted."""
        while True:
            try:
                return self.bus.receive(timeout=0)
            except TimeoutError:  # nothing whole has come yet
                if self._event in (ready for ready, _ in self._poll.poll()):
                    os.eventfd_read(self._event)
                    return None

    def wake(self) -> None:
        """Make `wait` return. Any thread, while entered; several calls may be one."""
        os.eventfd_write(self._event, 1)


def get_sender(message: Message) -> str | None:
    """Return the unique bus name of the sender, which the bus fills in; None without a bus."""
    sender: str | None = message.header.fields.get(HeaderFields.sender)
    return sender


def get_member(message: Message) -> str:
    """Return the name of a signal."""
    return str(message.header.fields[HeaderFields.member])
