"""The machine falls asleep and wakes, over a private D-Bus; the test itself is logind, in between its assertions."""

from __future__ import annotations

import logging
import os
import re
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from queue import Empty, Queue
from typing import Self

import pytest
from jeepney import DBusAddress, HeaderFields, Message, message_bus, new_error, new_method_return, new_signal
from jeepney.io.blocking import Proxy, open_dbus_connection

from camdaemon.linux import sleep
from camdaemon.linux.sleep import SleepWatch
from tests.control.stand_in_portal import private_bus

pytestmark = [
    pytest.mark.skipif(not shutil.which("dbus-daemon"), reason="needs dbus-daemon"),
    pytest.mark.timeout(30),
]

NAME = "org.freedesktop.login1"
MANAGER = DBusAddress("/org/freedesktop/login1", interface="org.freedesktop.login1.Manager")
DEAF = "DEBUG .*not delayed.* "
SOON = 60.0  # seconds: for what must happen
NEVER = 0.2  # for what must not


class Logind:
    """On the system bus. An inhibitor is the read end of a pipe here, which ends when the other one is closed."""

    def __init__(self) -> None:
        self._connection = open_dbus_connection("SYSTEM", enable_fds=True)
        assert Proxy(message_bus, self._connection, timeout=SOON).RequestName(NAME) == (1,)
        self._ends: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.goes()
        for end in self._ends:
            os.close(end)

    def goes(self) -> None:
        self._connection.close()

    def asked(self, fault_limit: float = SOON) -> Message:
        """The next Inhibit; TimeoutError when there is none."""
        until = time.monotonic() + fault_limit
        while True:
            message = self._connection.receive(timeout=max(0.0, until - time.monotonic()))
            if message.header.fields.get(HeaderFields.member) == "Inhibit":
                return message

    def grants(self) -> int:
        """Answers the next Inhibit."""
        asked = self.asked()
        assert asked.body == ("sleep", "camdaemon", "close the camera", "delay")
        ours, theirs = os.pipe()
        self._ends.append(ours)
        self._connection.send(new_method_return(asked, "h", (theirs,)))
        os.close(theirs)
        return ours

    def refuses(self, name: str) -> None:
        self._connection.send(new_error(self.asked(), name, "s", ("not now",)))

    def says(self, asleep: bool) -> None:
        self._connection.send(new_signal(MANAGER, "PrepareForSleep", "b", (asleep,)))


def ended(inhibitor: int, fault_limit: float = SOON) -> bool:
    """Whether the other end is closed, everywhere."""
    readable, _, _ = select.select([inhibitor], [], [], fault_limit)
    return bool(readable) and os.read(inhibitor, 1) == b""


class Told:
    """What the watch is handed. While `go_on` is cleared it does not return."""

    def __init__(self) -> None:
        self._begun: Queue[tuple[bool, str]] = Queue()  # (asleep, thread's name)
        self.go_on = threading.Event()
        self.go_on.set()
        self.wrong: Exception | None = None

    def __call__(self, asleep: bool) -> None:
        self._begun.put((asleep, threading.current_thread().name))
        assert self.go_on.wait(20)
        if self.wrong:
            raise self.wrong

    def next(self) -> bool:
        asleep, thread = self._begun.get(timeout=SOON)
        assert thread == "sleep"
        return asleep

    def nothing(self) -> bool:
        try:
            self._begun.get(timeout=NEVER)
        except Empty:
            return True
        return False


