"""A real server on a real Unix socket, and commands behind it that remember what they were asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from camdaemon.control.server import ApiServer
from camdaemon.control.table import BackdropFile


class FakeCommands:
    """Answers at once. `error` is raised instead, when set; `plate` waits while `hang` is set, 20 s at most."""

    def __init__(self) -> None:
        self.in_plate, self.go_on = threading.Event(), threading.Event()
        self.forget()

    def forget(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.error: Exception | None = None
        self.hang = False
        self.in_plate.clear()
        self.go_on.clear()

    def plate(self, countdown: float, anyway: bool = False) -> str:
        if self.hang:
            self.in_plate.set()
            self.go_on.wait(20)
        return self._answer("plate", countdown, *([anyway] if anyway else []))

    def show_plate(self) -> dict[str, object]:
        return {"plate": "taken", "note": self._answer("show_plate")}

    def export_plate(self, file: str) -> str:
        return self._answer("export_plate", file)

    def cancel_plate(self) -> str:
        return self._answer("cancel_plate")

    def backdrop(self, spec: str, yes: bool = False) -> str:
        return self._answer("backdrop", spec)

    def next_backdrop(self) -> str:
        return self._answer("next_backdrop")

    def previous_backdrop(self) -> str:
        return self._answer("previous_backdrop")

    def scene(self, name: str) -> str:
        return self._answer("scene", name)

    def card(self, turn: str) -> str:
        return self._answer("card", turn)

    def pause(self, turn: str) -> str:
        return self._answer("pause", turn)

    def mirror(self, turn: str) -> str:
        return self._answer("mirror", turn)

    def adjust(self, edge: float | None, blur: float | None, yes: bool = False) -> str:
        return self._answer("adjust", edge, blur)

    def crop(self, left: float, top: float, width: float, height: float) -> str:
        return self._answer("crop", left, top, width, height)

    def uncrop(self) -> str:
        return self._answer("uncrop")

    def reset(self) -> str:
        return self._answer("reset")

    def reload(self) -> str:
        return self._answer("reload")

    def panel(self) -> str:
        return self._answer("panel")

    def backdrops(self) -> list[BackdropFile]:
        self._answer("backdrops")
        return [BackdropFile("beach.jpg", "/pictures/beach.jpg", "image")]

    def scenes(self) -> list[str]:
        self._answer("scenes")
        return ["meeting", "late"]

    def mode(self, mode: str) -> str:
        return self._answer("mode", mode)

    def status(self) -> dict[str, object]:
        self._answer("status")
        return {"mode": "card", "fps": 29.9, "plate": None, "asked": len(self.asked)}

    def stop(self) -> str:
        return self._answer("stop")

    def _answer(self, *asked: object) -> str:
        self.asked.append(asked)
        if self.error:
            raise self.error
        return f"done: {asked[0]}."


@dataclass
class Served:
    verbs: FakeCommands
    server: ApiServer
    path: Path


@contextmanager
def _serving(path: Path) -> Iterator[Served]:
    verbs = FakeCommands()
    server = ApiServer(verbs, path)
    server.start()
    yield Served(verbs, server, path)
    verbs.go_on.set()
    server.stop()


@pytest.fixture
def socket_file(tmp_path: Path) -> Path:
    """Nothing is there yet, not even its directory."""
    return tmp_path / "run" / "c.sock"


@pytest.fixture
def fresh(socket_file: Path) -> Iterator[Served]:
    """A server that the test may stop."""
    with _serving(socket_file) as served:
        yield served


@pytest.fixture(scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with _serving(tmp_path_factory.mktemp("shared") / "run" / "c.sock") as served:
        yield served


@pytest.fixture
def served(_shared: Served) -> Iterator[Served]:
    """A server that other tests of the module use too; nothing was asked of it yet."""
    _shared.verbs.forget()
    yield _shared
    _shared.verbs.go_on.set()
