"""Hotkeys under Wayland: org.freedesktop.portal.GlobalShortcuts, over D-Bus. The desktop asks its user once."""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import suppress
from typing import Any

from jeepney import DBusErrorResponse, HeaderFields, MatchRule, message_bus
from jeepney.io.blocking import DBusConnection
from jeepney.wrappers import unwrap_msg

from camdaemon.config.keys import KeyCombination
from camdaemon.control.hotkeys import Declined, Lost
from camdaemon.errors import ControlError
from camdaemon.linux import dbus

log = logging.getLogger(__name__)

# Must be the name of an installed .desktop file, with at least one dot, or newer portals refuse (xdg-desktop-portal
# since 1.21). Never change it: desktops remember under this name which keys the user chose.
APP_ID = "io.github.camdaemon"

_NAME = "org.freedesktop.portal.Desktop"
_PATH = "/org/freedesktop/portal/desktop"
_SHORTCUTS = "org.freedesktop.portal.GlobalShortcuts"
_REGISTRY = "org.freedesktop.host.portal.Registry"
_TIMEOUT_S = 30.0  # for an answer; the bus may have to start the portal first. Users may take longer


class PortalKeys:
    """Asks the desktop for shortcuts and waits for presses. The user may choose other keys than we ask for."""

    def __init__(self, bindings: Mapping[str, KeyCombination], press: Callable[[str], None]) -> None:
        self._bindings, self._press = bindings, press
        self._ending = threading.Event()
        self._socket: socket.socket | None = None

    def run(self) -> None:
        """Call `press` in this thread until `stop`. Raises ControlError if the portal is missing, refuses, or ends."""
        try:
            with _connect() as connection:
                self._socket = connection.sock
                if not self._ending.is_set():
                    self._serve(_Portal(connection))
        except DBusErrorResponse as exc:
            raise ControlError(_explain(exc)) from None
        except TimeoutError:
            raise ControlError(f"the desktop's portal did not answer in {_TIMEOUT_S:g} s") from None
        except OSError as exc:
            if not self._ending.is_set():
                raise ControlError(f"the session's D-Bus has gone: {exc}. Restart camdaemon") from None

    def stop(self) -> None:
        """Make `run` return, also while the user is being asked. Any thread."""
        self._ending.set()
        dbus.interrupt(self._socket)

    def _serve(self, portal: _Portal) -> None:
        portal.open()
        bound = portal.bind(self._bindings)
        log.info("hotkeys: %s", _describe(self._bindings, bound))
        while True:
            self._press(portal.wait_for_press(self._bindings))


class _Portal:
    """Calls the portal. Every method raises DBusErrorResponse, OSError, and ControlError when the portal ends: Lost."""

    def __init__(self, connection: DBusConnection) -> None:
        self._session = ""  # its object path, once there is one
        self._owner: str | None = None  # the unique name of the portal that has answered
        self._service = dbus.Service(connection, _NAME, _PATH, _TIMEOUT_S)
        self._service.subscribe(MatchRule(type="signal", sender=_NAME, path_namespace=_PATH))

    def open(self) -> None:
        """Begin a session."""
        with suppress(DBusErrorResponse):  # older portals do not know this, and newer ones may not either
            # The portal cannot know which program this is, outside of a sandbox.
            self._service.call(_REGISTRY, "Register", "sa{sv}", (APP_ID, {}))
        options = {"session_handle_token": ("s", _token())}
        self._session = self._request("CreateSession", "a{sv}", (), options)["session_handle"][1]

    def bind(self, bindings: Mapping[str, KeyCombination]) -> dict[str, str]:
        """Ask for shortcuts; return action → what the desktop calls its keys. Waits for the user, however long."""
        wanted = [
            (action, {"description": ("s", f"camdaemon {action}"), "preferred_trigger": ("s", keys.xdg)})
            for action, keys in bindings.items()
        ]
        given = self._request("BindShortcuts", "oa(sa{sv})sa{sv}", (self._session, wanted, ""), {})
        _, shortcuts = given.get("shortcuts", ("", []))
        return {action: said.get("trigger_description", ("s", ""))[1] for action, said in shortcuts}

    def wait_for_press(self, actions: Container[str]) -> str:
        """Wait for the next of `actions` and return it."""
        while True:
            member, _, body = self._next_signal()
            if member == "Activated" and body[0] == self._session and body[1] in actions:
                return str(body[1])

    def _next_signal(self) -> tuple[str, str, tuple[Any, ...]]:
        """Wait for the portal's next signal: (member, object path, body). Raises ControlError if it was the last."""
        while True:  # any program on the bus may send us a signal of any name, but none under another's sender
            message = self._service.wait_for_signal()
            member, sender = dbus.get_member(message), dbus.get_sender(message)
            if member == "NameOwnerChanged" and sender == message_bus.bus_name and message.body[1]:  # not at its start
                raise Lost("the desktop's portal has ended")
            if sender == self._owner:
                break
        path, body = message.header.fields[HeaderFields.path], message.body
        if (member, path) == ("Closed", self._session):
            raise ControlError("the desktop ended the session. Restart camdaemon")
        return member, path, body

    def _request(
        self, method: str, signature: str, arguments: Iterable[Any], options: dict[str, Any]
    ) -> dict[str, tuple[str, Any]]:
        """Call `method` of the shortcuts, then wait until its request object emits the response."""
        options = {**options, "handle_token": ("s", _token())}
        reply = self._service.request(_SHORTCUTS, method, signature, (*arguments, options))
        self._owner = dbus.get_sender(reply)
        (handle,) = unwrap_msg(reply)
        while True:
            member, path, body = self._next_signal()
            if (member, path) == ("Response", handle):
                return _check_response(*body)


def _connect() -> DBusConnection:
    try:
        return dbus.connect_session()
    except Exception as exc:  # jeepney says RuntimeError, ValueError … for an address it cannot read
        raise ControlError(
            f"no session D-Bus: {type(exc).__name__}: {exc}. Start camdaemon inside of a desktop"
        ) from None


def _token() -> str:
    return f"camdaemon_{secrets.token_hex(8)}"


def _check_response(code: int, results: dict[str, tuple[str, Any]]) -> dict[str, tuple[str, Any]]:
    match code:
        case 0:
            return results
        case 1:
            raise Declined("they were declined in the desktop's dialogue. Restart camdaemon to be asked again")
        case _:
            raise ControlError("the desktop's portal could not provide them. Its log says why")


def _explain(error: DBusErrorResponse) -> str:
    match str(error.name).rpartition(".")[2]:
        case "ServiceUnknown" | "NameHasNoOwner":
            return "no desktop portal is running. Install xdg-desktop-portal and the part for your desktop"
        case "UnknownInterface" | "UnknownMethod" | "UnknownObject":
            return "this desktop's portal has no global shortcuts"
        case _:
            said = " ".join(str(part) for part in error.data or ())
            return (
                f"the desktop's portal refused: {said or error.name}. If it asks for {APP_ID}.desktop, run: "
                "camdaemon service install --no-start"
            )


def _describe(bindings: Mapping[str, KeyCombination], bound: Mapping[str, str]) -> str:
    """Say what is on which keys; the user may have chosen others, or none."""
    known = [f"{bound[action]} for {action}" for action in bindings if bound.get(action)]
    missing = [action for action in bindings if not bound.get(action)]
    if missing:
        known.append(f"choose the keys for {', '.join(missing)} in your desktop's keyboard settings")
    return ", ".join(known)
