"""Objects that other programs call over D-Bus: their interfaces, and the answers to what is asked of them.

Loads jeepney, so import it in the thread that speaks D-Bus, not at start.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jeepney import HeaderFields, Message, new_error, new_method_return

log = logging.getLogger(__name__)

_DBUS = "org.freedesktop.DBus"


class Refused(Exception):
    """The caller asked for what there is not; the message is for whoever wrote that program."""

    def __init__(self, text: str, name: str = "InvalidArgs") -> None:
        super().__init__(text)
        self.name = name  # the last word of the error's name


@dataclass(frozen=True, slots=True)
class Method:
    """A method: the D-Bus types it takes and gives, and what it does. `call` returns one value for each type given."""

    takes: str
    gives: str
    call: Callable[..., tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface of an object.

    Attributes:
        name: Such as 'org.kde.StatusNotifierItem'.
        methods: By name.
        properties: By name: D-Bus type, and what returns the value. None can be written.
        signals: By name: D-Bus types.
    """

    name: str
    methods: Mapping[str, Method] = field(default_factory=dict)
    properties: Mapping[str, tuple[str, Callable[[], Any]]] = field(default_factory=dict)
    signals: Mapping[str, str] = field(default_factory=dict)


Objects = Mapping[str, Sequence[Interface]]  # by path


def answer(objects: Objects, message: Message) -> Message:
    """Do what the method call `message` asks of one of `objects`, and return the reply, which may be an error.

    Beside the objects' own interfaces there are Introspectable, Peer, and Properties without `Set`.
    """
    fields = message.header.fields
    path, member = fields.get(HeaderFields.path, ""), fields.get(HeaderFields.member, "")
    try:
        method = _find_method(objects, path, fields.get(HeaderFields.interface), member)
        if fields.get(HeaderFields.signature, "") != method.takes:
            raise Refused(f"{member} takes {method.takes or 'nothing'}")
        return new_method_return(message, method.gives or None, method.call(*message.body))
    except Refused as exc:
        return new_error(message, f"{_DBUS}.Error.{exc.name}", "s", (str(exc),))
    except Exception as exc:
        log.exception("%s of %s failed", member, path)
        return new_error(message, f"{_DBUS}.Error.Failed", "s", (f"{type(exc).__name__}: {exc}",))


def _find_method(objects: Objects, path: str, interface: str | None, member: str) -> Method:
    if path not in objects and not _children(objects, path):
        raise Refused(f"there is no object {path}", "UnknownObject")
    known = [each for each in _all_interfaces(objects, path) if interface in (None, each.name)]
    if not known:
        raise Refused(f"{path} has no interface {interface}", "UnknownInterface")
    for each in known:
        if member in each.methods:
            return each.methods[member]
    raise Refused(f"{path} has no method {member}", "UnknownMethod")


def _all_interfaces(objects: Objects, path: str) -> list[Interface]:
    """The interfaces of the object at `path`, and those that every object has."""
    own = objects.get(path, ())
    properties = {
        "Get": Method("ss", "v", lambda interface, name: (_get(own, interface, name),)),
        "GetAll": Method("s", "a{sv}", lambda interface: (_get_all(own, interface),)),
    }
    return [
        *own,
        Interface(f"{_DBUS}.Properties", properties),
        Interface(f"{_DBUS}.Introspectable", {"Introspect": Method("", "s", lambda: (introspect(objects, path),))}),
        Interface(f"{_DBUS}.Peer", {"Ping": Method("", "", lambda: ())}),
    ]


def _get(own: Sequence[Interface], interface: str, name: str) -> tuple[str, Any]:
    for each in own:
        if interface in ("", each.name) and name in each.properties:
            kind, read = each.properties[name]
            return kind, read()
    raise Refused(f"there is no property {name} of {interface}", "UnknownProperty")


def _get_all(own: Sequence[Interface], interface: str) -> dict[str, tuple[str, Any]]:
    return {
        name: (kind, read())
        for each in own
        if interface in ("", each.name)
        for name, (kind, read) in each.properties.items()
    }


def _children(objects: Objects, path: str) -> list[str]:
    """The names of the next steps from `path` to objects."""
    above = path.rstrip("/") + "/"
    return sorted({each.removeprefix(above).partition("/")[0] for each in objects if each.startswith(above)})


def introspect(objects: Objects, path: str) -> str:
    """Describe in the specification's XML what is at `path` and below it. No property tells of its changes."""
    lines = ["<node>"]
    for interface in _all_interfaces(objects, path) if path in objects else ():
        lines.append(f'  <interface name="{interface.name}">')
        for name, method in interface.methods.items():
            arguments = [("in", kind) for kind in split(method.takes)] + [("out", kind) for kind in split(method.gives)]
            inner = "".join(f'<arg type="{kind}" direction="{way}"/>' for way, kind in arguments)
            lines.append(f'    <method name="{name}">{inner}</method>')
        for name, kinds in interface.signals.items():
            inner = "".join(f'<arg type="{kind}"/>' for kind in split(kinds))
            lines.append(f'    <signal name="{name}">{inner}</signal>')
        for name, (kind, _) in interface.properties.items():
            lines.append(f'    <property name="{name}" type="{kind}" access="read"/>')
        if interface.properties:
            lines.append(f'    <annotation name="{_DBUS}.Property.EmitsChangedSignal" value="false"/>')
        lines.append("  </interface>")
    lines += [f'  <node name="{name}"/>' for name in _children(objects, path)]
    return "\n".join([*lines, "</node>", ""])


def split(signature: str) -> list[str]:
    """Split D-Bus types into single ones: 'ia{sv}' is 'i' and 'a{sv}'."""
    found, start, depth = [], 0, 0
    for place, sign in enumerate(signature):
        depth += (sign in "({") - (sign in ")}")
        if depth == 0 and sign != "a":
            found.append(signature[start : place + 1])
            start = place + 1
    return found
