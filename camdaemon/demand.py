"""Whether anybody needs the camera, and why. While nobody does it is closed, and its light is off."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

ALWAYS, VIEWERS, PLATE, PANEL = "always", "viewers", "plate", "panel"  # reasons


class Demand:
    """Reasons for the camera to run, each as often as it was given. Any thread."""

    def __init__(self, *reasons: str) -> None:
        self._changed = threading.Condition()
        self._reasons: Counter[str] = Counter(reasons)

    def add(self, reason: str) -> None:
        """One more."""
        with self._changed:
            self._reasons[reason] += 1
            self._changed.notify_all()

    def remove(self, reason: str) -> None:
        """One less; harmless when there is none."""
        with self._changed:
            self._reasons[reason] -= 1
            self._reasons = +self._reasons
            self._changed.notify_all()

    @contextmanager
    def held(self, reason: str) -> Iterator[None]:
        """There is `reason` meanwhile."""
        self.add(reason)
        try:
            yield
        finally:
            self.remove(reason)

    def reasons(self) -> list[str]:
        """Why, now; empty when nobody needs it."""
        with self._changed:
            return sorted(self._reasons)

    @property
    def there(self) -> bool:
        """Whether there is any reason."""
        with self._changed:
            return bool(self._reasons)

    def wait(self, timeout: float) -> bool:
        """Until there is a reason, at most `timeout` seconds; whether there is one."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._reasons), timeout)
