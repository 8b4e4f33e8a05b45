"""The icon and its menu over a real private D-Bus; the tray is stand_in_tray.py, the commands behind it are fake."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from queue import Queue
from typing import Any

import pytest
from jeepney import DBusAddress, HeaderFields, new_method_call, new_signal
from jeepney.io.blocking import open_dbus_connection
from jeepney.wrappers import DBusErrorResponse, unwrap_msg

from camdaemon.control import table, tray
from camdaemon.control.actions import Performer
from camdaemon.control.table import BackdropFile
from camdaemon.control.tray import Seen, Tray
from camdaemon.errors import ConfirmationNeeded, ControlError
from tests.control.stand_in_portal import private_bus
from tests.control.stand_in_tray import ITEM, MENU, WATCHER, Watcher

pytestmark = pytest.mark.skipif(not shutil.which("dbus-daemon"), reason="needs dbus-daemon")

ROOM = Seen("passthrough", "Viewers see the raw camera, your room included. Back with: camdaemon mode matte")
LIVE = Seen("live", "Viewers see you in front of library.")
CARD = Seen("card", "Viewers see the privacy card.")


class FakeCommands:
    """The commands as the table has them: wrong names, counts or values of arguments are an AssertionError."""

    def __init__(self) -> None:
        self.asked: Queue[tuple[Any, ...]] = Queue()
        self.error: Exception | None = None
        self.now: dict[str, Any] = {
            "viewers_see": LIVE.sentence,
            "seen": {"state": "live", "badge": "Live", "reason": "", "for_s": 1.0, "at": 1.0},
            "mode": "matte",
            "paused": False,
            "scene": "late",
            "scenes": ["meeting", "late"],
            "backdrop": "library",
            "taking": None,
            "demand": ["viewers"],
        }

    def status(self) -> dict[str, Any]:
        return dict(self.now)

    def backdrops(self) -> list[BackdropFile]:
        return [BackdropFile("my_beach.jpg", "/p/my_beach.jpg", "image"), BackdropFile("library", "library", "image")]

    def __getattr__(self, function: str) -> Callable[..., str]:
        command = table.find(function)

        def do(*values: Any) -> str:
            assert len(values) == len(command.sent)
            for parameter, value in zip(command.sent, values, strict=True):
                assert not parameter.choices or value in parameter.choices
            self.asked.put((function, *values))
            if self.error:
                raise self.error
            return "http://127.0.0.1:1/open?token=secret" if function == "panel" else f"done: {function}."

        return do


class Desk:
    """A daemon's tray that runs, and what came of it."""

    def __init__(self, stack: ExitStack) -> None:
        self.commands, self.told = FakeCommands(), Queue[tuple[str, bool]]()
        self.performer = Performer(self.commands, lambda *told: self.told.put(told))
        self.tray = Tray(self.commands, self.performer._presses.put)
        self.performer.start()
        stack.callback(self.performer.stop)
        self.tray.start()
        stack.callback(self.tray.stop)
        self.stack = stack

    def watcher(self) -> Watcher:
        watcher = Watcher()
        self.stack.callback(lambda: suppress(OSError).__enter__() or watcher.leave())
        return watcher

    def is_over(self) -> bool:
        for thread in threading.enumerate():
            if thread.name == "tray":
                thread.join(60)
        return not any(thread.name == "tray" for thread in threading.enumerate())


@pytest.fixture(autouse=True)
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    with private_bus() as (process, address):
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        yield process


@pytest.fixture
def desk() -> Iterator[Desk]:
    with ExitStack() as stack:
        yield Desk(stack)


def test_a_tray_sees_the_item(desk: Desk) -> None:
    watcher = desk.watcher()
    assert watcher.wait_for_item().startswith("org.kde.StatusNotifierItem-")
    seen = watcher.look()
    assert (seen["Id"], seen["Title"], seen["Category"]) == ("camdaemon", "camdaemon", "Hardware")
    assert (seen["Status"], seen["ItemIsMenu"], seen["Menu"]) == ("Active", False, "/MenuBar")
    for width, height, pixels in seen["IconPixmap"]:
        assert len(pixels) == 4 * width * height
    assert {width for width, _, _ in seen["IconPixmap"]} >= {24, 32, 48}
    assert seen["IconName"] == "", "no theme has it here, so the pixels are to be taken"


def test_a_look_answers_what_viewers_see(desk: Desk) -> None:
    watcher = desk.watcher()
    watcher.wait_for_item()
    pictures = set()
    for seen, status in ((LIVE, "Active"), (CARD, "Active"), (ROOM, "NeedsAttention"), (LIVE, "Active")):
        desk.tray.tell(seen, object())
        watcher.wait_for("NewToolTip")
        now = watcher.look()
        assert now["Status"] == status
        assert now["ToolTip"][2:] == ("camdaemon", seen.sentence)
        pictures.add((seen.state, bytes(now["IconPixmap"][0][2]), bytes(now["AttentionIconPixmap"][0][2])))
    assert len(pictures) == 3, "one for each state, the same each time"


