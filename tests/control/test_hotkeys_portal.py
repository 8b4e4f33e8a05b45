"""The portal over a real private D-Bus; the desktop behind it is stand_in_portal.py."""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, Queue

import pytest
from jeepney import DBusAddress, HeaderFields, message_bus, new_signal
from jeepney.io.blocking import Proxy, open_dbus_connection

from camdaemon.control import hotkeys
from camdaemon.control.hotkeys import Hotkeys
from camdaemon.control.hotkeys.portal import APP_ID
from tests.control.stand_in_portal import PATH, SHORTCUTS, Desk, desktop, private_bus

pytestmark = pytest.mark.skipif(not shutil.which("dbus-daemon"), reason="needs dbus-daemon")

BINDINGS = {"plate": "ctrl+alt+p", "scene my room": "super+F9"}
COMMANDS = "camdaemon plate (ctrl+alt+p), camdaemon scene my room (super+F9)"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with private_bus() as (_, where):
        yield where


@pytest.fixture(autouse=True)
def _wayland(monkeypatch: pytest.MonkeyPatch, address: str, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    monkeypatch.setenv("DISPLAY", ":54321")  # XWayland, which must not be asked
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    caplog.set_level(logging.INFO)


@pytest.fixture
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    """Parameter: what the portal lacks."""
    with desktop(getattr(request, "param", "nothing")) as there:
        yield there


class Started:
    """Hotkeys that run. pressed: (action, thread's name)."""

    def __init__(self) -> None:
        self.pressed: Queue[tuple[str, str]] = Queue()
        self.hotkeys = Hotkeys(BINDINGS, lambda action: self.pressed.put((action, threading.current_thread().name)))
        begin = time.monotonic()
        self.hotkeys.start()
        assert time.monotonic() - begin < 60

    def over(self) -> bool:
        """Whether the thread ends by itself."""
        for thread in threading.enumerate():
            if thread.name == "hotkeys":
                thread.join(60)
        return not any(thread.name == "hotkeys" for thread in threading.enumerate())


@pytest.fixture
def start() -> Iterator[Callable[[], Started]]:
    with ExitStack() as stack:

        def start() -> Started:
            started = Started()
            stack.callback(started.hotkeys.stop)
            return started

        yield start


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{record.levelname} {record.getMessage()}" for record in caplog.records]


def assert_off(caplog: pytest.LogCaptureFixture, reason: str) -> None:
    """One warning and nothing else: that they are off, `reason` (a pattern), and the commands to bind instead."""
    (line,) = logged(caplog)
    assert re.fullmatch(rf"WARNING hotkeys off: .*{reason}.*settings: {re.escape(COMMANDS)}", line)


@pytest.mark.parametrize("desk", ["nothing", "registry"], indirect=True)
def test_what_is_pressed_arrives(desk: Desk, start: Callable[[], Started], caplog: pytest.LogCaptureFixture) -> None:
    started = start()
    asked = desk.asked()
    assert asked.get("app_id") in (APP_ID, None)
    assert [call for call in asked["calls"] if call != "Asked"] == ["Register", "CreateSession", "BindShortcuts"]
    assert asked["shortcuts"] == [
        ["plate", {"description": "camdaemon plate", "preferred_trigger": "CTRL+ALT+p"}],
        ["scene my room", {"description": "camdaemon scene my room", "preferred_trigger": "LOGO+F9"}],
    ]
    desk.answer(0, plate="Meta+X", scene_my_room="Meta+F9")
    desk.press("plate", session="/org/freedesktop/portal/desktop/session/somebody/else")
    desk.press("unknown")
    desk.press("scene my room")
    desk.press("plate")
    assert started.pressed.get(timeout=60) == ("scene my room", "hotkeys")
    assert started.pressed.get(timeout=60) == ("plate", "hotkeys")
    (line,) = logged(caplog)
    assert re.fullmatch(r"INFO hotkeys: Meta\+X \w+ plate, Meta\+F9 \w+ scene my room", line)
    started.hotkeys.stop()
    assert started.over()
    assert started.pressed.empty()
    assert len(caplog.records) == 1


def test_who_it_is_comes_first(desk: Desk, start: Callable[[], Started]) -> None:
    start()
    assert desk.asked()["app_id"] == APP_ID
    assert "." in APP_ID


def test_a_key_that_nobody_chose_is_said(
    desk: Desk, start: Callable[[], Started], caplog: pytest.LogCaptureFixture
) -> None:
    started = start()
    desk.asked()
    desk.answer(0, plate="")
    desk.press("plate")
    assert started.pressed.get(timeout=60)[0] == "plate"
    (line,) = logged(caplog)
    assert re.fullmatch("INFO hotkeys: choose .*plate, scene my room .*settings", line)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1, "declined.*Restart camdaemon"),
        (2, "portal.* not .*log"),
    ],
)
def test_a_refusal_is_one_line(
    desk: Desk, start: Callable[[], Started], caplog: pytest.LogCaptureFixture, code: int, reason: str
) -> None:
    started = start()
    desk.asked()
    desk.answer(code)
    assert started.over()
    assert_off(caplog, reason)


