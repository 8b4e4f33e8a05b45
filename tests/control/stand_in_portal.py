"""A desktop's portal for tests, on a private D-Bus: the part with global shortcuts.

It runs as a process of its own, so that it can be killed, and speaks as the real one does, but for the person in front
of it, whom the test plays, with `Desk`, through the interface camdaemon.Desk: Asked() → JSON of what was asked, once
the dialogue is open; Answer(code, triggers) ends it, and Press(session, id) and Close(session) follow.
Signals are broadcast: without a subscription nobody hears them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jeepney import (
    DBusAddress,
    HeaderFields,
    Message,
    MessageType,
    message_bus,
    new_error,
    new_method_call,
    new_method_return,
    new_signal,
)
from jeepney.io.blocking import DBusConnection, Proxy, open_dbus_connection
from jeepney.wrappers import unwrap_msg

NAME, PATH = "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop"
SHORTCUTS, REQUEST, SESSION = (f"org.freedesktop.portal.{name}" for name in ("GlobalShortcuts", "Request", "Session"))


class Portal:
    """lacks: 'registry', 'shortcuts', 'app-id' (it wants one that it does not get), or 'patience' (never answers)."""

    def __init__(self, connection: DBusConnection, lacks: set[str]) -> None:
        self._connection, self._lacks = connection, lacks
        self._asked: dict[str, Any] = {"calls": []}
        self._session = self._dialogue = ""
        self._waiting: list[Message] = []  # for the dialogue

    def serve(self) -> None:
        while True:
            message = self._connection.receive()
            if message.header.message_type is MessageType.method_call:
                member = message.header.fields[HeaderFields.member]
                self._asked["calls"].append(member)
                getattr(self, member)(message)

    def Register(self, message: Message) -> None:  # noqa: N802
        if "registry" in self._lacks:
            return self._error(message, "org.freedesktop.DBus.Error.UnknownMethod", "No such interface")
        self._asked["app_id"], _ = message.body
        return self._reply(message)

    def CreateSession(self, message: Message) -> None:  # noqa: N802
        if "shortcuts" in self._lacks:
            return self._error(message, "org.freedesktop.DBus.Error.UnknownMethod", "No such interface")
        if "app-id" in self._lacks:
            return self._error(message, "org.freedesktop.portal.Error.NotAllowed", "An app id is required")
        if "patience" in self._lacks:
            return None
        (options,) = message.body
        handle = self._object("request", message, options["handle_token"][1])
        self._session = self._object("session", message, options["session_handle_token"][1])
        self._asked["session"] = self._session
        # Before the reply, which the specification allows.
        self._emit(handle, REQUEST, "Response", "ua{sv}", (0, {"session_handle": ("s", self._session)}))
        return self._reply(message, "o", (handle,))

    def BindShortcuts(self, message: Message) -> None:  # noqa: N802
        session, shortcuts, _, options = message.body
        assert session == self._session
        self._asked["shortcuts"] = [(name, {key: value[1] for key, value in said.items()}) for name, said in shortcuts]
        self._dialogue = self._object("request", message, options["handle_token"][1])
        self._reply(message, "o", (self._dialogue,))
        for waiting in self._waiting:
            self.Asked(waiting)

    def Asked(self, message: Message) -> None:  # noqa: N802
        if self._dialogue:
            self._reply(message, "s", (json.dumps(self._asked),))
        else:
            self._waiting.append(message)

    def Answer(self, message: Message) -> None:  # noqa: N802
        code, triggers = message.body
        bound = [(name, {"trigger_description": ("s", trigger)}) for name, trigger in json.loads(triggers).items()]
        results = {"shortcuts": ("a(sa{sv})", bound)} if code == 0 else {}
        self._emit(self._dialogue, REQUEST, "Response", "ua{sv}", (code, results))
        self._reply(message)

    def Press(self, message: Message) -> None:  # noqa: N802
        session, name = message.body
        self._emit(PATH, SHORTCUTS, "Activated", "osta{sv}", (session or self._session, name, 0, {}))
        self._emit(PATH, SHORTCUTS, "Deactivated", "osta{sv}", (session or self._session, name, 0, {}))
        self._reply(message)

    def Close(self, message: Message) -> None:  # noqa: N802
        (session,) = message.body
        self._emit(session or self._session, SESSION, "Closed", "a{sv}", ({},))
        self._reply(message)

    def _object(self, kind: str, message: Message, token: str) -> str:
        sender = message.header.fields[HeaderFields.sender].removeprefix(":").replace(".", "_")
        return f"{PATH}/{kind}/{sender}/{token}"

    def _emit(self, path: str, interface: str, member: str, signature: str, body: tuple[Any, ...]) -> None:
        self._connection.send(new_signal(DBusAddress(path, interface=interface), member, signature, body))

    def _reply(self, message: Message, signature: str | None = None, body: tuple[Any, ...] = ()) -> None:
        self._connection.send(new_method_return(message, signature, body))

    def _error(self, message: Message, name: str, text: str) -> None:
        self._connection.send(new_error(message, name, "s", (text,)))


# Nobody but the tests: no service files, so that no real portal is started.
CONFIGURATION = """<busconfig>
  <type>session</type>
  <listen>unix:tmpdir={directory}</listen>
  <policy context="default">
    <allow send_destination="*"/> <allow receive_sender="*"/> <allow own="*"/>
  </policy>
