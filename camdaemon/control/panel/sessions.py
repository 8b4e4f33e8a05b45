"""Who was let into the panel: one-time tokens, the sessions that they are traded for, and the pages that are open."""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

TOKEN_S = 60.0  # seconds that a token may wait for its browser, and a session for its first page
RELOAD_S = 15.0  # seconds that a session outlives its last page, which may be loading again
_LOOK_S = 2.0  # seconds that a look at the camera counts; a page that shows it asks many times a second
_SESSIONS = 16  # the oldest ends when there are more

Others = Literal["none", "open", "camera"]


@dataclass
class Session:
    """One browser tab that was let in."""

    key: str
    ends: float  # the clock's second, moved on while a page of it is open
    camera_until: float = -math.inf  # the clock's second until which it may see the camera before the matte


@dataclass
class _Page:
    session: Session
    name: str  # of its own making; guessing another page's is hopeless, and would only hide that page from itself
    looked: float = -math.inf  # when it saw the camera last


class Sessions:
    """One-time tokens, sessions and their pages. Any thread. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()  # guards what follows
        self._tokens: dict[str, float] = {}  # token → the second at which it expires
        self._sessions: deque[Session] = deque(maxlen=_SESSIONS)
        self._pages: list[_Page] = []
        self._looks: list[_Page] = []  # newest last
        self._seen = clock()

    def issue(self) -> str:
        """Make a token that is good for one session within `TOKEN_S`."""
        now, token = self.clock(), secrets.token_urlsafe(32)
        with self._lock:
            self._tokens = {old: end for old, end in self._tokens.items() if end > now} | {token: now + TOKEN_S}
            self._seen = now
        return token

    def redeem(self, token: str) -> Session | None:
        """Trade `token` for a new session; None if it is wrong, used or too old."""
        with self._lock:
            known = next((known for known in self._tokens if _is_same(known, token)), None)
            if known is None or self._tokens.pop(known) <= self.clock():
                return None
            session = Session(secrets.token_urlsafe(32), self.clock() + TOKEN_S)
            self._sessions.append(session)
            return session

    def find(self, key: str) -> Session | None:
        """Return the session of `key`; None if there is none, or its last page was closed a while ago."""
        with self._lock:
            found = next((session for session in self._sessions if _is_same(session.key, key)), None)
            if found is None or found.ends > self.clock():
                return found
            self._sessions.remove(found)
            return None

    @contextmanager
    def open_page(self, session: Session, name: str) -> Iterator[Callable[[], Others]]:
        """Count a page while it is open.

        Yields:
            A function to call once a second. It keeps the session, and says of the other pages: 'camera' if one of them
            looks at the camera, 'open' if there is one, else 'none'.
        """
        page = _Page(session, name)

        def stay() -> Others:
            now = self.clock()
            with self._lock:
                self._seen, session.ends = now, now + RELOAD_S
                self._looks = [look for look in self._looks if now - look.looked <= _LOOK_S]
                if any(look.session is not session or look.name != name for look in self._looks):
                    return "camera"
                return "open" if any(other is not page for other in self._pages) else "none"

        with self._lock:
            self._pages.append(page)
        try:
            yield stay
        finally:
            with self._lock:
                self._pages.remove(page)

    def record_look(self, session: Session, name: str, *, looks: bool = True) -> None:
        """Record whether the page `name` is shown the camera now."""
        with self._lock:
            kept = [look for look in self._looks if look.session is not session or look.name != name]
            self._looks = [*kept, *([_Page(session, name, self.clock())] if looks else [])][-_SESSIONS:]

    def idle_s(self) -> float:
        """Return the seconds since a page was open or asked for."""
        return self.clock() - self._seen


def _is_same(ours: str, theirs: str) -> bool:
    return secrets.compare_digest(ours.encode(), theirs.encode("utf-8", "replace"))
