"""A desktop's tray for tests, on a private D-Bus: the watcher, and the person who looks and clicks.

It lives in the test's own thread and speaks as KDE's does. `Watcher.leave` and another `Watcher` are a panel's restart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jeepney import DBusAddress, HeaderFields, MatchRule, Message, message_bus, new_method_call, new_method_return
from jeepney.io.blocking import Proxy, open_dbus_connection
from jeepney.wrappers import unwrap_msg

WATCHER, ITEM, MENU = "org.kde.StatusNotifierWatcher", "org.kde.StatusNotifierItem", "com.canonical.dbusmenu"
PROPERTIES = "org.freedesktop.DBus.Properties"
_PATIENCE_S = 60.0


@dataclass
class Line:
    """A line of the menu as the desktop draws it."""

    number: int
    said: dict[str, Any]
    children: list[Line] = field(default_factory=list)

    @classmethod
    def read(cls, layout: Any) -> Line:
        number, properties, children = layout
        return cls(number, {name: value for name, (_, value) in properties.items()}, [cls.read(c) for _, c in children])

    @property
    def label(self) -> str:
        return str(self.said.get("label", ""))

    def find(self, label: str) -> Line:
        """The one line below this one whose label begins so."""
        (found,) = [line for line in self.walk() if line.label.startswith(label)]
        return found

    def walk(self) -> list[Line]:
        return [each for child in self.children for each in (child, *child.walk())]

    def draw(self, depth: int = 0) -> str:
        """As text, a line each."""
        signs = {"checkmark": "[x]" if self.said.get("toggle-state") else "[ ]"}
        signs["radio"] = "(o)" if self.said.get("toggle-state") else "( )"
        sign = signs.get(self.said.get("toggle-type", ""), "")
        dim = "" if self.said.get("enabled", True) else "~"
        own = "----" if self.said.get("type") == "separator" else f"{sign} {dim}{self.label}".strip()
        return "\n".join(["    " * depth + own] * bool(depth) + [each.draw(depth + 1) for each in self.children])


class Watcher:
    """org.kde.StatusNotifierWatcher and a host, on the bus that the environment names."""

    def __init__(self) -> None:
        self._bus = open_dbus_connection()
        self._seen: deque[Message] = deque()
        self._bus.filter(MatchRule(type="signal"), queue=self._seen)
        self._bus.filter(MatchRule(type="method_call", interface=WATCHER), queue=self._seen)
        self._daemon = Proxy(message_bus, self._bus, timeout=_PATIENCE_S)
        for interface in (ITEM, MENU):
            self._daemon.AddMatch(MatchRule(type="signal", interface=interface))
        self._daemon.RequestName(WATCHER)
        self.item = ""

    def leave(self) -> None:
        self._bus.close()

    def wait_for_item(self) -> str:
        """The name under which an item has registered."""
        message = self.wait_for("RegisterStatusNotifierItem")
        (self.item,) = message.body
        self._bus.send(new_method_return(message))
        return self.item

    def next_member(self) -> str:
        """The name of the next signal, or call to us."""
        message = self._bus.recv_until_filtered(self._seen, timeout=_PATIENCE_S)
        return str(message.header.fields[HeaderFields.member])

    def wait_for(self, member: str, is_right: Callable[[Any], bool] = lambda _: True) -> Message:
        """The next signal, or call to us, of that name; what comes before is passed over."""
        while True:
            message = self._bus.recv_until_filtered(self._seen, timeout=_PATIENCE_S)
            if message.header.fields[HeaderFields.member] == member and is_right(message.body):
                return message

    def ask(self, path: str, interface: str, method: str, types: str | None = None, *body: Any) -> tuple[Any, ...]:
        """Raises DBusErrorResponse."""
        call = new_method_call(DBusAddress(path, self.item, interface), method, types, body)
        answer: tuple[Any, ...] = unwrap_msg(self._bus.send_and_get_reply(call, timeout=_PATIENCE_S))
        return answer

    def is_there(self) -> bool:
        """Whether the item's name is on the bus."""
        (has_owner,) = self._daemon.NameHasOwner(self.item)
        return bool(has_owner)

    def look(self) -> dict[str, Any]:
        """All of the item's properties."""
        (found,) = self.ask("/StatusNotifierItem", PROPERTIES, "GetAll", "s", ITEM)
        return {name: value for name, (_, value) in found.items()}

    def read_menu(self) -> Line:
        path = self.look()["Menu"]
        _, layout = self.ask(path, MENU, "GetLayout", "iias", 0, -1, [])
        return Line.read(layout)

    def click(self, line: Line) -> None:
        self.ask(self.look()["Menu"], MENU, "Event", "isvu", line.number, "clicked", ("i", 0), 0)
