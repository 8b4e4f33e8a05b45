"""The desktop's portal beside a PipeWire of the test's own: what sandboxed programs, and Firefox, get cameras from.

The portal, xdg-desktop-portal, is the real one, and so is the store of what people allowed. The test is the person:
`AccessBackend` answers the portal's question. Nothing is remembered outside of the session's folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jeepney import (
    DBusAddress,
    HeaderFields,
    MatchRule,
    MessageType,
    Properties,
    message_bus,
    new_error,
    new_method_call,
    new_method_return,
)
from jeepney.io.blocking import DBusConnection, Proxy, open_dbus_connection
from jeepney.wrappers import unwrap_msg

from tests.pipewire_session import PipeWireSession, require_pipewire, wait_until

PORTAL, STORE = "xdg-desktop-portal", "xdg-permission-store"
_LIBEXEC = "/usr/libexec:/usr/lib"  # Debian's and Arch's
_YES, _NO = 0, 1

_BACKEND = "org.freedesktop.impl.portal.desktop.camdaemontest"
_BACKEND_FILE = f"[portal]\nDBusName={_BACKEND}\nInterfaces=org.freedesktop.impl.portal.Access;\nUseIn=camdaemontest\n"
_CHOICE = "[preferred]\ndefault=camdaemontest\n"  # for portals since 1.17; older ones read UseIn

_PORTAL_NAME = "org.freedesktop.portal.Desktop"
_CAMERA = DBusAddress("/org/freedesktop/portal/desktop", _PORTAL_NAME, "org.freedesktop.portal.Camera")
_PERMISSIONS = DBusAddress(
    "/org/freedesktop/impl/portal/PermissionStore",
    "org.freedesktop.impl.portal.PermissionStore",
    "org.freedesktop.impl.portal.PermissionStore",
)


class AccessBackend:
    """The person who is asked. Answers with `allows`; `asked` are the ids of the programs that wanted the camera."""

    def __init__(self, address: str) -> None:
        self.allows = True
        self.asked: list[str] = []
        self._bus = open_dbus_connection(address)
        Proxy(message_bus, self._bus).RequestName(_BACKEND, _timeout=60)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="backend", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ending.is_set():
            try:
                message = self._bus.receive(timeout=0.1)
            except TimeoutError:
                continue
            if message.header.message_type is not MessageType.method_call:
                continue
            match message.header.fields[HeaderFields.member]:
                case "AccessDialog":
                    self.asked.append(message.body[1])
                    reply = new_method_return(message, "ua{sv}", (_YES if self.allows else _NO, {}))
                case "GetAll":
                    reply = new_method_return(message, "a{sv}", ({},))
                case _:
                    reply = new_error(message, "org.freedesktop.DBus.Error.UnknownMethod", "s", ("",))
            self._bus.send(reply)

    def close(self) -> None:
        """Leave the bus."""
        self._ending.set()
        self._thread.join(60)
        self._bus.close()


class PortalSession(PipeWireSession):
    """A PipeWire with a store of permissions; the portal starts when it is told to, and may be started again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        home, portals = folder / "home", folder / "portals"
        for each in (home, portals, home / "config" / "xdg-desktop-portal"):
            each.mkdir(parents=True)
        (portals / "camdaemontest.portal").write_text(_BACKEND_FILE)
        (home / "config" / "xdg-desktop-portal" / "portals.conf").write_text(_CHOICE)
        self.environ |= {
            "HOME": str(home),
            **{f"XDG_{name}_HOME": str(home / name.lower()) for name in ("DATA", "CONFIG", "CACHE")},
            "XDG_DESKTOP_PORTAL_DIR": str(portals),
            "XDG_CURRENT_DESKTOP": "camdaemontest",
            "PATH": f"{os.environ['PATH']}:{_LIBEXEC}",
        }

    def start(self) -> None:
        """Start all but the portal, which knows no camera that comes later (Debian 12's version)."""
        super().start()
        self._run(STORE)
        self._wait_for_name("org.freedesktop.impl.portal.PermissionStore")
        self.person = AccessBackend(self.environ["DBUS_SESSION_BUS_ADDRESS"])

    def start_portal(self) -> None:
        """Start the portal, anew where it ran, with nothing allowed or forbidden as yet."""
        if PORTAL in self._running:
            self.kill(PORTAL)
            self._wait_for_name(_PORTAL_NAME, owned=False)
        with self.connect() as bus:  # an error where nothing is remembered
            bus.send_and_get_reply(new_method_call(_PERMISSIONS, "Delete", "ss", ("devices", "camera")), timeout=60)
        self.person.asked.clear()
        self._run(PORTAL)
        self._wait_for_name(_PORTAL_NAME)

    def connect(self) -> DBusConnection:
        """Connect to the session's bus, able to receive file descriptors."""
        return open_dbus_connection(self.environ["DBUS_SESSION_BUS_ADDRESS"], enable_fds=True)

    def decide(self, app_id: str, answer: str) -> None:
        """Change what is remembered for a program to "yes" or "no", as a desktop's settings do."""
        with self.connect() as bus:
            arguments = ("devices", True, "camera", app_id, [answer])
            call = new_method_call(_PERMISSIONS, "SetPermission", "sbssas", arguments)
            unwrap_msg(bus.send_and_get_reply(call, timeout=60))

    def _wait_for_name(self, name: str, owned: bool = True) -> None:
        with self.connect() as bus:
            wait_until(lambda: Proxy(message_bus, bus).NameHasOwner(name, _timeout=60)[0] == owned, f"{name}: {owned}")

    def close(self) -> None:
        """See PipeWireSession."""
        if hasattr(self, "person"):
            self.person.close()
        super().close()


def ask_for_camera(bus: DBusConnection) -> int | None:
    """Ask the portal for the camera as a program does; return a connection to PipeWire, None where it says no."""
    rule = MatchRule(type="signal", interface="org.freedesktop.portal.Request", member="Response")
    Proxy(message_bus, bus, timeout=60).AddMatch(rule)
    with bus.filter(rule) as responses:
        unwrap_msg(bus.send_and_get_reply(new_method_call(_CAMERA, "AccessCamera", "a{sv}", ({},)), timeout=60))
        code, _ = bus.recv_until_filtered(responses, timeout=60).body
    reply = bus.send_and_get_reply(new_method_call(_CAMERA, "OpenPipeWireRemote", "a{sv}", ({},)), timeout=60)
    if reply.header.message_type is MessageType.error:
        assert code == _NO, reply.body
        assert "NotAllowed" in reply.header.fields[HeaderFields.error_name], reply.body
        return None
    assert code == _YES
    (given,) = reply.body
    return int(given.to_raw_fd())


def is_camera_present(bus: DBusConnection) -> bool:
    """Return whether the portal says that there is a camera."""
    answer: tuple[tuple[str, Any], ...] = unwrap_msg(
        bus.send_and_get_reply(Properties(_CAMERA).get("IsCameraPresent"), timeout=60)
    )
    return bool(answer[0][1])


@contextlib.contextmanager
def start_portal_session() -> Iterator[PortalSession]:
    """Run a session with a portal; skip the test where a program is missing."""
    require_pipewire()
    path = f"{os.environ['PATH']}:{_LIBEXEC}"
    missing = [tool for tool in (PORTAL, STORE) if shutil.which(tool, path=path) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}")
    folder = Path(tempfile.mkdtemp(prefix="camdaemon-xdp-"))
    session = PortalSession(folder)
    try:
        session.start()
        yield session
    finally:
        session.close()
        shutil.rmtree(folder, ignore_errors=True)
