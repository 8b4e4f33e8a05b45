"""Answers to calls, without a bus; that real programs read them is in tests/control/tray."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from jeepney import DBusAddress, HeaderFields, Message, MessageType, new_method_call

from camdaemon.linux.dbus_objects import Interface, Method, Refused, answer, introspect, split


def double(number: int) -> tuple[int]:
    if number < 0:
        raise Refused("nothing below 0")
    return (2 * number // (1 if number != 99 else 0),)


OBJECTS = {
    "/org/lamp": [
        Interface("org.lamp", {"Double": Method("i", "i", double)}, {"Light": ("b", lambda: True)}, {"Lit": "ia{sv}"})
    ]
}


def call(
    method: str, types: str | None = None, *body: Any, interface: str | None = None, path: str = "/org/lamp"
) -> Any:
    message = new_method_call(DBusAddress(path, "x.y", interface), method, types, body)
    message.header.serial = 7
    reply = answer(OBJECTS, message)
    assert isinstance(reply, Message)
    assert reply.header.fields[HeaderFields.reply_serial] == 7
    reply.serialise(serial=1)  # what cannot be sent is no answer
    if reply.header.message_type is MessageType.error:
        return reply.header.fields[HeaderFields.error_name].rpartition(".")[2]
    return reply.body


def test_a_method_is_called_with_or_without_its_interface() -> None:
    assert call("Double", "i", 4) == call("Double", "i", 4, interface="org.lamp") == (8,)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("InvalidArgs", call("Double", "s", "4")),
        ("InvalidArgs", call("Double")),
        ("InvalidArgs", call("Double", "i", -1)),
        ("UnknownMethod", call("Triple", "i", 4)),
        ("UnknownMethod", call("Triple", "i", 4, interface="org.lamp")),
        ("UnknownInterface", call("Double", "i", 4, interface="org.chair")),
        ("UnknownObject", call("Double", "i", 4, path="/org/chair")),
        ("UnknownProperty", call("Get", "ss", "org.lamp", "Heat")),
        ("UnknownMethod", call("Set", "ssv", "org.lamp", "Light", ("b", False))),
    ],
)
def test_what_there_is_not_is_refused_by_name(name: str, given: Any) -> None:
    assert given == name


def test_a_fault_of_ours_is_an_answer_too(caplog: pytest.LogCaptureFixture) -> None:
    assert call("Double", "i", 99) == "Failed"
    assert "Double" in caplog.text


def test_properties_are_read() -> None:
    assert call("Get", "ss", "org.lamp", "Light") == (("b", True),)
    assert call("GetAll", "s", "org.lamp") == ({"Light": ("b", True)},)
    assert call("GetAll", "s", "org.chair") == ({},)
    assert call("Ping", interface="org.freedesktop.DBus.Peer") == ()


def test_what_is_there_is_described() -> None:
    (text,) = call("Introspect", path="/org")
    assert [child.attrib["name"] for child in ElementTree.fromstring(text)] == ["lamp"]
    tree = ElementTree.fromstring(introspect(OBJECTS, "/org/lamp"))
    lamp = tree.find("interface[@name='org.lamp']")
    assert lamp is not None
    assert [argument.attrib for argument in lamp.findall("method/arg")] == [
        {"type": "i", "direction": "in"},
        {"type": "i", "direction": "out"},
    ]
    assert [argument.attrib["type"] for argument in lamp.findall("signal/arg")] == ["i", "a{sv}"]
    assert [each.attrib for each in lamp.findall("property")] == [{"name": "Light", "type": "b", "access": "read"}]


@pytest.mark.parametrize(
    ("types", "single"),
    [
        ("", []),
        ("ia{sv}", ["i", "a{sv}"]),
        ("u(ia{sv}av)", ["u", "(ia{sv}av)"]),
        ("aias", ["ai", "as"]),
        ("aav", ["aav"]),
    ],
)
def test_types_are_split(types: str, single: list[str]) -> None:
    assert split(types) == single
