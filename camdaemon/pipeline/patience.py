"""How many faults that nobody foresaw a running show survives before it ends and the service manager takes over."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable


class Patience:
    """Forgives `times` faults within `within_s` seconds. Any thread. clock: seconds, time.monotonic outside tests."""

    def __init__(self, times: int = 0, within_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._times, self._within_s, self._clock = times, within_s, clock
        self._lock = threading.Lock()
        self._faults: deque[float] = deque(maxlen=times + 1)

    def forgives(self) -> bool:
        """There was one more; whether the show goes on."""
        with self._lock:
            now = self._clock()
            self._faults.append(now)
            recent = [at for at in self._faults if now - at <= self._within_s]
            return len(recent) <= self._times
