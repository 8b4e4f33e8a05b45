"""The key bindings of the daemon's surfaces: replaced by a reload, gone at the end."""

from __future__ import annotations

import pytest

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
