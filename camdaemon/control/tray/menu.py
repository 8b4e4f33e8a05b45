"""What the tray's menu says and does, made of the daemon's status. Knows nothing of D-Bus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from camdaemon.control import table
from camdaemon.control.table import BackdropFile

_MOST_BACKDROPS = 40  # that a menu can show; the panel shows all
_LONGEST = 90  # letters of a line


@dataclass(frozen=True, slots=True)
class Action:
    """A command of the table, and its values. A click on a line that has changed meanwhile does what the line said."""

    function: str
    values: tuple[tuple[str, Any], ...] = ()  # those that are not as where nothing is typed


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu.

    Attributes:
        key: Names it among all lines; two that do different things have different keys.
        label: As it is read; '' for a separator.
        action: What a click does; None: it cannot be clicked.
        toggle: '', 'checkmark' or 'radio'.
        is_on: Whether it is checked.
        children: A submenu.
    """

    key: str
    label: str = ""
    action: Action | None = None
    toggle: str = ""
    is_on: bool = False
    children: tuple[Entry, ...] = ()


def build(status: Mapping[str, Any], backdrops: Sequence[BackdropFile]) -> tuple[Entry, ...]:
    """Return the lines of the menu.

    Args:
        status: What the command `status` answers.
        backdrops: What the command `backdrops` answers.
    """
    submenus = [Entry("backdrops", "Backdrops", children=tuple(_list_backdrops(status, backdrops)))]
    if scenes := tuple(_list_scenes(status)):
        submenus.append(Entry("scenes", "Scenes", children=scenes))
    return (
        *(Entry(f"said {row}", line) for row, line in enumerate(describe(status))),
        *_list_ways_back(status),
        Entry("separator 1"),
        _card(status),
        _plate(status),
        *submenus,
        Entry("separator 2"),
        Entry("panel", "Open the panel", Action("panel")),
        Entry("stop", "Quit camdaemon", Action("stop")),
    )


def describe(status: Mapping[str, Any]) -> list[str]:
    """Say what viewers see, and where there is more to say why, in a line each: the menu has no room for advice."""
    reason = str(status["seen"]["reason"])
    said = str(status["viewers_see"]).partition(f": {reason}" if reason else "\n")[0].partition(". ")[0].rstrip(".")
    if not reason and not {"viewers", "always"} & set(status["demand"]):
        reason = "nobody watches at the moment"
    return [_shorten(line[:1].upper() + line[1:]) for line in (said, reason.partition(". ")[0]) if line]


def walk(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Yield all lines, those of submenus too."""
    return chain.from_iterable((entry, *walk(entry.children)) for entry in entries)


def _list_ways_back(status: Mapping[str, Any]) -> Iterator[Entry]:
    """What the first line would otherwise tell the user to type."""
    if status["mode"] == "passthrough":
        yield Entry("mode matte", "Hide the room", Action("mode", (("mode", "matte"),)))
    if status["paused"]:
        yield Entry("pause off", "Let the picture move again", Action("pause", (("turn", "off"),)))


def _card(status: Mapping[str, Any]) -> Entry:
    is_on = status["mode"] == "card"
    turn = "off" if is_on else "on"
    return Entry(f"card {turn}", "Show the card", Action("card", (("turn", turn),)), "checkmark", is_on)


def _plate(status: Mapping[str, Any]) -> Entry:
    if status["taking"] is not None:
        return Entry("plate cancel", "Cancel the plate", Action("cancel_plate"))
    seconds = next(each.initial for each in table.find("plate").sent if each.delays)
    return Entry("plate", f"Take the plate: leave the picture within {seconds:g} s", Action("plate"))


def _list_backdrops(status: Mapping[str, Any], backdrops: Sequence[BackdropFile]) -> Iterator[Entry]:
    """Those of the panel, but for the clean room, which shows the room and so is asked for twice."""
    now = str(status["backdrop"])
    listed = [(file.name.rpartition(".")[0] or file.name, file.spec) for file in backdrops[:_MOST_BACKDROPS]]
    listed.append(("Blur", "blur"))
    shown = "blur" if now.startswith("blur:") else now
    if shown not in (spec for _, spec in listed):
        listed.append((_name(now), now))
    for name, spec in listed:
        yield Entry(f"backdrop {spec}", _shorten(name), Action("backdrop", (("spec", spec),)), "radio", spec == shown)
    if len(backdrops) > _MOST_BACKDROPS:
        yield Entry("more", f"{len(backdrops) - _MOST_BACKDROPS} more, in the panel", Action("panel"))


def _list_scenes(status: Mapping[str, Any]) -> Iterator[Entry]:
    for name in status["scenes"]:
        yield Entry(
            f"scene {name}", _shorten(name), Action("scene", (("name", name),)), "radio", name == status["scene"]
        )


def _name(spec: str) -> str:
    if spec == "plate":
        return "Clean room"
    return f"Color {spec[6:]}" if spec.startswith("color:") else spec.rpartition("/")[2]


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
