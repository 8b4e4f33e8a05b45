"""Pauses between tries to get a lost device back."""

from __future__ import annotations

import time
from collections.abc import Callable


class Backoff:
    """The pause before the next try: `first_s`, doubled by each failure, at most `longest_s`.

    A loop of its own waits for `pause_s`, in its own way. A loop that has other work asks: `backoff.is_due()`. For one
    thread.

    Attributes:
        pause_s: seconds from a failure to the next try.
    """

    def __init__(
        self, first_s: float = 0.5, longest_s: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._first_s, self._longest_s, self._clock = first_s, longest_s, clock
        self.pause_s, self._due_at = first_s, clock() + first_s

    def restart(self) -> None:
        """Begin with the first pause, from now: the device was lost just now."""
        self.pause_s = self._first_s
        self._due_at = self._clock() + self.pause_s

    def increase(self) -> None:
        """Double the pause, from now: a try has failed."""
        self.pause_s = min(2 * self.pause_s, self._longest_s)
        self._due_at = self._clock() + self.pause_s

    def is_due(self) -> bool:
        """Whether the pause is over."""
        return self._clock() >= self._due_at
