"""A panel on a real port with a fake daemon behind it, and a client that has been let in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest

from camdaemon.control.panel.server import PanelServer
from tests.control.panel.fake_daemon import FakeDaemon


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Opened:
    daemon: FakeDaemon
    server: PanelServer
    clock: Clock

    def token_url(self) -> str:
        return self.server.open(self.daemon, self.daemon)

    @property
    def address(self) -> str:
        return self.token_url().partition("/open")[0]

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """A page that was let in and sends its own Origin."""
        with self.stranger() as client:
            client.headers["Authorization"] = f"Bearer {self.key(client)}"
            yield client

    def key(self, client: httpx.Client) -> str:
        """Let `client` in; return the key of its session."""
        answer = client.get(self.token_url())
        assert answer.status_code == 200
        found = re.search(r'name="session" content="([\w-]{43})"', answer.text)
        assert found
        return found[1]

    def stranger(self) -> httpx.Client:
        """As `client`, without a session."""
        return httpx.Client(base_url=self.address, headers={"Origin": self.address}, timeout=10, trust_env=False)


@contextmanager
def _opened() -> Iterator[Opened]:
    daemon, clock = FakeDaemon(), Clock()
    opened = Opened(daemon, PanelServer(daemon, clock=clock), clock)
    yield opened
    daemon.go_on.set()
    opened.server.close()


@pytest.fixture
def fresh() -> Iterator[Opened]:
    """A panel that the test may close. Its clock stands still until the test turns it."""
    with _opened() as opened:
        yield opened


@pytest.fixture(scope="module")
def _shared() -> Iterator[Opened]:
    with _opened() as opened:
        yield opened


@pytest.fixture
def panel(_shared: Opened) -> Iterator[Opened]:
    """A panel that other tests of the module use too; nothing was asked of its daemon yet."""
    _shared.daemon.forget()
    yield _shared
    _shared.daemon.go_on.set()


@pytest.fixture
def http(panel: Opened) -> Iterator[httpx.Client]:
    with panel.client() as client:
        yield client