@pytest.mark.parametrize(
    ("desk", "reason"),
    [
        ("shortcuts", "portal.* no .*shortcuts"),
        (
            "app-id",
            rf"refused: An app id is required\..*{re.escape(APP_ID)}\.desktop.*"
            "run: camdaemon service install --no-start",
        ),
    ],
    indirect=["desk"],
)
@pytest.mark.usefixtures("desk")
def test_a_portal_without_them_is_one_line(
    start: Callable[[], Started], caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    assert start().over()
    assert_off(caplog, reason)


def test_no_portal_is_one_line(start: Callable[[], Started], caplog: pytest.LogCaptureFixture) -> None:
    assert start().over()
    assert_off(caplog, "no .*portal.*running.*Install xdg-desktop-portal")


@pytest.mark.parametrize("where", ["unix:path=/nonexistent/bus", "tcp:host=localhost,port=1", "nonsense", None])
def test_no_bus_is_one_line(
    start: Callable[[], Started],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    where: str | None,
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    if where is None:
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    else:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", where)
    monkeypatch.delenv("WAYLAND_DISPLAY")
    monkeypatch.setenv("XDG_SESSION_TYPE", "wayland")
    assert start().over()
    assert_off(caplog, r"no session D-Bus: \w+: .*Start camdaemon")


def test_a_bus_that_nobody_named_is_found(
    desk: Desk, start: Callable[[], Started], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    with tempfile.TemporaryDirectory() as runtime:
        path = address.partition("path=")[2].partition(",")[0]
        Path(runtime, "bus").symlink_to(path)
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
        start()
        assert desk.asked()["app_id"] == APP_ID


@pytest.mark.parametrize("bound", [True, False])
def test_a_portal_that_starts_again_is_asked_again(
    start: Callable[[], Started], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, bound: bool
) -> None:
    monkeypatch.setattr(hotkeys, "_FIRST_S", 0.05)
    with desktop() as desk:
        started = start()
        desk.asked()
        if bound:
            desk.answer(0, plate="P", scene_my_room="S")
            desk.press("plate")
            assert started.pressed.get(timeout=60)[0] == "plate"
        desk.portal.kill()
    with desktop() as again:
        again.asked()
        again.answer(0, plate="P", scene_my_room="S")
        again.press("plate")
        assert started.pressed.get(timeout=60)[0] == "plate"
    assert any(re.match("WARNING hotkeys lost: .*portal has ended", line) for line in logged(caplog))


def test_a_portal_that_never_comes_back_is_one_more_line(
    start: Callable[[], Started], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotkeys, "_FIRST_S", 0.02)
    monkeypatch.setattr(hotkeys, "_LONGEST_S", 0.1)
    told: list[str] = []
    monkeypatch.setattr("camdaemon.linux.desktop.notify", lambda title, body: told.append(title))
    with desktop() as desk:
        started = start()
        desk.asked()
        caplog.clear()
        desk.portal.kill()
        assert started.over()
    lost, off = logged(caplog)
    assert lost.startswith("WARNING hotkeys lost:")
    assert re.fullmatch(rf"WARNING hotkeys off: .*no desktop portal.*settings: {re.escape(COMMANDS)}", off)
    assert told == ["Hotkeys are off"] * 2


def test_a_signal_of_another_sender_presses_nothing(desk: Desk, start: Callable[[], Started]) -> None:
    started = start()
    session = desk.asked()["session"]
    desk.answer(0, plate="P", scene_my_room="S")
    desk.press("plate")
    assert started.pressed.get(timeout=60)[0] == "plate"
    victim = ":" + session.split("/")[-2].replace("_", ".")
    with open_dbus_connection() as stranger:
        body: tuple[object, ...] = (session, "plate", 0, {})
        forged = new_signal(DBusAddress(PATH, victim, SHORTCUTS), "Activated", "osta{sv}", body)
        forged.header.fields[HeaderFields.destination] = victim
        stranger.send(forged)
        Proxy(message_bus, stranger).GetId()  # the bus has passed it on
    desk.press("scene my room")
    assert started.pressed.get(timeout=60)[0] == "scene my room"
    assert started.pressed.empty()


def test_a_session_that_is_closed_is_one_line(
    desk: Desk, start: Callable[[], Started], caplog: pytest.LogCaptureFixture
) -> None:
    started = start()
    desk.asked()
    desk.close("/org/freedesktop/portal/desktop/session/somebody/else")
    desk.answer(0, plate="P", scene_my_room="S")
    desk.press("plate")
    assert started.pressed.get(timeout=60)[0] == "plate"
    caplog.clear()
    desk.close()
    assert started.over()
    assert_off(caplog, "ended.*session.*Restart camdaemon")


def test_a_bus_that_goes_is_one_line(
    start: Callable[[], Started], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with private_bus() as (bus, where):
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", where)
        with desktop() as desk:
            started = start()
            desk.asked()
            bus.kill()
            assert started.over()
    assert_off(caplog, "D-Bus.*gone: .*Restart camdaemon")


@pytest.mark.parametrize("desk", ["patience"], indirect=True)
@pytest.mark.usefixtures("desk")
def test_a_portal_that_hangs_is_one_line(
    start: Callable[[], Started], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("camdaemon.control.hotkeys.portal._TIMEOUT_S", 0.3)
    assert start().over()
    assert_off(caplog, r"portal.*not answer.*0\.3 s")


def test_stop_ends_it_while_the_dialogue_is_open(
    desk: Desk, start: Callable[[], Started], caplog: pytest.LogCaptureFixture
) -> None:
    started = start()
    desk.asked()
    begin = time.monotonic()
    started.hotkeys.stop()
    started.hotkeys.stop()
    assert time.monotonic() - begin < 60
    assert not any(thread.name == "hotkeys" for thread in threading.enumerate())
    assert logged(caplog) == []
    with pytest.raises(Empty):
        started.pressed.get_nowait()


@pytest.mark.usefixtures("desk")
def test_stop_at_once_after_start(start: Callable[[], Started], caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(20):
        started = start()
        started.hotkeys.stop()
        assert started.over()
    assert logged(caplog) == []
