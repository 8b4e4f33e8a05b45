"""libpipewire-0.3, loaded when it is first needed: its functions, and the methods and events of its objects.

Much of PipeWire's interface is inline functions of C headers, which no library exports. They all do the same: an
object begins with a `spa_interface` (spa/utils/hook.h): its type's name, a version, a pointer to a table of methods and
the pointer that is the methods' first argument. The table begins with a version, and a method's place in it is its
number in the header (PW_CORE_METHOD_SYNC is 2). These places are the interface's promise, so they hold for every 0.3
and 1.x. Tables of events are built alike, and are ours.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import os
from collections.abc import Callable, Mapping
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint32, c_void_p
from pathlib import Path
from typing import Any

from camdaemon.errors import DeviceError

log = logging.getLogger(__name__)

_NAME = "libpipewire-0.3.so.0"
_POINTER = ctypes.sizeof(c_void_p)
_METHODS, _OBJECT = 2 * _POINTER, 3 * _POINTER  # offsets in a spa_interface: after the type's name and the version

_TABLE = 32  # places of a table of events: more than any has

ANY_ID = 0xFFFFFFFF

# name → result, arguments
_PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    "pw_init": (None, [c_void_p, c_void_p]),
    "pw_get_library_version": (c_char_p, []),
    "pw_thread_loop_new": (c_void_p, [c_char_p, c_void_p]),
    "pw_thread_loop_get_loop": (c_void_p, [c_void_p]),
    "pw_thread_loop_start": (c_int, [c_void_p]),
    "pw_thread_loop_stop": (None, [c_void_p]),
    "pw_thread_loop_lock": (None, [c_void_p]),
    "pw_thread_loop_unlock": (None, [c_void_p]),
    "pw_thread_loop_destroy": (None, [c_void_p]),
    "pw_context_new": (c_void_p, [c_void_p, c_void_p, c_size_t]),
    "pw_context_connect": (c_void_p, [c_void_p, c_void_p, c_size_t]),
    "pw_context_destroy": (None, [c_void_p]),
    "pw_core_disconnect": (c_int, [c_void_p]),
    "pw_proxy_destroy": (None, [c_void_p]),
    "pw_properties_new_dict": (c_void_p, [c_void_p]),
    "pw_stream_new": (c_void_p, [c_void_p, c_char_p, c_void_p]),
    "pw_stream_add_listener": (None, [c_void_p, c_void_p, c_void_p, c_void_p]),
    "pw_stream_connect": (c_int, [c_void_p, c_int, c_uint32, c_uint32, c_void_p, c_uint32]),
    "pw_stream_update_params": (c_int, [c_void_p, c_void_p, c_uint32]),
    "pw_stream_get_node_id": (c_uint32, [c_void_p]),
    "pw_stream_is_driving": (ctypes.c_bool, [c_void_p]),
    "pw_stream_dequeue_buffer": (c_void_p, [c_void_p]),
    "pw_stream_queue_buffer": (c_int, [c_void_p, c_void_p]),
    "pw_stream_trigger_process": (c_int, [c_void_p]),
    "pw_stream_disconnect": (c_int, [c_void_p]),
    "pw_stream_destroy": (None, [c_void_p]),
}


def locate_socket(environ: Mapping[str, str]) -> Path | None:
    """Return where clients with these variables look for PipeWire's socket; None where they have no place to look."""
    remote = environ.get("PIPEWIRE_REMOTE") or "pipewire-0"
    folder = environ.get("PIPEWIRE_RUNTIME_DIR") or environ.get("XDG_RUNTIME_DIR") or ""
    path = Path(folder, remote)  # a remote that is an absolute path stays that
    return path if path.is_absolute() else None


def find_socket() -> Path | None:
    """Return the socket of the PipeWire that clients are to use; None where there is none. Loads nothing."""
    path = locate_socket(os.environ)
    return path if path is not None and path.is_socket() else None


@functools.cache
def load() -> ctypes.CDLL:
    """Load the library, once. Any thread.

    Raises:
        DeviceError: It is not installed, or lacks a function.
    """
    try:
        library = ctypes.CDLL(_NAME, use_errno=True)
        for name, (result, arguments) in _PROTOTYPES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as exc:
        raise DeviceError(
            f"PipeWire's library cannot be used: {exc}. Run: sudo apt install libpipewire-0.3-0"
        ) from None
    library.pw_init(None, None)
    return library