class Log(logging.Handler):
    """What the watch logs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._lines: Queue[str] = Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.put(f"{record.levelname} {record.getMessage()}")

    def next(self) -> str:
        return self._lines.get(timeout=SOON)

    def empty(self) -> bool:
        return self._lines.empty()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Log]:
    caplog.set_level(logging.DEBUG)
    handler = Log()
    floor = logging.getLogger("camdaemon.linux")
    floor.addHandler(handler)
    yield handler
    floor.removeHandler(handler)


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with private_bus() as (_, address):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield


@pytest.fixture
def logind(bus: None) -> Iterator[Logind]:
    with Logind() as there:
        yield there


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def start(told: Told) -> Iterator[Callable[[], SleepWatch]]:
    with ExitStack() as stack:

        def start() -> SleepWatch:
            watch = SleepWatch(told)
            stack.callback(watch.stop)
            stack.callback(told.go_on.set)
            watch.start()
            return watch

        yield start
    for thread in threads():
        thread.join(SOON)
    assert not threads()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "sleep"]


def stop(watch: SleepWatch) -> None:
    """At once, and for good."""
    begin = time.monotonic()
    watch.stop()
    assert time.monotonic() - begin < 60
    assert not threads()


def test_the_machine_waits_until_the_camera_is_closed(logind: Logind, told: Told, start, log: Log) -> None:
    start()
    inhibitor = logind.grants()
    told.go_on.clear()
    logind.says(True)
    assert told.next() is True
    assert not ended(inhibitor, NEVER)
    told.go_on.set()
    assert ended(inhibitor)
    assert told.nothing()
    assert log.empty()


def test_it_wakes_and_may_sleep_again(logind: Logind, told: Told, start, log: Log) -> None:
    start()
    inhibitor = logind.grants()
    for _ in range(3):
        logind.says(True)
        assert told.next() is True
        assert ended(inhibitor)
        with pytest.raises(TimeoutError):
            logind.asked(fault_limit=0.05)  # only once it is awake
        logind.says(False)
        inhibitor = logind.grants()
        assert told.next() is False
        assert not ended(inhibitor, 0.05)
    assert log.empty()


def test_what_is_said_twice_is_told_once(logind: Logind, told: Told, start) -> None:
    start()
    logind.grants()
    logind.says(True)
    logind.says(True)
    logind.says(False)
    assert [told.next(), told.next()] == [True, False]
    inhibitor = logind.grants()
    logind.says(False)
    newest = logind.grants()
    assert ended(inhibitor)
    assert not ended(newest, 0)
    assert told.nothing()


def test_a_camera_that_does_not_close_lets_the_machine_sleep(logind: Logind, told: Told, start, log: Log) -> None:
    start()
    inhibitor = logind.grants()
    told.wrong = ValueError("stuck")
    logind.says(True)
    assert ended(inhibitor)
    logind.says(False)
    logind.grants()
    assert [told.next(), told.next()] == [True, False]
    assert re.match("ERROR .*sleep failed", log.next())
    assert re.match("ERROR .*wake-up failed", log.next())


@pytest.mark.parametrize("name", ["org.freedesktop.DBus.Error.AccessDenied", f"{NAME}.OperationInProgress"])
def test_a_refusal_costs_the_delay_only(logind: Logind, told: Told, start, log: Log, name: str) -> None:
    start()
    logind.refuses(name)
    logind.says(True)
    assert told.next() is True
    logind.says(False)
    assert told.next() is False
    logind.refuses(name)
    logind.says(True)
    assert told.next() is True
    assert re.fullmatch(DEAF + re.escape(f"DBusErrorResponse: [{name}] ('not now',)"), log.next())
    assert log.empty()


def test_nobody_else_can_say_it(logind: Logind, told: Told, start) -> None:
    start()
    inhibitor = logind.grants()
    with open_dbus_connection("SYSTEM") as somebody:
        proxy = Proxy(message_bus, somebody, timeout=SOON)
        (names,) = proxy.ListNames()
        for name in names:  # the watch's among them
            if name.startswith(":"):
                forged = new_signal(MANAGER, "PrepareForSleep", "b", (True,))
                forged.header.fields[HeaderFields.destination] = name
                somebody.send(forged)
        proxy.GetId()  # all are on their way
    assert told.nothing()
    assert not ended(inhibitor, 0)


def test_logind_that_comes_later_is_found(bus: None, told: Told, start, log: Log) -> None:
    start()
    assert re.match(DEAF + re.escape("DBusErrorResponse: [org.freedesktop.DBus.Error."), log.next())
    with Logind() as logind:
        inhibitor = logind.grants()
        logind.says(True)
        assert told.next() is True
        assert ended(inhibitor)


def test_logind_that_goes_is_one_line(bus: None, told: Told, start, log: Log) -> None:
    with Logind() as logind:
        start()
        inhibitor = logind.grants()
        logind.goes()
        assert ended(inhibitor)
    assert re.match(DEAF, log.next())
    assert told.nothing()
    assert log.empty()
    assert threads()


def test_logind_that_goes_while_asleep_wakes_the_camera(bus: None, told: Told, start) -> None:
    start()
    for _ in range(2):
        with Logind() as logind:
            logind.grants()
            logind.says(True)
            assert told.next() is True
        assert told.next() is False


def test_a_bus_that_goes_is_looked_for_again(told: Told, start, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sleep, "_RETRY_S", 0.02)
    for first in (True, False):
        with private_bus() as (daemon, address):
            monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
            with Logind() as logind:
                if first:
                    start()
                inhibitor = logind.grants()
                logind.says(True)
                assert told.next() is True
                assert ended(inhibitor)
                daemon.kill()
                assert told.next() is False
        assert told.nothing()  # some ten attempts
        assert re.match(f"{DEAF}ConnectionResetError: ", log.next())
        assert log.empty()


@pytest.mark.parametrize("where", ["unix:path=/nonexistent/bus", "tcp:host=localhost,port=1", "nonsense"])
def test_no_bus_is_one_line(told: Told, start, log: Log, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", where)
    watch = start()
    assert re.match(DEAF, log.next())
    assert told.nothing()
    stop(watch)  # ten seconds before the next attempt
    assert log.empty()


@pytest.mark.parametrize("asleep", [False, True])
def test_stop_tells_nothing(logind: Logind, told: Told, start, log: Log, asleep: bool) -> None:
    watch = start()
    inhibitor = logind.grants()
    if asleep:
        logind.says(True)
        assert told.next() is True
    stop(watch)
    assert ended(inhibitor)
    watch.stop()
    logind.says(not asleep)
    assert told.nothing()
    assert log.empty()


def test_stop_while_logind_is_silent(logind: Logind, start, log: Log) -> None:
    watch = start()
    logind.asked()
    stop(watch)
    assert log.empty()


def test_stop_while_the_camera_closes(logind: Logind, told: Told, start, log: Log) -> None:
    watch = start()
    inhibitor = logind.grants()
    told.go_on.clear()
    logind.says(True)
    logind.says(False)
    assert told.next() is True
    begin = time.monotonic()
    watch.stop()
    assert time.monotonic() - begin < 60
    assert re.match(r"WARNING .*sleep.*not end.* 1\.8 s", log.next())
    told.go_on.set()
    assert ended(inhibitor)
    assert told.nothing()


def test_stop_while_the_bus_is_silent(start, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)  # a socket's path must be short
        listening.bind("bus")
        listening.listen()
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=bus")
        watch = start()
        connected, _ = listening.accept()
        with connected:
            begin = time.monotonic()
            watch.stop()
            assert time.monotonic() - begin < 60
    assert not threads()


def test_stop_without_start(told: Told) -> None:
    watch = SleepWatch(told)
    watch.stop()
    watch.stop()
    assert not threads()
    assert told.nothing()


def test_no_descriptor_is_left(logind: Logind, told: Told, start) -> None:
    before = set(os.listdir("/proc/self/fd"))
    watch = start()
    inhibitors = {str(logind.grants())}
    for asleep in (True, False, True, False):
        logind.says(asleep)
        assert told.next() is asleep
        if not asleep:
            inhibitors.add(str(logind.grants()))
    stop(watch)
    assert set(os.listdir("/proc/self/fd")) - inhibitors == before


def test_a_child_does_not_keep_the_machine_up(logind: Logind, told: Told, start) -> None:
    start()
    inhibitor = logind.grants()
    told.go_on.clear()
    logind.says(True)
    assert told.next() is True
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False):  # ends when its input does
        told.go_on.set()
        assert ended(inhibitor)
