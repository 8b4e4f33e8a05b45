"""Messages to the service manager that started the daemon: ready, stopping, alive. See sd_notify(3)."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, MutableMapping

from camdaemon.errors import printable

log = logging.getLogger(__name__)

_SEND_S = 1.0  # a manager that does not read may not hold the daemon up for longer


class ServiceManager:
    """Speaks to systemd over a datagram socket. For one thread, the daemon's main one.

    No method raises, also not when the socket is gone.

    Args:
        address: of the socket: a path, or '@' and an abstract name. None: there is no manager, every method is a no-op.
        watchdog_s: the manager restarts us after so many seconds without a sign of life; None: it does not watch.
        clock: seconds.
    """

    def __init__(
        self, address: str | None, watchdog_s: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._address = address
        self._watchdog_s = watchdog_s
        self._clock = clock
        self._sent_status: str | None = None
        self._frames, self._fed_at = 0, clock()

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> ServiceManager:
        """Return the manager that started this process, if any; remove its variables, which children must not see."""
        address = environment.pop("NOTIFY_SOCKET", "")
        interval, watched = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        ours = watched in ("", str(os.getpid()))
        return cls(
            address if address.startswith(("/", "@")) else None,
            int(interval) / 1e6 if ours and interval.isdecimal() and int(interval) > 0 else None,
        )

    def ready(self, status: str) -> None:
        """Say that the first frame is published, with a first `status`."""
        self._send("READY=1", self._status(status))
        self._fed_at = self._clock()

    def status(self, text: str) -> None:
        """Send the line that `systemctl --user status` shows, if it has changed. May be called often."""
        line = _one_line(text)
        if line != self._sent_status:
            self._send(self._status(line))

    def stopping(self) -> None:
        """Say that the end has begun; the manager allows it TimeoutStopSec."""
        self._send("STOPPING=1")

    def alive(self, frames: int) -> None:
        """Feed the watchdog, once per half of its interval and only while `frames` grows.

        Args:
            frames: number of frames written so far; call this a few times a second.
        """
        if self._address is None or self._watchdog_s is None:
            return
        now = self._clock()
        if frames > self._frames and now - self._fed_at >= self._watchdog_s / 2:
            self._frames, self._fed_at = frames, now
            self._send("WATCHDOG=1")

    def _status(self, text: str) -> str:
        self._sent_status = _one_line(text)
        return f"STATUS={self._sent_status}"

    def _send(self, *assignments: str) -> None:
        if self._address is None:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_SEND_S)
                sender.sendto("\n".join(assignments).encode(), address)
        except OSError as exc:
            log.debug("service manager not told %s: %s", assignments, exc)


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))
