"""Commands to the running daemon: read from what is typed, sent, and their answers printed. Standard library only.

typer takes longer to load than the daemon to answer, and a key of the desktop waits for `camdaemon card`. So a correct
line is read here. All others, `--help` among them, are left to typer (`help`), which explains them.
"""

from __future__ import annotations

import os
import sys

from camdaemon.control import table
from camdaemon.control.table import REQUIRED, Command, Parameter
from camdaemon.errors import ConfirmationNeeded, ControlError, printable

TYPE_CHECKING = False  # `typing` and its like would double the time of a command
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

_STOPPING_S = 15.0


def parse(words: Sequence[str]) -> tuple[Command, dict[str, Any]] | None:
    """Read what is typed after `camdaemon`.

    Returns:
        The command and all of its values; None for other commands, for `--help`, and where something is wrong.
    """
    found = table.match(words)
    if found is None:
        return None
    command, rest = found
    values: dict[str, Any] = {}
    places = [parameter for parameter in command.parameters if not parameter.option]
    while rest:
        word = rest.pop(0)
        if word.startswith("-") and word != "-":
            name, given, text = word.partition("=")
            read = _read_option(command, name, text if given else None, rest)
        else:
            read = _read(places.pop(0), word) if places else None
        if read is None:
            return None
        values[read[0]] = read[1]
    return complete(command, values)


def complete(command: Command, values: Mapping[str, Any]) -> tuple[Command, dict[str, Any]] | None:
    """Add the defaults for what was not typed; None if something is missing.

    Where a command has another one to run `instead` of an argument, it is that one.
    """
    whole = {parameter.name: parameter.initial for parameter in command.parameters} | dict(values)
    if REQUIRED not in whole.values():
        return command, whole
    return (table.find(command.instead), {}) if command.instead and not values else None


def _read_option(command: Command, name: str, text: str | None, rest: list[str]) -> tuple[str, Any] | None:
    """Read one option; its value is taken from `rest` where it is not `text`."""
    for parameter in command.parameters:
        if not parameter.option:
            continue
        if parameter.kind == "flag":
            if text is None and name in flag_names(parameter):
                return parameter.name, not name.startswith("--no-")
        elif name == f"--{parameter.name}" and (text is not None or rest):
            return _read(parameter, rest.pop(0) if text is None else text)
    return None


def _read(parameter: Parameter, text: str) -> tuple[str, Any] | None:
    if parameter.kind != "number":
        return parameter.name, text
    try:
        number = float(text)
    except ValueError:
        return None
    return (parameter.name, number) if parameter.low <= number <= parameter.high else None


def flag_names(parameter: Parameter) -> list[str]:
    """Return what a flag is typed as: one that is on by default can be switched off."""
    return [f"--{parameter.name}", *([f"--no-{parameter.name}"] if parameter.default else [])]


def run(command: Command, values: Mapping[str, Any]) -> None:
    """Send `command` and print the answer.

    Args:
        command: The row of the table.
        values: One for each parameter, those that stay here included.

    Raises:
        ControlError: no daemon answers, or it refuses.
        ConfigError: a wrong value.
    """
    if values.get("start"):
        from camdaemon.cli.starting import start_without_terminal, tell_on_desktop

        start_without_terminal()
        with tell_on_desktop():
            return _send(command, values)
    return _send(command, values)


def _send(command: Command, values: Mapping[str, Any]) -> None:
    sent = {parameter.name: _resolve(parameter.kind, values[parameter.name]) for parameter in command.sent}
    from camdaemon.control.client import Client  # of no use to the lines that typer gets

    client = Client()
    if command.function == "plate":
        from camdaemon.cli.countdown import ask_for_plate

        answer = ask_for_plate(client, command, sent)
    else:
        answer = _ask(client, command, sent)
    _SHOW.get(command.function, _show)(command, answer, values)


def _ask(client: Any, command: Command, values: Mapping[str, Any]) -> Any:
    """Send `command`; what shows the room is asked once more, where somebody sits at the terminal."""
    progress = _Progress()
    try:
        return client.ask(command, values, progress.show)
    except ConfirmationNeeded as exc:
        progress.erase()
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise
        print(str(exc).partition(" To show it")[0])
        if input("Show it all the same? [y/N] ").strip().lower() not in ("y", "yes"):
            raise
        return client.ask(command, {**values, "yes": True}, progress.show)
    finally:
        progress.erase()


class _Progress:
    """A word on the terminal while the daemon prepares something."""

    def __init__(self) -> None:
        self._is_shown = False

    def show(self) -> None:
        if sys.stderr is not None and sys.stderr.isatty():
            self._is_shown = True
            print("Preparing …", end="", file=sys.stderr, flush=True)

    def erase(self) -> None:
        if self._is_shown:
            self._is_shown = False
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _resolve(kind: str, value: Any) -> Any:
    """Make a value absolute if it names a file: the daemon runs in another directory."""
    if kind not in ("backdrop", "file"):
        return value
    path = os.path.expanduser(value)
    return os.path.realpath(path) if kind == "file" or os.path.isfile(path) else value


def _show(command: Command, answer: Any, _: Mapping[str, Any]) -> None:
    lines = (answer or [command.empty]) if isinstance(answer, list) else [answer]
    print("\n".join(printable(str(line)) for line in lines))


def _show_status(_: Command, answer: Any, values: Mapping[str, Any]) -> None:
    if values["json"]:
        import json

        print(json.dumps(answer))
        return
    for name, value in answer.items():
        inner = " ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, dict) else value
        print(printable(f"{name:<12} {inner}"))


def _show_panel(_: Command, address: Any, values: Mapping[str, Any]) -> None:
    print(f"The panel, for one visit within a minute: {address}")
    if values["browser"]:
        import webbrowser

        from camdaemon.control.visit import write_page

        webbrowser.open(write_page(address).as_uri())


def _show_stop(_: Command, answer: Any, __: Mapping[str, Any]) -> None:
    from camdaemon.control.instance import socket_path, wait_until_free

    print(answer)
    if not wait_until_free(socket_path(), _STOPPING_S):
        raise ControlError(f"camdaemon has not stopped within {_STOPPING_S:g} s. Run: pkill -KILL -f 'camdaemon run'")


# By function; all other commands print their sentence or their list.
_SHOW: dict[str, Callable[[Command, Any, Mapping[str, Any]], None]] = {
    "status": _show_status,
    "show_plate": _show_status,
    "panel": _show_panel,
    "stop": _show_stop,
}
