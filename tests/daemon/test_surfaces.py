"""The key bindings and the tray's icon of the daemon's surfaces: replaced by a reload, gone at the end."""

from __future__ import annotations

from typing import Any

import pytest

from camdaemon.control.tray import Seen
from camdaemon.daemon import surfaces


class FakeHotkeys:
    """Remembers which bindings are listened to."""

    now: list[dict[str, str]] = []  # noqa: RUF012  # emptied by the fixture

    def __init__(self, bindings: dict[str, str], press: object) -> None:
        self._bindings = dict(bindings)

    def start(self) -> None:
        self.now.append(self._bindings)

    def stop(self) -> None:
        self.now.remove(self._bindings)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> surfaces._Keys:
    FakeHotkeys.now.clear()
    monkeypatch.setattr(surfaces, "Hotkeys", FakeHotkeys)
    return surfaces._Keys(lambda action: None)


def test_new_bindings_replace_the_old_ones(keys: surfaces._Keys) -> None:
    keys.bind({"card": "ctrl+c"})
    keys.bind({"card": "ctrl+c"})
    assert FakeHotkeys.now == [{"card": "ctrl+c"}]
    keys.bind({"pause": "ctrl+p"})
    assert FakeHotkeys.now == [{"pause": "ctrl+p"}]
    keys.bind({})
    assert FakeHotkeys.now == []


def test_a_reload_that_ends_after_the_daemon_binds_nothing(keys: surfaces._Keys) -> None:
    keys.bind({"card": "ctrl+c"})
    keys.close()
    keys.bind({"card": "ctrl+c"})
    keys.close()
    assert FakeHotkeys.now == []


class FakeTray:
    """Remembers which icons are shown."""

    shown: list[FakeTray] = []  # noqa: RUF012  # emptied by the fixture

    def __init__(self, commands: object, press: object) -> None:
        self.told: list[tuple[object, object]] = []

    def start(self) -> None:
        self.shown.append(self)

    def stop(self) -> None:
        self.shown.remove(self)

    def tell(self, seen: object, scene: object) -> None:
        self.told.append((seen, scene))


@pytest.fixture
def icon(monkeypatch: pytest.MonkeyPatch) -> surfaces._TrayIcon:
    FakeTray.shown.clear()
    monkeypatch.setattr(surfaces, "Tray", FakeTray)
    return surfaces._TrayIcon(lambda request: None)


def test_the_icon_is_shown_once_while_it_is_wanted(icon: surfaces._TrayIcon) -> None:
    commands: Any = object()
    icon.tell(Seen(), None)
    icon.switch(commands, True)
    (first,) = FakeTray.shown
    icon.switch(commands, True)
    assert FakeTray.shown == [first]
    icon.tell(Seen("card"), None)
    assert first.told == [(Seen("card"), None)]
    icon.switch(commands, False)
    assert FakeTray.shown == []
    icon.switch(commands, True)
    icon.close()
    icon.switch(commands, True)
    icon.close()
    assert FakeTray.shown == []
