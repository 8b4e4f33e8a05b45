"""A connection to PipeWire: its thread, and what tells that it broke."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import logging
import threading
from collections.abc import Callable, Iterator
from ctypes import c_char_p, c_int, c_uint32, c_void_p

from camdaemon.errors import DeviceError
from camdaemon.linux.pipewire import library
from camdaemon.linux.pipewire.library import Listener

log = logging.getLogger(__name__)

_CORE_ADD_LISTENER, _CORE_SYNC = 0, 2  # PW_CORE_METHOD_*
_DONE, _ERROR = 1, 3  # PW_CORE_EVENT_*
_CORE_ID = 0
_NO_SERVER = "PipeWire does not run in this session. Run: systemctl --user start pipewire wireplumber"


class Connection:
    """A connection and its loop's thread, on which every callback runs.

    Calls of PipeWire are made with `lock` held, from any thread but the loop's own, which holds it already. A thread
    waits for it without Python's lock, so callbacks may run Python.

    Raises:
        DeviceError: PipeWire is not installed or does not run.
    """

    def __init__(self) -> None:
        if library.find_socket() is None:
            raise DeviceError(_NO_SERVER)
        self.library = library.load()
        self.broken: str | None = None  # why nothing more comes through this connection
        self._waiting: dict[int, Callable[[], None]] = {}
        self._loop = self._context = self.core = 0
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> None:
        self._loop = self.library.pw_thread_loop_new(b"pipewire", None) or 0
        loop = self.library.pw_thread_loop_get_loop(self._loop) if self._loop else None
        self._context = (loop and self.library.pw_context_new(loop, None, 0)) or 0
        if not self._context:
            raise DeviceError(
                f"PipeWire cannot start here (errno {ctypes.get_errno()}). Run: sudo apt install libpipewire-0.3-common"
            )
        if self.library.pw_thread_loop_start(self._loop) < 0:
            raise DeviceError("PipeWire's thread cannot start. Run: camdaemon doctor")
        with self.lock():
            self.core = self.library.pw_context_connect(self._context, None, 0) or 0
            if not self.core:
                raise DeviceError(_NO_SERVER)
            self._listener = Listener(
                0,
                {
                    _DONE: ([c_uint32, c_int], self._on_done),
                    _ERROR: ([c_uint32, c_int, c_int, c_char_p], self._on_error),
                },
            )
            library.call(self.core, _CORE_ADD_LISTENER, c_int, self._listener.hook, self._listener.table, c_void_p())

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep the loop's thread from running anything meanwhile."""
        self.library.pw_thread_loop_lock(self._loop)
        try:
            yield
        finally:
            self.library.pw_thread_loop_unlock(self._loop)

    def after(self, then: Callable[[], None]) -> None:
        """Call `then` once PipeWire answered all that was asked until now, or is gone. For a thread with `lock`."""
        if self.broken is not None:
            then()
            return
        number = library.call(self.core, _CORE_SYNC, c_int, c_uint32(_CORE_ID), c_int(0))
        self._waiting[number] = then

    def sync(self, timeout: float) -> bool:
        """Wait until PipeWire has answered all that was asked until now; False if it does not within `timeout`, s."""
        done = threading.Event()
        with self.lock():
            self.after(done.set)
        return done.wait(timeout) and self.broken is None

    def _on_done(self, _id: int, number: int) -> None:
        then = self._waiting.pop(number, None)
        if then is not None:
            then()

    def _on_error(self, id_: int, _number: int, result: int, message: bytes | None) -> None:
        why = (message or b"").decode("utf-8", "replace")
        log.debug("pipewire error: object %d: %s (%d)", id_, why, result)
        if id_ == _CORE_ID and result == -errno.EPIPE and self.broken is None:  # others are about single requests
            self.broken = why or f"error {result}"
            waiting, self._waiting = list(self._waiting.values()), {}
            for then in waiting:
                then()

    @property
    def is_open(self) -> bool:
        """Whether it was not closed yet."""
        return bool(self._loop)

    def close(self) -> None:
        """End the thread and the connection. May be called twice."""
        if self._loop:
            self.library.pw_thread_loop_stop(self._loop)
        if self.core:
            self.library.pw_core_disconnect(self.core)
        if self._context:
            self.library.pw_context_destroy(self._context)
        if self._loop:
            self.library.pw_thread_loop_destroy(self._loop)
        self._loop = self._context = self.core = 0
