"""Waiting for a plate at the terminal: what is shown, and that Ctrl-C cancels it in the daemon too."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from camdaemon.cli import countdown, live
from camdaemon.cli.countdown import ask_for_plate
from camdaemon.control import client as clients
from camdaemon.control import table
from camdaemon.errors import ConfirmationNeeded, PlateRefused

PLATE = table.find("plate")
MOVES = "something moves in the top left (1.2% of the picture)"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class FakeClient:
    """Answers `plate` once the status has been read `looks` times; `on_look` may raise what a person does."""

    def __init__(self, stages: list[dict[str, Any]], error: Exception | None = None) -> None:
        self._stages, self._error = list(stages), error
        self._done, self.cancelled = threading.Event(), 0
        self.on_look: Callable[[], None] = lambda: None

    def ask(self, command: object, values: object) -> str:
        assert self._done.wait(60)
        if self._error:
            raise self._error
        return "The plate is taken."

    def status(self) -> dict[str, Any]:
        self.on_look()
        if not self._stages:
            self._done.set()
            return {"taking": None}
        return {"taking": self._stages.pop(0)}

    def cancel_plate(self) -> str:
        self.cancelled += 1
        self._done.set()
        return "The taking of the plate is cancelled."


def stage(left_s: float, waits_for: str = "") -> dict[str, Any]:
    return {"by": "you", "left_s": left_s, "waits_for": waits_for}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(countdown, "_LOOK_S", 0.001)


def test_the_countdown_and_what_the_plate_waits_for() -> None:
    line = Terminal()
    client = FakeClient([stage(4.6), stage(4.2), stage(3.9), stage(0.0, MOVES), stage(0.0)])
    assert ask_for_plate(client, PLATE, {"countdown": 5.0}, line) == "The plate is taken."
    shown = line.getvalue().split("\r\x1b[K")
    assert [text.partition(": ")[2] for text in shown[1:3]] == ["5", "4"]
    assert MOVES in shown[3]
    assert "photographed" in shown[4]
    assert shown[5:] == [""], "the line is cleared for the answer"


def test_ctrl_c_cancels_the_plate_and_says_so() -> None:
    line = Terminal()
    client = FakeClient([stage(4.0)] * 1000)

    def interrupt() -> None:
        raise KeyboardInterrupt

    client.on_look = interrupt
    with pytest.raises(SystemExit) as ended:
        ask_for_plate(client, PLATE, {"countdown": 5.0}, line)
    assert ended.value.code == 130
    assert client.cancelled == 1
    assert "cancelled" in line.getvalue()


def test_a_refusal_is_the_commands_own_error() -> None:
    client = FakeClient([], PlateRefused(f"no plate after 15 s: {MOVES}. Run: camdaemon plate"))
    with pytest.raises(PlateRefused, match="top left"):
        ask_for_plate(client, PLATE, {"countdown": 0.0}, Terminal())


def test_without_a_terminal_nothing_is_shown() -> None:
    line = io.StringIO()
    client = FakeClient([])
    client._done.set()
    assert ask_for_plate(client, PLATE, {"countdown": 0.0}, line) == "The plate is taken."
    assert line.getvalue() == ""


@pytest.mark.parametrize(("is_terminal", "typed", "asked"), [(True, "y", 2), (True, "", 1), (False, "y", 1)])
def test_the_room_is_asked_for_twice_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_terminal: bool, typed: str, asked: int
) -> None:
    sent: list[dict[str, Any]] = []

    def ask(_: object, command: object, values: dict[str, Any], on_waiting: object) -> str:
        sent.append(dict(values))
        if not values["yes"]:
            raise ConfirmationNeeded("viewers would see your room. To show it, run: camdaemon backdrop plate --yes")
        return "The backdrop is plate."

    monkeypatch.setattr(clients.Client, "ask", ask)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: is_terminal, raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: typed)
    values = {"spec": "plate", "yes": False}
    if asked == 2:
        live.run(table.find("backdrop"), values)
        assert "The backdrop is plate." in capsys.readouterr().out
    else:
        with pytest.raises(ConfirmationNeeded):
            live.run(table.find("backdrop"), values)
    assert [each["yes"] for each in sent] == [False, True][:asked]
