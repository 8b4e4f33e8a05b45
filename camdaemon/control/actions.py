"""Key actions: what one would type after `camdaemon`, without options, such as 'card', 'card on' or 'scene NAME'."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from camdaemon.control import table
from camdaemon.control.table import REQUIRED, Command, Parameter
from camdaemon.errors import CamdaemonError, ConfigError, did_you_mean

log = logging.getLogger(__name__)


class Request(NamedTuple):
    """A command with its values, from a surface that may ask for more than keys."""

    command: Command
    values: Mapping[str, Any]  # one for each parameter that is sent
    finish: Callable[[Any], str] = str  # makes a sentence of the answer, and may do more; raises CamdaemonError

    def __str__(self) -> str:
        """Return what one would type, without options."""
        return self.command.word


# Actions and requests in the order of the presses; None ends their performer.
Presses = queue.SimpleQueue[str | Request | None]


def check(action: str, scenes: Collection[str]) -> str:
    """Say what is wrong with `action`, in a sentence; '' if nothing is. `scenes` are the names a scene may have."""
    if found := _find(action):
        command, _ = found
        name = action.removeprefix(command.word).removeprefix(" ")
        return "" if _named(command) is None or name in scenes else f"{action!r}: there is no {command.word} {name!r}"
    plain = [command.word for command in _key_commands() if _named(command) is None]
    chosen = [f"{command.word} {word}" for command in _key_commands() for word in _choices(command)]
    named = [f"{command.word} {each.name.upper()}" for command in _key_commands() if (each := _named(command))]
    known = (
        did_you_mean(action, [*plain, *chosen]) or f"there are {', '.join([*plain, *chosen])} and {', '.join(named)}"
    )
    return f"{action!r} is no key action; {known}"


def perform(commands: object, action: str) -> str:
    """Do `action` and return the command's sentence.

    Raises:
        ConfigError: the action is unknown.
        CamdaemonError: from the command.
    """
    found = _find(action)
    if found is None or "" in found[1].values():
        raise ConfigError(check(action, ()))
    return str(table.call(commands, *found))


def _key_commands() -> list[Command]:
    return [command for command in table.TABLE if command.key]


def _named(command: Command) -> Parameter | None:
    """The parameter that an action has to name; None if the defaults will do."""
    return next((parameter for parameter in command.sent if parameter.initial is REQUIRED), None)


def _choices(command: Command) -> dict[str, Parameter]:
    """The words that an action may add to the command, such as 'on', and the parameter that each is for."""
    return {word: parameter for parameter in command.sent if parameter.kind == "choice" for word in parameter.choices}


def _find(action: str) -> tuple[Command, dict[str, Any]] | None:
    """The command of `action` and its values, '' for a name that is missing; None for an unknown action."""
    for command in _key_commands():
        values = {parameter.name: parameter.initial for parameter in command.sent}
        named = _named(command)
        for name in {command.word, command.name}:
            if named is None and action == name:
                return command, values
            if named is not None and (action == name or action.startswith(f"{name} ")):
                return command, values | {named.name: action[len(name) + 1 :]}
            for word, parameter in _choices(command).items():
                if action == f"{name} {word}":
                    return command, values | {parameter.name: word}
    return None


def _command_of(pressed: str | Request) -> Command | None:
    if isinstance(pressed, Request):
        return pressed.command
    found = _find(pressed)
    return None if found is None else found[0]


class Performer:
    """Does actions in the order of their key presses, in a thread named 'actions'; slow ones in threads of their own.

    `start` and `stop` are for one thread, `press` for any.
    """

    def __init__(self, commands: object, tell: Callable[[str, bool], None], presses: Presses | None = None) -> None:
        """Prepare; nothing is done before `start`.

        Args:
            commands: Has the methods that the table names.
            tell: Gets each answer or error, as a sentence, with whether it is an error. Its own faults end nothing.
            presses: Where others put what is pressed; by default the performer's own.
        """
        self._commands, self._tell = commands, tell
        self._presses: Presses = queue.SimpleQueue() if presses is None else presses
        self._thread = threading.Thread(target=self._work, name="actions", daemon=True)

    def start(self) -> None:
        """Begin with what was pressed before."""
        self._thread.start()

    def stop(self) -> None:
        """Do what was pressed before, within a second, and end."""
        self._presses.put(None)
        self._thread.join(1.0)

    def press(self, action: str) -> None:
        """Have `action` done; returns at once."""
        self._presses.put(action)

    def _work(self) -> None:
        while (pressed := self._presses.get()) is not None:
            command = _command_of(pressed)
            if command is not None and command.slow:  # other keys must work meanwhile
                threading.Thread(target=self._do, args=(pressed,), name=command.word, daemon=True).start()
            else:
                self._do(pressed)

    def _do(self, action: str | Request) -> None:
        try:
            self._tell(*self._outcome(action))
        except Exception:
            log.exception("could not tell the outcome of %s", action)

    def _outcome(self, action: str | Request) -> tuple[str, bool]:
        try:
            if isinstance(action, Request):
                return action.finish(table.call(self._commands, action.command, action.values)), False
            return perform(self._commands, action), False
        except CamdaemonError as exc:
            return str(exc), True
        except Exception as exc:
            log.exception("%s failed", action)
            return (
                f"{action} failed ({type(exc).__name__}: {exc}). Run: journalctl --user -u camdaemon",
                True,
            )
