"""Whether anybody needs the camera, and why. While nobody does it is closed, and its light is off."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

ALWAYS, VIEWERS, PLATE, PANEL = "always", "viewers", "plate", "panel"  # reasons


class Demand:
    """Reasons for the camera to run, each as often as it was given. Any thread.

    While the machine goes to sleep there are none, whoever has given one.
    """

    def __init__(self, *reasons: str) -> None:
        self._changed = threading.Condition()
        self._reasons: Counter[str] = Counter(reasons)
        self._asleep = False

    @property
    def asleep(self) -> bool:
        """Whether the machine is about to sleep: the camera is closed at once."""
        return self._asleep

    def sleep(self, asleep: bool) -> None:
        """The machine goes to sleep, or is awake again."""
        with self._changed:
            self._asleep = asleep
            self._changed.notify_all()

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
            return bool(self._reasons) and not self._asleep

    def wait(self, timeout: float) -> bool:
        """Until there is a reason, at most `timeout` seconds; whether there is one."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._reasons) and not self._asleep, timeout)
