"""Actions: each word does its verb, keys are served in order, and what comes of it is told."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from camdaemon.config import keys
from camdaemon.control import table
from camdaemon.control.actions import Performer, check, perform
from camdaemon.errors import ConfigError, PlateRefused

DONE = {
    "plate": ("plate", 5.0, False),
    "next": ("next_backdrop",),
    "previous": ("previous_backdrop",),
    "plate take": ("plate", 5.0, False),  # the whole name of the same
    "plate cancel": ("cancel_plate",),
    "card": ("card", "toggle"),
    "card on": ("card", "on"),
    "card off": ("card", "off"),
    "pause": ("pause", "toggle"),
    "pause off": ("pause", "off"),
    "mirror": ("mirror", "toggle"),
    "mirror on": ("mirror", "on"),
    "crop off": ("uncrop",),
    "reset": ("reset",),
    "reload": ("reload",),
    "scene meeting": ("scene", "meeting"),
    "scene my late show": ("scene", "my late show"),
}


WORDS = {command.word for command in table.TABLE if command.key}


class Asked:
    """Commands that remember, wait where they are told to, and answer with the function's name."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.threads: list[str] = []
        self.errors: dict[str, Exception] = {}
        self.waits: dict[str, threading.Event] = {}
        self.begun: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __getattr__(self, verb: str) -> Callable[..., str]:
        def call(*given: object) -> str:
            self.begun.put(verb)
            if verb in self.waits:
                assert self.waits[verb].wait(60)
            self.calls.append((verb, *given))
            self.threads.append(threading.current_thread().name)
            if verb in self.errors:
                raise self.errors[verb]
            return f"did {verb}"

        return call


class Told:
    """Takes what a performer tells."""

    def __init__(self) -> None:
        self._heard: queue.SimpleQueue[tuple[str, bool]] = queue.SimpleQueue()

    def __call__(self, sentence: str, failed: bool) -> None:
        self._heard.put((sentence, failed))

    def next(self) -> tuple[str, bool]:
        return self._heard.get(timeout=60)

    def nothing(self) -> bool:
        return self._heard.empty()


@pytest.fixture
def verbs() -> Any:
    return Asked()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def performer(verbs: Any, told: Told) -> Iterator[Performer]:
    made = Performer(verbs, told)
    made.start()
    yield made
    for event in verbs.waits.values():
        event.set()
    made.stop()


@pytest.mark.parametrize("action", DONE)
def test_every_word_does_its_verb(verbs: Any, action: str) -> None:
    assert perform(verbs, action) == f"did {DONE[action][0]}"
    assert verbs.calls == [DONE[action]]


