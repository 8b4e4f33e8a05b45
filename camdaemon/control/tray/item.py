"""The icon as org.kde.StatusNotifierItem: what viewers see, at a glance."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from camdaemon.control.tray import Seen, dbusmenu, icons
from camdaemon.control.tray.icons import Pixmap
from camdaemon.control.tray.menu import Action
from camdaemon.linux.dbus_objects import Interface, Method

NAME, PATH = "org.kde.StatusNotifierItem", "/StatusNotifierItem"

_PIXMAPS = "a(iiay)"
_TITLE = "camdaemon"
_ICONS = {"card": "camdaemon-card", "passthrough": "camdaemon-room", "unknown": "camdaemon-unknown"}
ICONS = ("camdaemon", *_ICONS.values())


class Item:
    """Answers for the icon. For the thread that speaks D-Bus."""

    def __init__(self, click: Callable[[Action], None]) -> None:
        """Prepare. `click` has an action done and returns at once."""
        self._click = click
        self.seen = Seen()

    def interface(self) -> Interface:
        """Return what the bus is to know of it."""
        methods = {
            "Activate": Method("ii", "", lambda *_: self._do(Action("panel"))),
            "SecondaryActivate": Method("ii", "", lambda *_: self._do(Action("card"))),
            "ContextMenu": Method("ii", "", lambda *_: ()),  # the desktop shows the menu by itself
            "Scroll": Method("is", "", lambda *_: ()),
        }
        properties: dict[str, tuple[str, Callable[[], Any]]] = {
            "Category": ("s", lambda: "Hardware"),
            "Id": ("s", lambda: "camdaemon"),
            "Title": ("s", lambda: _TITLE),
            "Status": ("s", lambda: self.status),
            "WindowId": ("i", lambda: 0),
            "IconThemePath": ("s", str),
            "IconName": ("s", lambda: icons.name_in_theme(self._icon)),
            "IconPixmap": (_PIXMAPS, self._draw),
            "OverlayIconName": ("s", str),
            "OverlayIconPixmap": (_PIXMAPS, list),
            "AttentionIconName": ("s", lambda: icons.name_in_theme(self._icon)),
            "AttentionIconPixmap": (_PIXMAPS, self._draw),
            "AttentionMovieName": ("s", str),
            "ToolTip": ("(sa(iiay)ss)", lambda: ("", [], _TITLE, html.escape(self.seen.sentence, quote=False))),
            "ItemIsMenu": ("b", lambda: False),
            "Menu": ("o", lambda: dbusmenu.PATH),
        }
        news = ("NewTitle", "NewIcon", "NewAttentionIcon", "NewOverlayIcon", "NewToolTip")
        return Interface(NAME, methods, properties, {**dict.fromkeys(news, ""), "NewStatus": "s"})

    @property
    def status(self) -> str:
        """'NeedsAttention' while viewers see the room, else 'Active': never hidden, for it says what they see."""
        return "NeedsAttention" if self.seen.state == "passthrough" else "Active"

    @property
    def _icon(self) -> str:
        return _ICONS.get(self.seen.state, ICONS[0])

    def show(self, seen: Seen) -> list[dbusmenu.Signal]:
        """Stand for `seen` from now on; return the signals that tell what is new."""
        icon, status, sentence = self._icon, self.status, self.seen.sentence
        self.seen = seen
        signals: list[dbusmenu.Signal] = []
        if self._icon != icon:
            signals += [("NewIcon", "", ()), ("NewAttentionIcon", "", ())]
        if self.status != status:
            signals.append(("NewStatus", "s", (self.status,)))
        if self.seen.sentence != sentence:
            signals.append(("NewToolTip", "", ()))
        return signals

    def _do(self, action: Action) -> tuple[()]:
        self._click(action)
        return ()

    def _draw(self) -> list[Pixmap]:
        return icons.draw_pixmaps(self._icon)
