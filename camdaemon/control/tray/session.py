"""The icon and its menu on one connection to the session's bus, shown by whatever tray the desktop has."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

from jeepney import (
    DBusAddress,
    HeaderFields,
    MatchRule,
    Message,
    MessageFlag,
    MessageType,
    message_bus,
    new_method_call,
    new_signal,
)
from jeepney.io.blocking import DBusConnection, Proxy

from camdaemon.control.tray import Seen, dbusmenu, item
from camdaemon.control.tray.menu import Action, Entry
from camdaemon.linux import dbus
from camdaemon.linux.dbus_objects import Objects, answer

log = logging.getLogger(__name__)

WATCHER = "org.kde.StatusNotifierWatcher"
_WATCHER = DBusAddress("/StatusNotifierWatcher", WATCHER, WATCHER)
_REPLY_S = 10.0  # of the bus itself


class TraySession:
    """Serves the icon until the bus goes. For the thread that speaks D-Bus; sends nothing while nothing changes."""

    def __init__(
        self, bus: DBusConnection, build: Callable[[], Sequence[Entry]], click: Callable[[Action], None]
    ) -> None:
        """Prepare.

        Args:
            bus: The connection; closing it stays the caller's.
            build: Makes the menu as it is now.
            click: Has an action done; returns at once.
        """
        self._bus = bus
        self._item, self._menu = item.Item(click), dbusmenu.DBusMenu(build, click)
        self._objects: Objects = {item.PATH: [self._item.interface()], dbusmenu.PATH: [self._menu.interface()]}
        self._name = f"{item.NAME}-{os.getpid()}-1"  # as the specification wants it

    def open(self) -> None:
        """Take the item's name, and offer the item to a tray that is there. Raises OSError, TimeoutError."""
        calls = Proxy(message_bus, self._bus, timeout=_REPLY_S)
        comes = MatchRule(type="signal", sender=message_bus.bus_name, member="NameOwnerChanged")
        comes.add_arg_condition(0, WATCHER)
        calls.AddMatch(comes)
        calls.RequestName(self._name)
        self._offer()

    def handle(self, message: Message) -> None:
        """Answer a call, or follow the tray's coming and going. Raises OSError."""
        match message.header.message_type:
            case MessageType.method_call:
                reply = answer(self._objects, message)
                if not message.header.flags & MessageFlag.no_reply_expected:
                    self._send(reply)
                self._tell(dbusmenu.NAME, dbusmenu.PATH, self._menu.take_signals())
            case MessageType.signal if _is_arrival(message):
                self._offer()
            case MessageType.error:  # of our only call
                log.debug("no tray shows the icon yet: %s", message.header.fields.get(HeaderFields.error_name))

    def show(self, seen: Seen) -> None:
        """Tell the desktop what viewers see now, and what the menu says. Raises OSError."""
        self._tell(item.NAME, item.PATH, self._item.show(seen))
        try:
            self._menu.update()
        except Exception:  # not ours to end: what fails is the daemon's status, which the next press may well get
            log.exception("the tray's menu stays as it was")
        self._tell(dbusmenu.NAME, dbusmenu.PATH, self._menu.take_signals())

    def _offer(self) -> None:
        """Register with the tray; its answer comes later, and no tray is no error."""
        self._send(new_method_call(_WATCHER, "RegisterStatusNotifierItem", "s", (self._name,)))

    def _tell(self, interface: str, path: str, signals: Sequence[dbusmenu.Signal]) -> None:
        for member, kinds, body in signals:
            self._send(new_signal(DBusAddress(path, interface=interface), member, kinds or None, body))

    def _send(self, message: Message) -> None:
        self._bus.send(message)


def _is_arrival(message: Message) -> bool:
    """Whether the bus, and nobody else, says that a tray is there now."""
    if dbus.get_sender(message) != message_bus.bus_name or dbus.get_member(message) != "NameOwnerChanged":
        return False
    name, _, owner = _texts(message.body)
    return name == WATCHER and bool(owner)


def _texts(body: Any) -> tuple[str, str, str]:
    name, before, after = body
    return str(name), str(before), str(after)
