"""What the daemon tells the service manager that started it: ready, stopping, alive. See sd_notify(3)."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, MutableMapping

log = logging.getLogger(__name__)

_SEND_S = 1.0  # a manager that does not read may not hold the daemon up for longer


class ServiceManager:
    """Speaks to systemd over the datagram socket at `address`; with None, nobody is there and every method is a no-op.

    For one thread, the daemon's main one. No method raises, also not when the socket is gone.
    watchdog_s: the manager restarts us after so many seconds without a sign of life; None: it does not watch.
    clock: seconds, time.monotonic outside tests.
    """

    def __init__(
        self, address: str | None, watchdog_s: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._address = address
        self._watchdog_s = watchdog_s
        self._clock = clock
        self._said: str | None = None
        self._frames, self._fed_at = 0, clock()

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> ServiceManager:
        """The one that started this process, if any. Takes its variables away: they are not meant for our children."""
        address = environment.pop("NOTIFY_SOCKET", "")
        interval, watched = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
        ours = watched in ("", str(os.getpid()))
        return cls(
            address if address.startswith(("/", "@")) else None,
            int(interval) / 1e6 if ours and interval.isdecimal() and int(interval) > 0 else None,
        )

    @property
    def present(self) -> bool:
        """Whether a service manager started us, so that SIGHUP means to reload and not that the terminal is gone."""
        return self._address is not None

    def ready(self, status: str) -> None:
        """The first frame is published. `status` as for `status`."""
        self._tell("READY=1", self._status(status))
        self._fed_at = self._clock()

    def status(self, text: str) -> None:
        """One line that `systemctl --user status` shows. May be called often: it is sent when it has changed."""
        line = _one_line(text)
        if line != self._said:
            self._tell(self._status(line))

    def reloading(self) -> None:
        """The configuration is read again from here until `reloaded`."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self) -> None:
        """The end of `reloading`, also when the new configuration was refused."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """The end has begun; the manager allows it TimeoutStopSec."""
        self._tell("STOPPING=1")

    def alive(self, frames: int) -> None:
        """Called a few times a second with the number of frames written so far.

        The watchdog is fed once for each half of its interval, and only if that number has grown meanwhile.
        """
        if self._address is None or self._watchdog_s is None:
            return
        now = self._clock()
        if frames > self._frames and now - self._fed_at >= self._watchdog_s / 2:
            self._frames, self._fed_at = frames, now
            self._tell("WATCHDOG=1")

    def _status(self, text: str) -> str:
        self._said = _one_line(text)
        return f"STATUS={self._said}"

    def _tell(self, *assignments: str) -> None:
        if self._address is None:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_SEND_S)
                sender.sendto("\n".join(assignments).encode(), address)
        except OSError as exc:
            log.debug("the service manager cannot be told %s: %s", assignments, exc)


def _one_line(text: str) -> str:
    return " ".join(text.split())