</busconfig>"""


@contextmanager
def process(*command: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """(process, its first line)."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout
            yield running, running.stdout.readline().strip()
        finally:
            running.kill()


@contextmanager
def private_bus() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """(process, address)."""
    with tempfile.TemporaryDirectory() as directory:  # not tmp_path: a socket's path must be short
        configuration = Path(directory, "bus.conf")
        configuration.write_text(CONFIGURATION.format(directory=directory))
        with process("dbus-daemon", "--nofork", "--print-address=1", f"--config-file={configuration}") as started:
            yield started


class Desk:
    """The person at the desktop of a stand-in portal."""

    def __init__(self, portal: subprocess.Popen[str], ask: Callable[..., tuple[Any, ...]]) -> None:
        self.portal, self._ask = portal, ask

    def asked(self) -> dict[str, Any]:
        """What the portal was asked for; waits until its dialogue is open."""
        asked: dict[str, Any] = json.loads(self._ask("Asked")[0])
        return asked

    def answer(self, code: int, **triggers: str) -> None:
        """0: yes, 1: no.   triggers: action, with _ for spaces → what it is called."""
        self._ask("Answer", "us", (code, json.dumps({name.replace("_", " "): key for name, key in triggers.items()})))

    def press(self, action: str, session: str = "") -> None:
        self._ask("Press", "ss", (session, action))

    def close(self, session: str = "") -> None:
        self._ask("Close", "s", (session,))


@contextmanager
def desktop(*lacks: str) -> Iterator[Desk]:
    """A stand-in portal on the bus that the environment names."""
    with (
        process(sys.executable, __file__, *lacks) as (portal, line),
        open_dbus_connection() as connection,
    ):
        assert line == "ready"
        address = DBusAddress("/", "org.freedesktop.portal.Desktop", "camdaemon.Desk")

        def ask(method: str, signature: str | None = None, body: tuple[Any, ...] = ()) -> tuple[Any, ...]:
            call = new_method_call(address, method, signature, body)
            answer: tuple[Any, ...] = unwrap_msg(connection.send_and_get_reply(call, timeout=60))
            return answer

        yield Desk(portal, ask)


if __name__ == "__main__":
    with open_dbus_connection() as bus:
        Proxy(message_bus, bus).RequestName(NAME)
        print("ready", flush=True)
        Portal(bus, set(sys.argv[1:])).serve()
