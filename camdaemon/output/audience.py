"""Whether a virtual camera has viewers, as the kernel knows it.

v4l2loopback reports it from 0.13 on: a private event, CLIENT_USAGE, when a reader starts to stream and when the last
one stops. Programs that only enumerate cameras cause no event. 0.12 has no such event. There a viewer is a process that
has mapped the node's buffers or has held the node open for a while: /proc tells, and inotify says when to look.
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

_HELD_S = 4.0  # a program without mapped buffers counts as a viewer after this time (Discord probes for 3 s)
_GLANCE_S = 0.05  # between two looks at a program that has the node open and has mapped nothing yet
_LOOK_S = 0.5  # between two checks of the stop flag

_CLIENT_USAGE = 0x08000000 + 0x08E00000 + 1  # V4L2_EVENT_PRIVATE_START + …, v4l2loopback.h
_SUBSCRIPTION = struct.Struct("=III20x")  # v4l2_event_subscription: type id flags
_EVENT = struct.Struct("=I4xI60xII16xI36x")  # v4l2_event: type, its union (count), pending, sequence, time, id
_SUBSCRIBE = v4l2.request(v4l2.WRITE, 90, _SUBSCRIPTION)
_DEQUEUE = v4l2.request(v4l2.READ, 89, _EVENT)
_SEND_INITIAL = 1

_IN_CLOSE, _IN_OPEN = 0x8 | 0x10, 0x20  # inotify(7)


class _Watch(Protocol):
    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for a change and return whether there are viewers. OSError: the node is gone."""

    def close(self) -> None: ...


def follow_viewers(path: str, report: Callable[[bool], None], stop: threading.Event) -> None:
    """Report at each change whether the node at `path` has viewers, until `stop` is set. Body of a thread.

    A node that is gone has no viewers; it is looked for until it is back.
    """
    watching = False
    watch: _Watch | None = None
    while not stop.is_set():
        try:
            watch = watch or _open_watch(path)
            streams = watch.wait(_LOOK_S)
        except OSError as exc:
            log.debug("viewers unknown: %s: %s", path, exc)
            _close(watch)
            watch, streams = None, False
            stop.wait(_LOOK_S)
        if streams != watching:
            watching = streams
            report(streams)
    _close(watch)


def _close(watch: _Watch | None) -> None:
    if watch is not None:
        watch.close()


def _open_watch(path: str) -> _Watch:
    try:
        return _Events(path)
    except OSError as exc:
        if exc.errno not in (errno.EINVAL, errno.ENOTTY):  # the module knows no such event
            raise
    return _Openers(path)


class _Events:
    """The node's CLIENT_USAGE events, through a descriptor that does not take part in streaming."""

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

    def wait(self, timeout: float) -> bool:
        """See _Watch.wait. Of several queued events the newest counts."""
        for _, what in self._poll.poll(timeout * 1000):
            if what & (select.POLLERR | select.POLLHUP | select.POLLNVAL) and not what & select.POLLPRI:
                raise OSError(errno.ENODEV, "the node reports no more events")
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
    """The processes that have the node open, by /proc; looked up again when inotify reports an open or a close."""

    def __init__(self, path: str) -> None:
        self._path, self._node = path, os.stat(path).st_rdev
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0 or libc.inotify_add_watch(self._fd, os.fsencode(path), _IN_OPEN | _IN_CLOSE) < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
        self._since: dict[int, float] = {}
        self._look, self._mapped = True, False

    def wait(self, timeout: float) -> bool:
        """See _Watch.wait."""
        # inotify does not report mmap, so a program that has the node open and has mapped nothing yet is checked often.
        wait = 0.0 if self._look else _GLANCE_S if self._since and not self._mapped else timeout
        if select.select([self._fd], [], [], wait)[0]:
            os.read(self._fd, 1 << 16)
            self._look = True
        if os.stat(self._path).st_rdev != self._node:
            raise OSError(errno.ENODEV, "another node has taken its place", self._path)
        if self._look or self._since:  # what a program does with an open node changes without an event
            now, holders = time.monotonic(), _find_mappings(self._path, self._node)
            self._since = {pid: self._since.get(pid, now) for pid in holders}
            self._look, self._mapped = False, any(holders.values())
            return any(mapped or now - self._since[pid] > _HELD_S for pid, mapped in holders.items())
        return False

    def close(self) -> None:
        os.close(self._fd)


def _find_mappings(path: str, node: int) -> dict[int, bool]:
    """Return the other processes that have `node` open, by number, and whether each has mapped its buffers."""
    found = {}
    for pid in find_holders(node):
        with suppress(OSError):  # it has just ended
            found[pid] = path in Path(f"/proc/{pid}/maps").read_text("utf-8", "replace")
    return found


def can_follow(path: str) -> bool:
    """Tell whether `path` is a node whose viewers can be followed at all."""
    try:
        _close(_open_watch(path))
    except (OSError, DeviceError):
        return False
    return True
