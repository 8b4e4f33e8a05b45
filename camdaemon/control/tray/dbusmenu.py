"""The menu as com.canonical.dbusmenu, which the desktop reads, draws and reports clicks to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from camdaemon.control.tray.menu import Action, Entry, walk
from camdaemon.linux.dbus_objects import Interface, Method, Refused

NAME, PATH = "com.canonical.dbusmenu", "/MenuBar"

_ROOT = 0
_PROPERTIES = "a{sv}"
_VERSION = 3  # of the protocol

Properties = dict[str, tuple[str, Any]]
Layout = tuple[int, Properties, list[tuple[str, Any]]]  # (ia{sv}av), as jeepney writes it
Signal = tuple[str, str, tuple[Any, ...]]  # member, D-Bus types, body


class DBusMenu:
    """Numbers the lines of a menu and answers for them. For the thread that speaks D-Bus.

    A number means one thing for good: a desktop may report a click on a menu that it has read long ago.
    """

    def __init__(self, build: Callable[[], Sequence[Entry]], click: Callable[[Action], None]) -> None:
        """Prepare.

        Args:
            build: Makes the menu as it is now. Raises nothing.
            click: Has an action done; returns at once.
        """
        self._build, self._click = build, click
        self._ids: dict[str, int] = {}  # by key; they count from 1
        self._actions: dict[int, Action | None] = {_ROOT: None}
        self._root = Entry("root")
        self._revision = 0
        self._is_read = False
        self._signals: list[Signal] = []

    def interface(self) -> Interface:
        """Return what the bus is to know of it."""
        methods = {
            "GetLayout": Method("iias", "u(ia{sv}av)", self._get_layout),
            "GetGroupProperties": Method("aias", "a(ia{sv})", self._get_group),
            "GetProperty": Method("is", "v", self._get_property),
            "Event": Method("isvu", "", self._event),
            "EventGroup": Method("a(isvu)", "ai", self._event_group),
            "AboutToShow": Method("i", "b", lambda id_: (self._is_other(id_),)),
            "AboutToShowGroup": Method("ai", "aiai", self._about_to_show_group),
        }
        properties: Mapping[str, tuple[str, Callable[[], Any]]] = {
            "Version": ("u", lambda: _VERSION),
            "TextDirection": ("s", lambda: "ltr"),
            "Status": ("s", lambda: "normal"),
            "IconThemePath": ("as", list),
        }
        signals = {"LayoutUpdated": "ui", "ItemsPropertiesUpdated": "a(ia{sv})a(ias)", "ItemActivationRequested": "iu"}
        return Interface(NAME, methods, properties, signals)

    def update(self) -> None:
        """Build the menu again, where somebody has read it."""
        if self._is_read:
            self._rebuild()

    def take_signals(self) -> list[Signal]:
        """Return the signals that tell what has changed since the last call: to all, for each may have read it."""
        signals, self._signals = self._signals, []
        return signals

    def _rebuild(self) -> bool:
        """Build the menu again; return whether anything has changed."""
        before, self._root = self._root, Entry("root", children=tuple(self._build()))
        if before == self._root:
            return False
        for entry in walk(self._root.children):
            self._actions[self._ids.setdefault(entry.key, len(self._ids) + 1)] = entry.action
        if _shape(before) != _shape(self._root):
            self._revision += 1
            self._signals.append(("LayoutUpdated", "ui", (self._revision, _ROOT)))
        else:
            pairs = zip(walk(before.children), walk(self._root.children), strict=True)
            changed = [(self._ids[new.key], _describe(new)) for old, new in pairs if _describe(old) != _describe(new)]
            self._signals.append(("ItemsPropertiesUpdated", "a(ia{sv})a(ias)", (changed, [])))
        return True

    def _get_layout(self, parent: int, depth: int, names: Sequence[str]) -> tuple[int, Layout]:
        self._rebuild()
        if not self._is_read:  # the first reader knows no other
            self._signals.clear()
            self._is_read = True
        return self._revision, self._lay_out(self._find(parent), depth, names)

    def _lay_out(self, entry: Entry, depth: int, names: Sequence[str]) -> Layout:
        """Describe `entry` and `depth` levels below it; -1: all of them."""
        below = entry.children if depth else ()
        inner = [("(ia{sv}av)", self._lay_out(child, depth - 1, names)) for child in below]
        return self._ids.get(entry.key, _ROOT), _select(_describe(entry), names), inner

    def _get_group(self, ids: Sequence[int], names: Sequence[str]) -> tuple[list[tuple[int, Properties]]]:
        known = self._by_id()
        return ([(each, _select(_describe(known[each]), names)) for each in ids or known if each in known],)

    def _get_property(self, id_: int, name: str) -> tuple[tuple[str, Any]]:
        found = _describe(self._find(id_))
        if name not in found:
            raise Refused(f"the line {id_} has no property {name}")
        return (found[name],)

    def _event(self, id_: int, event: str, _: object, __: int) -> tuple[()]:
        if id_ not in self._actions:
            raise Refused(f"the menu has no line {id_}")
        action = self._actions[id_]
        if event == "clicked" and action is not None:
            self._click(action)
        return ()

    def _event_group(self, events: Iterable[tuple[int, str, object, int]]) -> tuple[list[int]]:
        unknown = []
        for id_, event, data, time in events:
            try:
                self._event(id_, event, data, time)
            except Refused:
                unknown.append(id_)
        return (unknown,)

    def _is_other(self, id_: int) -> bool:
        """Whether the menu has changed since it was read last, its properties included."""
        self._find(id_)
        return self._rebuild()

    def _about_to_show_group(self, ids: Sequence[int]) -> tuple[list[int], list[int]]:
        known = self._by_id()
        has_changed = self._rebuild()
        return [each for each in ids if each in known and has_changed], [each for each in ids if each not in known]

    def _by_id(self) -> dict[int, Entry]:
        return {_ROOT: self._root} | {self._ids[entry.key]: entry for entry in walk(self._root.children)}

    def _find(self, id_: int) -> Entry:
        try:
            return self._by_id()[id_]
        except KeyError:
            raise Refused(f"the menu has no line {id_}") from None


def _describe(entry: Entry) -> Properties:
    if entry.key == "root":
        return {"children-display": ("s", "submenu")}
    if not entry.label:
        return {"type": ("s", "separator")}
    properties: Properties = {
        "label": ("s", entry.label.replace("_", "__")),  # one alone marks the letter after it as a key
        "enabled": ("b", entry.action is not None or bool(entry.children)),
    }
    if entry.toggle:
        properties |= {"toggle-type": ("s", entry.toggle), "toggle-state": ("i", int(entry.is_on))}
    if entry.children:
        properties["children-display"] = ("s", "submenu")
    return properties


def _select(properties: Properties, names: Sequence[str]) -> Properties:
    return {name: value for name, value in properties.items() if not names or name in names}


def _shape(entry: Entry) -> tuple[Any, ...]:
    """What no property tells: which lines there are, and in which order."""
    return entry.key, tuple(_shape(child) for child in entry.children)
