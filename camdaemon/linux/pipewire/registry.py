"""What there is in PipeWire: nodes, their ports, and links, as they come and go."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass, field

from camdaemon.linux.pipewire import library, pods
from camdaemon.linux.pipewire.connection import Connection
from camdaemon.linux.pipewire.library import Dict, Listener

_CORE_GET_REGISTRY, _CORE_CREATE_OBJECT = 5, 6  # PW_CORE_METHOD_*
_ADD_LISTENER, _BIND = 0, 1  # PW_REGISTRY_METHOD_*; every interface's method 0 adds a listener
_ENUM_PARAMS = 2  # PW_NODE_METHOD_ENUM_PARAMS
_UPDATE_PERMISSIONS = 4  # PW_CLIENT_METHOD_UPDATE_PERMISSIONS
_READ = 0o400  # PW_PERM_R
_VERSION = 3  # of the interfaces

NODE, PORT, LINK, CLIENT = (f"PipeWire:Interface:{name}" for name in ("Node", "Port", "Link", "Client"))


@dataclass(frozen=True, slots=True)
class Global:
    """An object that PipeWire lists.

    Attributes:
        id: Its number, which another object may get later.
        type: NODE, PORT, LINK or another.
        properties: A few of its properties.
    """

    id: int
    type: str
    properties: dict[str, str]

    def number(self, key: str) -> int:
        """Return a property that is a number; -1 where there is none."""
        value = self.properties.get(key, "")
        return int(value) if value.isdecimal() else -1


class _NodeInfo(ctypes.Structure):
    """The beginning of pw_node_info."""

    _fields_ = [
        ("id", c_uint32),
        ("max_input_ports", c_uint32),
        ("max_output_ports", c_uint32),
        ("change_mask", c_uint64),
        ("n_input_ports", c_uint32),
        ("n_output_ports", c_uint32),
        ("state", c_int),
        ("error", c_char_p),
        ("properties", c_void_p),
    ]


@dataclass(slots=True)
class NodeDetails:
    """What a node says of itself when asked: all of its properties, and the formats that it takes or offers."""

    properties: dict[str, str] = field(default_factory=dict)
    formats: list[bytes] = field(default_factory=list)


class Registry:
    """The list of PipeWire's objects. Made and used with the connection's lock held; callbacks hold it.

    Args:
        connection: Must outlive it.
        on_added: Called with each object that there is or comes, in PipeWire's order.
        on_removed: Called with each that goes.
    """

    def __init__(
        self,
        connection: Connection,
        on_added: Callable[[Global], None] = lambda _: None,
        on_removed: Callable[[Global], None] = lambda _: None,
    ) -> None:
        self._connection, self._on_added, self._on_removed = connection, on_added, on_removed
        self.objects: dict[int, Global] = {}
        self._proxies: dict[int, Listener] = {}
        self._proxy = library.call(connection.core, _CORE_GET_REGISTRY, c_void_p, c_uint32(_VERSION), c_size_t(0))
        self._listener = Listener(
            0,
            {
                0: ([c_uint32, c_uint32, c_char_p, c_uint32, c_void_p], self._add),
                1: ([c_uint32], self._remove),
            },
        )
        library.call(self._proxy, _ADD_LISTENER, c_int, self._listener.hook, self._listener.table, c_void_p())

    def _add(self, id_: int, _permissions: int, type_: bytes, _version: int, properties: int | None) -> None:
        found = Global(id_, type_.decode(), Dict.read(properties))
        self.objects[id_] = found
        self._on_added(found)

    def _remove(self, id_: int) -> None:
        found = self.objects.pop(id_, None)
        if found is not None:
            self._on_removed(found)

    def find(self, type_: str) -> list[Global]:
        """Return the objects of a type, oldest first."""
        return [each for each in self.objects.values() if each.type == type_]

    def _bind(self, each: Global) -> int:
        return int(
            library.call(
                self._proxy, _BIND, c_void_p, c_uint32(each.id), c_char_p(each.type.encode()), c_uint32(_VERSION),
                c_size_t(0),
            )
            or 0
        )  # fmt: skip

    def describe(self, node: Global, then: Callable[[NodeDetails], None]) -> None:
        """Ask a node for its details and call `then` with them. They are empty for a node that is gone by then."""
        details, proxy = NodeDetails(), self._bind(node)
        if not proxy:
            then(details)
            return

        def on_info(address: int) -> None:
            info = _NodeInfo.from_address(address)
            details.properties |= Dict.read(info.properties)

        def on_param(_seq: int, _id: int, _index: int, _next: int, pod: int | None) -> None:
            copied = pods.copy(pod)
            if copied is not None:
                details.formats.append(copied)

        def end() -> None:
            if proxy in self._proxies:
                self._forget(proxy)
                then(details)

        listener = Listener(
            0,
            {0: ([c_void_p], on_info), 1: ([c_int, c_uint32, c_uint32, c_uint32, c_void_p], on_param)},
        )
        self._proxies[proxy] = listener
        library.call(proxy, _ADD_LISTENER, c_int, listener.hook, listener.table, c_void_p())
        library.call(
            proxy, _ENUM_PARAMS, c_int, c_int(0), c_uint32(pods.Param.ENUM_FORMAT), c_uint32(0),
            c_uint32(library.ANY_ID), c_void_p(),
        )  # fmt: skip
        self._connection.after(end)

    def _forget(self, proxy: int) -> None:
        self._proxies.pop(proxy).remove()
        self._connection.library.pw_proxy_destroy(proxy)

    def find_port(self, node: int) -> int | None:
        """Return the id of the only port of a node; None until it is listed."""
        return next((each.id for each in self.find(PORT) if each.number("node.id") == node), None)

    def show(self, node: int, reader: int) -> None:
        """Let the program that a reader belongs to see a node, where the desktop's portal shows it cameras only.

        PipeWire since 0.3.77 links no reader to a node that its program does not see.
        """
        owner = self.objects[reader].number("client.id") if reader in self.objects else -1
        client = self.objects.get(owner)
        if client is None or client.type != CLIENT or client.properties.get("pipewire.access") != "portal":
            return  # it sees everything; what is said of one node would take from what it may do with that
        if proxy := self._bind(client):
            permission = (c_uint32 * 2)(node, _READ)  # a pw_permission
            pointer = c_void_p(ctypes.addressof(permission))
            library.call(proxy, _UPDATE_PERMISSIONS, c_int, c_uint32(1), pointer)
            self._connection.library.pw_proxy_destroy(proxy)

    def link(self, output: tuple[int, int], reader: tuple[int, int]) -> int:
        """Link an output to a reader's input, each the ids of a node and of its port.

        Returns:
            What `unlink` takes, also after the link ended with one of its nodes; 0 if there can be none.
        """
        words = {
            f"link.{side}.{what}": str(number)
            for side, end in (("output", output), ("input", reader))
            for what, number in zip(("node", "port"), end, strict=True)
        }
        given = Dict.of(words)
        proxy = library.call(
            self._connection.core, _CORE_CREATE_OBJECT, c_void_p, c_char_p(b"link-factory"), c_char_p(LINK.encode()),
            c_uint32(_VERSION), c_void_p(ctypes.addressof(given)), c_size_t(0),
        )  # fmt: skip
        return int(proxy or 0)

    def unlink(self, proxy: int) -> None:
        """End a link that `link` made."""
        self._connection.library.pw_proxy_destroy(proxy)

    def close(self) -> None:
        """Let the list go, and what was asked. Not in a callback of the list. May be called twice."""
        for proxy in list(self._proxies):
            self._forget(proxy)
        if self._proxy:
            self._listener.remove()
            self._connection.library.pw_proxy_destroy(self._proxy)
            self._proxy = 0
