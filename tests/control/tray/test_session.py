"""What is sent, and what is not, by a session on a bus that only writes down."""

from __future__ import annotations

from typing import Any

from jeepney import DBusAddress, HeaderFields, Message, MessageFlag, MessageType, new_method_call

from camdaemon.control.tray.item import PATH
from camdaemon.control.tray.menu import Action
from camdaemon.control.tray.session import TraySession


class FakeBus:
    """Takes messages that can be sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        message.serialise(serial=len(self.sent) + 1)
        self.sent.append(message)


def activate() -> Message:
    message = new_method_call(DBusAddress(PATH, "x.y", "org.kde.StatusNotifierItem"), "Activate", "ii", (1, 1))
    message.header.serial = 5
    return message


def test_who_expects_no_reply_gets_none() -> None:
    """Waybar does not, and the bus would refuse it."""
    bus: Any = FakeBus()
    clicks: list[Action] = []
    session = TraySession(bus, lambda: (), clicks.append)
    session.handle(activate())
    (reply,) = bus.sent
    assert reply.header.message_type is MessageType.method_return
    assert reply.header.fields[HeaderFields.reply_serial] == 5
    silent = activate()
    silent.header.flags |= MessageFlag.no_reply_expected
    session.handle(silent)
    assert bus.sent == [reply]
    assert clicks == [Action("panel")] * 2