def call(proxy: int, method: int, result: Any, *arguments: Any) -> Any:
    """Call a method of an object by its number; see the top of this file.

    Args:
        proxy: Address of the object.
        method: The method's number in its header.
        result: ctypes type of what it returns.
        arguments: ctypes values, without the object itself.
    """
    table = c_void_p.from_address(proxy + _METHODS).value or 0
    address = c_void_p.from_address(table + _POINTER * (method + 1)).value or 0  # the version fills one place
    function = ctypes.CFUNCTYPE(result, c_void_p, *(type(each) for each in arguments))(address)
    return function(c_void_p.from_address(proxy + _OBJECT), *arguments)


class _Hook(ctypes.Structure):
    """A spa_hook, which PipeWire puts into its list of listeners: must stay where it is."""

    _fields_ = [("memory", c_void_p * 6)]


class Listener:
    """A table of events and the hook that holds it in an object's list. Must outlive the object.

    Args:
        version: Of the table.
        events: By number: the ctypes type of the callback's arguments after the first, and what is called with them,
            on the loop's thread. Whatever it raises is logged: C code has no use for it.
    """

    def __init__(self, version: int, events: Mapping[int, tuple[list[Any], Callable[..., None]]]) -> None:
        self._table = (c_void_p * _TABLE)()  # PipeWire looks at every place of its version's table
        ctypes.cast(self._table, POINTER(c_uint32))[0] = version
        self._callbacks = []
        for number, (arguments, target) in events.items():
            callback = ctypes.CFUNCTYPE(None, c_void_p, *arguments)(functools.partial(_run, target))
            self._callbacks.append(callback)  # ctypes does not keep it
            self._table[number + 1] = ctypes.cast(callback, c_void_p).value
        self._hook = _Hook()

    def remove(self) -> None:
        """Take the hook out of its object's list, so that this may be dropped before the object. Not in a callback."""
        after, before = self._hook.memory[0], self._hook.memory[1]  # spa_hook begins with a spa_list: next, previous
        if after and before:
            c_void_p.from_address(after + _POINTER).value = before
            c_void_p.from_address(before).value = after
            self._hook.memory[0] = self._hook.memory[1] = None

    @property
    def hook(self) -> c_void_p:
        """Address of the hook."""
        return c_void_p(ctypes.addressof(self._hook))

    @property
    def table(self) -> c_void_p:
        """Address of the table of events."""
        return c_void_p(ctypes.addressof(self._table))


def _run(target: Callable[..., None], _: int | None, *arguments: Any) -> None:
    try:
        target(*arguments)
    except Exception:
        log.exception("pipewire event not handled")


class _Item(ctypes.Structure):
    _fields_ = [("key", c_char_p), ("value", c_char_p)]


class Dict(ctypes.Structure):
    """A spa_dict: words by words."""

    _fields_ = [("flags", c_uint32), ("count", c_uint32), ("items", POINTER(_Item))]

    @classmethod
    def of(cls, words: Mapping[str, str]) -> Dict:
        """Make one of `words`, which it keeps."""
        items = (_Item * len(words))(*(_Item(key.encode(), value.encode()) for key, value in words.items()))
        return cls(0, len(words), items)

    @staticmethod
    def read(address: int | None) -> dict[str, str]:
        """Read the one at `address`; nothing where there is none."""
        if not address:
            return {}
        found = Dict.from_address(address)
        items = (found.items[index] for index in range(found.count))
        return {_text(item.key): _text(item.value) for item in items}


def _text(words: bytes | None) -> str:
    return (words or b"").decode("utf-8", "replace")


def make_properties(library: ctypes.CDLL, words: Mapping[str, str]) -> c_void_p:
    """Return new properties, which the function that takes them will own."""
    return c_void_p(library.pw_properties_new_dict(ctypes.byref(Dict.of(words))))


class PodList:
    """An array of pods for a call, which must outlive it."""

    def __init__(self, pods: list[bytes]) -> None:
        self._buffers = [ctypes.create_string_buffer(pod, len(pod)) for pod in pods]
        self.array = (c_void_p * len(pods))(*(ctypes.addressof(buffer) for buffer in self._buffers))
        self.count = len(pods)
