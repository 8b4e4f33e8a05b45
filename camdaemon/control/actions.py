"""Actions: verbs as one word, as they are bound to keys. 'scene NAME' is the only one of two words."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from camdaemon.control.verbs import Verbs
from camdaemon.errors import CamdaemonError, ConfigError, did_you_mean

log = logging.getLogger(__name__)

PLATE_COUNTDOWN = 5.0  # seconds to leave the picture after the key
_DO: dict[str, Callable[[Verbs], str]] = {
    "plate": lambda verbs: verbs.plate(PLATE_COUNTDOWN),
    "next": lambda verbs: verbs.next_backdrop(),
    "previous": lambda verbs: verbs.previous_backdrop(),
    "card": lambda verbs: verbs.card("toggle"),
    "pause": lambda verbs: verbs.pause("toggle"),
    "mirror": lambda verbs: verbs.mirror("toggle"),
    "reload": lambda verbs: verbs.reload(),
}


def check(action: str, scenes: list[str]) -> str:
    """What is wrong with `action` ('' for nothing), in a sentence."""
    word, _, name = action.partition(" ")
    if word == "scene":
        return "" if name in scenes else f"{action!r}: there is no scene {name!r}"
    if action in _DO:
        return ""
    known = did_you_mean(action, _DO) or f"there are {', '.join(_DO)} and scene NAME"
    return f"{action!r} is nothing a key can do; {known}"


def perform(verbs: Verbs, action: str) -> str:
    """Do it; the verb's sentence. Raises ConfigError for an unknown action, and what the verb raises."""
    if action in _DO:
        return _DO[action](verbs)
    word, _, name = action.partition(" ")
    if word == "scene" and name:
        return verbs.scene(name)
    raise ConfigError(check(action, []))


class Performer:
    """Performs actions in the order of their key presses, in a thread named 'actions'; a plate in one of its own.

    told: gets each answer or error, as a sentence, with whether it is an error; one that fails ends nothing.
    `press` never waits.
    """

    def __init__(self, verbs: Verbs, told: Callable[[str, bool], None]) -> None:
        self._verbs, self._told = verbs, told
        self._pressed: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="actions", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What was pressed before is still done, within a second."""
        self._pressed.put(None)
        self._thread.join(1.0)

    def press(self, action: str) -> None:
        """Any thread."""
        if action == "plate":  # it takes seconds, in which other keys must work
            threading.Thread(target=self._do, args=(action,), name="plate", daemon=True).start()
        else:
            self._pressed.put(action)

    def _work(self) -> None:
        while (action := self._pressed.get()) is not None:
            self._do(action)

    def _do(self, action: str) -> None:
        try:
            self._told(*self._outcome(action))
        except Exception:
            log.exception("what came of %s could not be told", action)

    def _outcome(self, action: str) -> tuple[str, bool]:
        try:
            return perform(self._verbs, action), False
        except CamdaemonError as exc:
            return str(exc), True
        except Exception as exc:
            log.exception("%s failed", action)
            return (
                f"{action} failed ({type(exc).__name__}: {exc}); its log says where: journalctl --user -u camdaemon",
                True,
            )
