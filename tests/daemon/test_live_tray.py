"""The tray of a real daemon, on a real bus: each click, and what the command `status` says then."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.control.stand_in_portal import private_bus
from tests.control.stand_in_tray import Watcher
from tests.daemon.test_live_daemon import Daemon, daemon

pytestmark = pytest.mark.skipif(not shutil.which("dbus-daemon"), reason="needs dbus-daemon")

MORE = """
hotkeys = false
scenes.late = {backdrop = "blur:30", mirror = true}
scenes.away = {mode = "card"}
"""


@pytest.fixture(autouse=True)
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with private_bus() as (_, address):
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        yield


@contextmanager
def watched(folder: Path) -> Iterator[tuple[Daemon, Watcher]]:
    with daemon(folder, MORE) as live:
        live.until(lambda status: status["plate"] == "taken" and status["seen"]["state"] == "live")
        watcher = Watcher()
        watcher.wait_for_item()
        yield live, watcher
        watcher.leave()


def test_each_click_is_its_command(tmp_path: Path) -> None:
    with watched(tmp_path) as (live, watcher):

        def click(label: str) -> None:
            watcher.click(watcher.read_menu().find(label))

        click("Show the card")
        live.until(lambda status: status["mode"] == "card")
        assert watcher.read_menu().find("Show the card").said["toggle-state"] == 1
        click("Show the card")
        live.until(lambda status: status["mode"] == "matte" and status["seen"]["state"] == "live")
        click("b")
        live.until(lambda status: status["backdrop"].endswith("b.png"))
        click("late")
        live.until(lambda status: status["scene"] == "late" and status["mirror"])
        assert {line.label for line in watcher.read_menu().walk() if line.said.get("toggle-state")} == {"Blur", "late"}
        click("Take the plate")
        live.until(lambda status: status["taking"] is not None)
        click("Cancel the plate")
        live.until(lambda status: status["taking"] is None)
        click("Quit")
        assert live.process.wait(60) == 0


def test_the_icon_follows_what_viewers_see_however_it_came(tmp_path: Path) -> None:
    with watched(tmp_path) as (live, watcher):
        live.client.mode("passthrough")
        assert watcher.wait_for("NewStatus").body == ("NeedsAttention",)
        watcher.click(watcher.read_menu().find("Hide the room"))
        assert watcher.wait_for("NewStatus").body == ("Active",)
        live.client.card("on")
        sentence = live.until(lambda status: status["seen"]["state"] == "card")["viewers_see"]
        while watcher.look()["ToolTip"][3] != sentence:
            watcher.wait_for("NewToolTip")


def test_a_reload_removes_the_icon_and_brings_it_back(tmp_path: Path) -> None:
    with watched(tmp_path) as (live, watcher):
        text = live.config.read_text()
        live.config.write_text(f"tray = false\n{text}")
        assert "tray" in live.client.reload()
        assert not watcher.is_there()
        live.config.write_text(text)
        live.client.reload()
        watcher.wait_for_item()
        assert watcher.is_there()