def test_what_does_not_change_is_not_told(desk: Desk) -> None:
    watcher = desk.watcher()
    watcher.wait_for_item()
    watcher.read_menu()
    scene = object()
    for _ in range(100):
        desk.tray.tell(LIVE, scene)
    watcher.wait_for("NewToolTip")
    for _ in range(100):
        desk.tray.tell(LIVE, scene)
    watcher.read_menu()
    desk.tray.tell(CARD, scene)
    told: list[str] = []
    while not told or told[-1] != "NewToolTip":
        told.append(watcher.next_member())
    assert told == ["NewIcon", "NewAttentionIcon", "NewToolTip"]


def test_the_room_is_said_at_once(desk: Desk) -> None:
    watcher = desk.watcher()
    watcher.wait_for_item()
    desk.tray.tell(ROOM, None)
    assert watcher.wait_for("NewStatus").body == ("NeedsAttention",)
    desk.tray.tell(LIVE, None)
    assert watcher.wait_for("NewStatus").body == ("Active",)


def test_the_menu(desk: Desk) -> None:
    watcher = desk.watcher()
    watcher.wait_for_item()
    assert (
        watcher.read_menu().draw()
        == """\
    ~Viewers see you in front of library
    ----
    [ ] Show the card
    Take the plate: leave the picture within 5 s
    Backdrops
        ( ) my__beach
        (o) library
        ( ) Blur
    Scenes
        ( ) meeting
        (o) late
    ----
    Open the panel
    Quit camdaemon"""
    )


@pytest.mark.parametrize(
    ("label", "asked"),
    [
        ("Show the card", ("card", "on")),
        ("Take the plate", ("plate", 5.0, False)),
        ("my__beach", ("backdrop", "/p/my_beach.jpg", False)),
        ("Blur", ("backdrop", "blur", False)),
        ("meeting", ("scene", "meeting")),
        ("Quit", ("stop",)),
    ],
)
def test_each_entry_does_what_the_command_does(desk: Desk, label: str, asked: tuple[object, ...]) -> None:
    watcher = desk.watcher()
    watcher.wait_for_item()
    watcher.click(watcher.read_menu().find(label))
    assert desk.commands.asked.get(timeout=60) == asked
    assert desk.told.get(timeout=60) == (f"done: {asked[0]}.", False)


