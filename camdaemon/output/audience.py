"""Whether anybody streams from a virtual camera, as the kernel knows it.

v4l2loopback from 0.13 on says so itself: an event when a reader begins and when the last one ends (CLIENT_USAGE, its
own private event). Programs that only look which cameras there are cause none. 0.12 has no such event; there a reader
is a process that has mapped the node's buffers, or has held it open for a while; /proc tells, and inotify says when to
look.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import select
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from typing import Protocol

from camdaemon.errors import DeviceError
from camdaemon.linux import v4l2
from camdaemon.linux.holders import find_holders

log = logging.getLogger(__name__)

_HELD_S = 4.0  # without buffers of its own a program counts as a viewer after so long (Discord probes for 3 s)
_GLANCE_S = 0.05
_LOOK_S = 0.5  # between two looks at the stop flag

_CLIENT_USAGE = 0x08000000 + 0x08E00000 + 1  # V4L2_EVENT_PRIVATE_START + …, v4l2loopback.h
_SUBSCRIPTION = struct.Struct("=III20x")  # v4l2_event_subscription: type id flags
_EVENT = struct.Struct("=I4xI60xII16xI36x")  # v4l2_event: type, its union (count), pending, sequence, time, id
_SUBSCRIBE = v4l2.request(v4l2.WRITE, 90, _SUBSCRIPTION)
_DEQUEUE = v4l2.request(v4l2.READ, 89, _EVENT)
_SEND_INITIAL = 1

_IN_CLOSE, _IN_OPEN = 0x8 | 0x10, 0x20  # inotify(7)


class _Watch(Protocol):
    def streaming(self, timeout: float) -> bool:
        """Whether anybody streams, after waiting up to `timeout` seconds for a change. OSError: the node is gone."""

    def close(self) -> None: ...


def follow(path: str, told: Callable[[bool], None], stop: threading.Event) -> None:
    """Body of the thread 'audience': calls `told` with whether anybody watches `path`, at each change, until `stop`.

    Nobody watches a node that is gone; it is looked for until it is back.
    """
    watching = False
    watch: _Watch | None = None
    while not stop.is_set():
        try:
            watch = watch or _watch(path)
            streams = watch.streaming(_LOOK_S)
        except OSError as exc:
            log.debug("cannot tell who watches %s: %s", path, exc)
            _close(watch)
            watch, streams = None, False
            stop.wait(_LOOK_S)
        if streams != watching:
            watching = streams
            told(streams)
    _close(watch)


def _close(watch: _Watch | None) -> None:
    if watch is not None:
        watch.close()


def _watch(path: str) -> _Watch:
    try:
        return _Events(path)
    except OSError as exc:
        if exc.errno not in (errno.EINVAL, errno.ENOTTY):  # the module knows no such event
            raise
    return _Openers(path)


class _Events:
    """CLIENT_USAGE events of `path`, through a descriptor of our own, which takes no part in streaming."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        try:
            ioctl(self._fd, _SUBSCRIBE, _SUBSCRIPTION.pack(_CLIENT_USAGE, 0, _SEND_INITIAL))
        except OSError:
            os.close(self._fd)
            raise
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLPRI)
        self._count = 0

    def streaming(self, timeout: float) -> bool:
        """See _Watch. Several events may lie there; the newest counts."""
        for _, what in self._poll.poll(timeout * 1000):
            if what & (select.POLLERR | select.POLLHUP | select.POLLNVAL) and not what & select.POLLPRI:
                raise OSError(errno.ENODEV, "the node says no more who watches")
            with suppress(BlockingIOError):
                while True:
                    event = bytearray(_EVENT.size)
                    try:
                        ioctl(self._fd, _DEQUEUE, event)
                    except OSError as exc:
                        if exc.errno == errno.ENOENT:  # no further event
                            break
                        raise
                    self._count = _EVENT.unpack(event)[1]
        return self._count > 0

    def close(self) -> None:
        os.close(self._fd)


class _Openers:
    """Who has `path` open, by /proc; looked at anew when inotify says that somebody opened or closed it."""

    def __init__(self, path: str) -> None:
        self._path, self._node = path, os.stat(path).st_rdev
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0 or libc.inotify_add_watch(self._fd, os.fsencode(path), _IN_OPEN | _IN_CLOSE) < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
        self._since: dict[int, float] = {}
        self._look, self._mapped = True, False

    def streaming(self, timeout: float) -> bool:
        """See _Watch."""
        # mmap says nothing to inotify: whoever has it open and has mapped nothing yet is looked at often.
        wait = 0.0 if self._look else _GLANCE_S if self._since and not self._mapped else timeout
        if select.select([self._fd], [], [], wait)[0]:
            os.read(self._fd, 1 << 16)
            self._look = True
        if os.stat(self._path).st_rdev != self._node:
            raise OSError(errno.ENODEV, "another node took its place", self._path)
        if self._look or self._since:  # while somebody holds it open, what it does with it may change without a word
            now, holders = time.monotonic(), _holders(self._path, self._node)
            self._since = {pid: self._since.get(pid, now) for pid in holders}
            self._look, self._mapped = False, any(holders.values())
            return any(mapped or now - self._since[pid] > _HELD_S for pid, mapped in holders.items())
        return False

    def close(self) -> None:
        os.close(self._fd)


def _holders(path: str, node: int) -> dict[int, bool]:
    """Other processes that have `node` open, by number, and whether they have mapped buffers of it."""
    found = {}
    for pid in find_holders(node):
        with suppress(OSError):  # it has just ended
            found[pid] = path in Path(f"/proc/{pid}/maps").read_text("utf-8", "replace")
    return found


def can_tell(path: str) -> bool:
    """Whether `path` is a node whose audience can be known at all."""
    try:
        _close(_watch(path))
    except (OSError, DeviceError):
        return False
    return True
