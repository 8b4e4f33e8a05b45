"""Desktop notifications over a private session bus, to a stand-in for the desktop."""

from __future__ import annotations

import logging
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jeepney import HeaderFields, MessageType, message_bus, new_method_return
from jeepney.io.blocking import Proxy, open_dbus_connection

from camdaemon.linux import desktop

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>"""

pytestmark = pytest.mark.timeout(20)


class Desktop:
    """Owns org.freedesktop.Notifications on the bus at `address`; what it is asked to show arrives in `shown`.

    While `go_on` is cleared it holds its answers back.
    """

    def __init__(self, address: str, capabilities: list[str]) -> None:
        self.shown: queue.Queue[tuple] = queue.Queue()
        self.go_on = threading.Event()
        self.go_on.set()
        self._capabilities = capabilities
        self._ended = False
        self._bus = open_dbus_connection(address)
        Proxy(message_bus, self._bus).RequestName("org.freedesktop.Notifications", _timeout=5)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._ended = True
        self.go_on.set()
        self._thread.join(60)
        self._bus.close()

    def _serve(self) -> None:
        number = 40
        while not self._ended:
            try:
                asked = self._bus.receive(timeout=0.1)
            except TimeoutError:
                continue
            if asked.header.message_type is not MessageType.method_call:
                continue
            if asked.header.fields[HeaderFields.member] == "GetCapabilities":
                answer = new_method_return(asked, "as", (self._capabilities,))
            else:
                number += 1
                self.shown.put(asked.body)
                self.go_on.wait(60)
                answer = new_method_return(asked, "u", (asked.body[1] or number,))
            self._bus.send(answer)


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A private session bus's address, which is also the one in the environment."""
    if shutil.which("dbus-daemon") is None:
        pytest.skip("dbus-daemon is not installed: sudo apt install dbus-daemon")
    config = tmp_path / "bus.conf"
    config.write_text(CONFIG.format(path=tmp_path / "bus"))
    daemon = subprocess.Popen(
        ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address"], stdout=subprocess.PIPE, text=True
    )
    with daemon:
        assert daemon.stdout is not None
        address = daemon.stdout.readline().strip()
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        yield address
        daemon.terminate()


@pytest.fixture(autouse=True)
def notifier(monkeypatch: pytest.MonkeyPatch) -> Iterator[desktop._Notifier]:
    """One that has shown nothing yet; its thread has ended when the test has."""
    fresh = desktop._Notifier()
    monkeypatch.setattr(desktop, "_notifier", fresh)
    yield fresh
    finished(fresh)


def finished(notifier: desktop._Notifier) -> None:
    for thread in threading.enumerate():
        if thread.name == "desktop":
            thread.join(60)
    assert not notifier._sending


def test_a_note_says_who_and_what_and_replaces_the_one_before(bus, notifier):
    there = Desktop(bus, ["body"])
    try:
        desktop.notify("Camera lost", "a < b & c > d")
        app, replaces, icon, title, body, actions, hints, expires = there.shown.get(timeout=60)
        assert (app, replaces, icon) == ("camdaemon", 0, "camera-web")
        assert (title, body) == ("Camera lost", "a < b & c > d")
        assert (actions, expires) == ([], -1)
        assert hints["urgency"] == ("y", 1)
        finished(notifier)
        desktop.notify("Camera is back", "")
        _, replaces, _, title, _, _, hints, _ = there.shown.get(timeout=60)
        assert (replaces, title, hints["urgency"]) == (41, "Camera is back", ("y", 1))
    finally:
        there.close()


def test_plain_text_stays_plain_where_the_desktop_reads_markup(bus):
    there = Desktop(bus, ["body", "body-markup"])
    try:
        desktop.notify("<b>", "<b> & more")
        *_, title, body, _, _, _ = there.shown.get(timeout=60)
        assert (title, body) == ("<b>", "&lt;b&gt; &amp; more"), "a summary has no markup, a body may"
    finally:
        there.close()


def test_a_slow_desktop_holds_nobody_up_and_gets_the_newest(bus, notifier):
    there = Desktop(bus, [])
    there.go_on.clear()
    try:
        desktop.notify("first", "")
        assert there.shown.get(timeout=60)[3] == "first"
        before = time.monotonic()
        for number in range(100):
            desktop.notify(str(number), "")
        assert time.monotonic() - before < 60
        assert sum(thread.name == "desktop" for thread in threading.enumerate()) == 1
        there.go_on.set()
        assert there.shown.get(timeout=60)[3] == "99"
        finished(notifier)
        assert there.shown.empty()
    finally:
        there.close()


def test_a_bus_without_a_desktop_is_silent_and_a_later_one_is_found(bus, notifier, caplog):
    caplog.set_level(logging.DEBUG, "camdaemon.linux")
    desktop.notify("nobody", "sees this")
    finished(notifier)
    assert [record.levelno for record in caplog.records] == [logging.DEBUG]
    there = Desktop(bus, [])
    try:
        desktop.notify("somebody", "")
        assert there.shown.get(timeout=60)[3] == "somebody"
    finally:
        there.close()


@pytest.mark.parametrize("address", [None, "", "unix:path=/nowhere/at/all", "tcp:host=localhost", "nonsense"])
def test_without_a_bus_it_is_silent(address, notifier, monkeypatch, caplog):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    if address is not None:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    caplog.set_level(logging.DEBUG, "camdaemon.linux")
    desktop.notify("nobody", "sees this")
    finished(notifier)
    assert [record.levelno for record in caplog.records] == [logging.DEBUG]
    assert "notification failed" in caplog.text


def test_the_bus_at_its_usual_place_needs_no_variable(bus, tmp_path, monkeypatch):
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    there = Desktop(bus, [])
    try:
        desktop.notify("found", "")
        assert there.shown.get(timeout=60)[3] == "found"
    finally:
        there.close()


SYSTEMD_RUN = """#!/bin/sh
printf '%s\\n' "$@" > "$CALLS"
exit "$CODE"
"""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What this process itself opens; systemd-run, which writes down its arguments, is on PATH."""
    pages: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda page: pages.append(page) or True)
    (tmp_path / "systemd-run").write_text(SYSTEMD_RUN)
    (tmp_path / "systemd-run").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("CODE", "0")
    monkeypatch.delenv("INVOCATION_ID", raising=False)
    return pages


def test_a_page_opens_from_a_terminal(opened, tmp_path):
    assert desktop.open_page("file:///p.html")
    assert opened == ["file:///p.html"]
    assert not (tmp_path / "calls").exists()


def test_a_service_has_its_manager_start_the_browser(opened, tmp_path, monkeypatch):
    """Its own children are in its sandbox."""
    monkeypatch.setenv("INVOCATION_ID", "1")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-7")
    assert desktop.open_page("file:///p.html")
    assert opened == []
    asked = (tmp_path / "calls").read_text().splitlines()
    assert asked[-3:] == ["-m", "webbrowser", "file:///p.html"]
    assert {"--user", "--setenv=WAYLAND_DISPLAY=wayland-7", "--property=KillMode=process"} <= set(asked)
    monkeypatch.setenv("CODE", "1")
    assert desktop.open_page("file:///q.html")
    assert opened == ["file:///q.html"], "better than nothing"


def test_a_note_of_a_command_is_on_the_screen_before_it_ends(bus):
    there = Desktop(bus, [])
    try:
        desktop.show("camdaemon", "no camera")
        assert there.shown.get_nowait()[3:5] == ("camdaemon", "no camera")
    finally:
        there.close()