def test_the_panel_opens_in_the_browser_and_its_address_is_told_to_nobody(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: Queue[str] = Queue()

    def open_browser(address: str) -> str:
        opened.put(address)
        return "The panel opens."

    monkeypatch.setattr(tray, "open_browser", open_browser)
    watcher = desk.watcher()
    watcher.wait_for_item()
    watcher.click(watcher.read_menu().find("Open the panel"))
    assert opened.get(timeout=60).endswith("token=secret")
    assert desk.told.get(timeout=60) == ("The panel opens.", False)
    watcher.ask("/StatusNotifierItem", ITEM, "Activate", "ii", 10, 10)
    assert opened.get(timeout=60)


def test_a_middle_click_is_the_card_and_a_wheel_is_nothing(desk: Desk) -> None:
    watcher = desk.watcher()
    watcher.wait_for_item()
    watcher.ask("/StatusNotifierItem", ITEM, "Scroll", "is", 120, "vertical")
    watcher.ask("/StatusNotifierItem", ITEM, "ContextMenu", "ii", 1, 1)
    watcher.ask("/StatusNotifierItem", ITEM, "SecondaryActivate", "ii", 1, 1)
    assert desk.commands.asked.get(timeout=60) == ("card", "toggle")
    assert desk.commands.asked.empty()


@pytest.mark.parametrize("error", [ControlError("no. Run: x"), ConfirmationNeeded("the room"), OSError("disk")])
def test_what_fails_is_told_as_for_a_key(desk: Desk, error: Exception) -> None:
    watcher = desk.watcher()
    watcher.wait_for_item()
    desk.commands.error = error
    watcher.click(watcher.read_menu().find("library"))
    sentence, failed = desk.told.get(timeout=60)
    assert failed
    assert str(error) in sentence


def test_a_click_does_what_the_line_said_when_it_was_read(desk: Desk) -> None:
    """The card may be on by a key meanwhile: whoever clicks on 'Show the card' never takes it off."""
    watcher = desk.watcher()
    watcher.wait_for_item()
    old = watcher.read_menu().find("Show the card")
    desk.commands.now["mode"] = "card"
    new = watcher.read_menu().find("Show the card")
    assert (old.said["toggle-state"], new.said["toggle-state"]) == (0, 1)
    watcher.click(old)
    assert desk.commands.asked.get(timeout=60) == ("card", "on")
    watcher.click(new)
    assert desk.commands.asked.get(timeout=60) == ("card", "off")


def test_a_change_reaches_the_menu_that_is_open(desk: Desk) -> None:
    watcher = desk.watcher()
    watcher.wait_for_item()
    first = watcher.read_menu()
    desk.commands.now |= {"backdrop": "blur:20", "scene": None}
    desk.tray.tell(LIVE, object())
    ((changed, removed),) = [watcher.wait_for("ItemsPropertiesUpdated").body]
    assert removed == []
    states = {number: said["toggle-state"][1] for number, said in changed}
    expected = {"library": 0, "Blur": 1, "late": 0}
    assert states == {first.find(label).number: state for label, state in expected.items()}
    desk.commands.now["taking"] = {"by": "you"}
    desk.tray.tell(LIVE, object())
    revision, parent = watcher.wait_for("LayoutUpdated").body
    assert (revision, parent) == (2, 0)
    assert watcher.read_menu().find("Cancel the plate")


def test_a_menu_that_is_about_to_show_is_up_to_date(desk: Desk) -> None:
    watcher = desk.watcher()
    watcher.wait_for_item()
    root = watcher.read_menu()
    assert watcher.ask("/MenuBar", MENU, "AboutToShow", "i", 0) == (False,)
    desk.commands.now["scenes"] = []
    assert watcher.ask("/MenuBar", MENU, "AboutToShowGroup", "ai", [0, 999]) == ([0], [999])
    assert "Scenes" not in [line.label for line in watcher.read_menu().children]
    (group,) = watcher.ask("/MenuBar", MENU, "GetGroupProperties", "aias", [root.find("Blur").number], ["label"])
    assert group == [(root.find("Blur").number, {"label": ("s", "Blur")})]
    assert watcher.ask("/MenuBar", MENU, "GetProperty", "is", root.find("Blur").number, "label") == (("s", "Blur"),)
    events = [(root.find("Blur").number, "clicked", ("s", ""), 0), (999, "clicked", ("s", ""), 0)]
    assert watcher.ask("/MenuBar", MENU, "EventGroup", "a(isvu)", events) == ([999],)
    assert desk.commands.asked.get(timeout=60) == ("backdrop", "blur", False)
    with pytest.raises(DBusErrorResponse, match="999"):
        watcher.ask("/MenuBar", MENU, "GetProperty", "is", 999, "label")


def test_a_tray_that_restarts_gets_the_item_back(desk: Desk) -> None:
    first = desk.watcher()
    name = first.wait_for_item()
    first.leave()
    second = desk.watcher()
    assert second.wait_for_item() == name
    assert second.read_menu().find("Open the panel")
    second.leave()
    assert desk.watcher().wait_for_item() == name


def test_only_the_bus_says_that_a_tray_has_come(desk: Desk) -> None:
    watcher = desk.watcher()
    watcher.wait_for_item()
    watcher.read_menu()
    watcher._seen.clear()  # it registers twice where it sees the tray come while it starts
    with open_dbus_connection() as stranger:
        body = (WATCHER, "", ":1.99")
        address = DBusAddress("/org/freedesktop/DBus", watcher.item, "org.freedesktop.DBus")
        stranger.send(new_signal(address, "NameOwnerChanged", "sss", body))
        ping = new_method_call(DBusAddress("/MenuBar", watcher.item, "org.freedesktop.DBus.Peer"), "Ping")
        assert unwrap_msg(stranger.send_and_get_reply(ping, timeout=60)) == ()  # so it has read the signal
    watcher.read_menu()
    calls = [message.header.fields[HeaderFields.member] for message in watcher._seen]
    assert "RegisterStatusNotifierItem" not in calls


def test_it_goes_with_the_daemon(desk: Desk) -> None:
    watcher = desk.watcher()
    watcher.wait_for_item()
    desk.tray.stop()
    assert desk.is_over()
    with pytest.raises(DBusErrorResponse):
        watcher.look()
    desk.tray.stop()
    desk.tray.tell(CARD, None)


@pytest.mark.parametrize("where", ["unix:path=/nonexistent/bus", "nonsense", None])
def test_without_a_bus_there_is_no_thread_and_no_word(
    where: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    if where is None:
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    else:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", where)
    with ExitStack() as stack:
        desk = Desk(stack)
        assert desk.is_over()
        desk.tray.tell(CARD, None)
    assert not [record for record in caplog.records if record.levelname != "DEBUG"]


def test_a_bus_that_comes_back_gets_the_item_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, bus: subprocess.Popen[str]
) -> None:
    watcher = desk.watcher()
    watcher.wait_for_item()
    with private_bus() as (_, address):
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        bus.kill()
        again = desk.watcher()
        assert again.wait_for_item()
        assert again.read_menu().find("Quit")
        desk.tray.stop()
        assert desk.is_over()