def test_no_word_is_forgotten_here_and_every_default_key_does_something() -> None:
    assert {command.word for command in table.TABLE if command.key} == {
        word for action in DONE for word in (action, action.partition(" ")[0]) if word in WORDS
    }
    assert [check(action, []) for action in keys.DEFAULTS] == [""] * len(keys.DEFAULTS)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("plat", "did you mean plate?"),
        ("nxt", "did you mean next?"),
        ("Card", "did you mean card?"),
        ("quit", "card on, card off"),
        ("", "plate, plate cancel, next, previous"),
        ("next ", "did you mean next?"),
        ("card onn", "did you mean card on?"),
        ("card on off", "did you mean card o"),
        ("scene", "no scene ''"),
        ("scene ", "no scene ''"),
        ("scenes", "is no key action"),
        ("__class__", "is no key action"),
        ("stop", "is no key action"),  # a key that ends the show would be pressed by accident
    ],
)
def test_an_unknown_word_does_nothing_and_is_explained(verbs: Any, action: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        perform(verbs, action)
    assert words in str(caught.value)
    assert repr(action) in str(caught.value)
    assert words in check(action, ["meeting"])
    assert verbs.calls == []


def test_check_knows_the_scenes() -> None:
    assert check("scene meeting", ["meeting", "late"]) == ""
    assert "no scene 'meetin'" in check("scene meetin", ["meeting", "late"])
    assert {check(action, []) for action in DONE if not action.startswith("scene")} == {""}


def test_a_verbs_error_is_raised_by_perform(verbs: Any) -> None:
    verbs.errors["next_backdrop"] = ConfigError("no files; Put some there")
    with pytest.raises(ConfigError, match="no files"):
        perform(verbs, "next")


def test_keys_are_served_in_order_in_one_thread(performer: Performer, verbs: Any, told: Told) -> None:
    pressed = ["next", "card", "next", "previous", "scene late", "mirror"] * 5
    for action in pressed:
        performer.press(action)
    assert [told.next() for _ in pressed] == [(f"did {DONE.get(a, ('scene',))[0]}", False) for a in pressed]
    assert set(verbs.threads) == {"actions"}


def test_a_press_never_waits_and_a_slow_verb_keeps_the_order(performer: Performer, verbs: Any, told: Told) -> None:
    verbs.waits["next_backdrop"] = threading.Event()
    began = time.monotonic()
    for action in ("next", "card", "mirror"):
        performer.press(action)
    assert time.monotonic() - began < 60
    assert verbs.begun.get(timeout=60) == "next_backdrop"
    assert told.nothing()
    verbs.waits["next_backdrop"].set()
    assert [told.next()[0] for _ in range(3)] == ["did next_backdrop", "did card", "did mirror"]


def test_a_plate_that_waits_holds_no_other_key_up(performer: Performer, verbs: Any, told: Told) -> None:
    verbs.waits["plate"] = threading.Event()
    performer.press("plate")
    assert verbs.begun.get(timeout=60) == "plate"
    performer.press("card")
    assert told.next() == ("did card", False)
    verbs.waits["plate"].set()
    assert told.next() == ("did plate", False)


@pytest.mark.parametrize(
    ("action", "wrong"),
    [
        ("plate", "the room moved; try again"),
        ("next", "no files; Put some there"),
        ("scene gone", "there is no scene 'gone'"),
        ("nonsense", check("nonsense", [])),
    ],
)
def test_an_error_is_told_and_the_next_key_works(
    performer: Performer, verbs: Any, told: Told, action: str, wrong: str
) -> None:
    verbs.errors = {
        "plate": PlateRefused("the room moved; try again"),
        "next_backdrop": ConfigError("no files; Put some there"),
        "scene": ConfigError("there is no scene 'gone'"),
    }
    performer.press(action)
    sentence, failed = told.next()
    assert failed
    assert sentence == wrong
    performer.press("card")
    assert told.next() == ("did card", False)


@pytest.mark.parametrize("action", ["plate", "next"])
def test_a_bug_is_told_and_logged_and_the_next_key_works(
    performer: Performer, verbs: Any, told: Told, action: str, caplog: pytest.LogCaptureFixture
) -> None:
    verbs.errors = dict.fromkeys(("plate", "next_backdrop"), ZeroDivisionError("division by zero"))
    performer.press(action)
    sentence, failed = told.next()
    assert failed
    assert re.fullmatch(rf"{action}.*failed.*ZeroDivisionError.*by zero.*journalctl --user -u camdaemon", sentence)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError]
    performer.press("card")
    assert told.next() == ("did card", False)


def test_nobody_to_tell_ends_nothing(verbs: Any, caplog: pytest.LogCaptureFixture) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def broken(sentence: str, failed: bool) -> None:
        heard.put(sentence)
        raise OSError("the desktop is gone")

    verbs.errors["next_backdrop"] = ConfigError("no files")
    performer = Performer(verbs, broken)
    performer.start()
    for action in ("next", "card"):
        performer.press(action)
    assert [heard.get(timeout=60) for _ in range(2)] == ["no files", "did card"]
    performer.stop()
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["the desktop is gone"] * 2


def test_stop_lets_what_was_pressed_before_be_done(performer: Performer, verbs: Any) -> None:
    for _ in range(20):
        performer.press("card")
    performer.stop()
    assert verbs.calls == [DONE["card"]] * 20
    performer.stop()  # harmless when repeated
    performer.press("card")
    assert verbs.calls == [DONE["card"]] * 20


@pytest.mark.parametrize("action", ["next", "plate"])
def test_stop_is_bounded_when_a_verb_hangs(performer: Performer, verbs: Any, action: str) -> None:
    verb = str(DONE[action][0])
    verbs.waits[verb] = threading.Event()
    performer.press(action)
    assert verbs.begun.get(timeout=60) == verb
    began = time.monotonic()
    performer.stop()
    assert time.monotonic() - began < 60
