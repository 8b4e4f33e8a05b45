"""The commands, sent to a daemon that runs in another process. Standard library only: a key press waits for it.

HTTP/1.0 over the Unix socket, one connection for each call: the answer ends where the connection does. That takes a few
lines; `http.client` takes 20 ms to import, which is half of what a key press costs.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, get_origin

from camdaemon.control import table
from camdaemon.control.instance import socket_path
from camdaemon.control.table import BackdropFile, Command
from camdaemon.errors import CamdaemonError, ConfigError, ConfirmationNeeded, ControlError

_CONNECT_S = 2.0
_EVENTS_S = 10.0  # one comes every second
_LOG = "Run: journalctl --user -u camdaemon"


class _Head(NamedTuple):
    status: int
    length: int | None  # bytes of the body, where the daemon announces it


class Client:
    """The daemon at `path` (default: see `socket_path`), with the methods of `Commands` that the socket offers.

    Any thread; holds nothing between calls.

    Raises:
        ControlError: no daemon answers in time, or it refuses, in the daemon's words.
        ConfigError: a value that it does not accept.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._path = socket_path(path)

    def __getattr__(self, function: str) -> Callable[..., Any]:
        try:
            command = table.find(function)
        except KeyError:
            raise AttributeError(f"no command has the function {function!r}") from None
        names = [parameter.name for parameter in command.sent]
        return lambda *given, **named: self.ask(command, dict(zip(names[: len(given)], given, strict=True)) | named)

    def ask(self, command: Command, values: Mapping[str, Any]) -> Any:
        """Send `command` and return its answer, of the type `command.answer`.

        Args:
            command: The row of the table.
            values: One for each parameter that is sent; those with a default may be left out.
        """
        if mistakes := table.find_mistakes(command, values):
            raise ConfigError(mistakes)
        seconds = command.timeout_s + sum(values.get(each.name, 0) for each in command.sent if each.delays)
        body = json.dumps(values).encode() if command.sent else b""
        with self._connected(command.word, seconds) as wire:
            wire.sendall(_request(command.method, command.path, body))
            with wire.makefile("rb") as answer:
                head = _read_head(answer)
                found = _parse(head, _read_body(answer, head), command.answer)
        return str(found["message"]) if command.answer is str else found

    def events(self) -> Iterator[dict[str, object]]:
        """Yield the status twice a second; ends when the daemon stops."""
        with self._connected("events", _EVENTS_S) as wire:
            wire.sendall(_request("GET", "/events", b""))
            with wire.makefile("rb") as answer:
                head = _read_head(answer)
                if head.status != 200:
                    _parse(head, _read_body(answer, head), dict)
                kind = ""
                for line in answer:
                    field, _, value = line.decode().rstrip("\r\n").partition(": ")
                    if field == "event":
                        kind = value
                    elif field == "data" and kind == "error":
                        raise ControlError(str(json.loads(value)["error"]))
                    elif field == "data":
                        yield json.loads(value)

    @contextmanager
    def _connected(self, what: str, seconds: float) -> Iterator[socket.socket]:
        """A connection for one call; what goes wrong with it becomes a ControlError."""
        with socket.socket(socket.AF_UNIX) as wire:
            wire.settimeout(_CONNECT_S)
            try:
                _connect(wire, str(self._path))
            except OSError as exc:
                why = exc.strerror or "it accepts no connection"
                raise ControlError(f"no camdaemon is running at {self._path}: {why}. Run: camdaemon run") from None
            wire.settimeout(seconds)
            try:
                yield wire
            except TimeoutError:
                raise ControlError(f"camdaemon did not answer '{what}' in {seconds:g} s. {_LOG}") from None
            except (OSError, EOFError):
                raise ControlError(f"camdaemon closed the connection before it answered '{what}'. {_LOG}") from None


def _connect(wire: socket.socket, path: str) -> None:
    """Connect; where too many others wait already, try again for a while. The kernel has nothing to wait on then."""
    end = time.monotonic() + _CONNECT_S
    while True:
        try:
            return wire.connect(path)
        except BlockingIOError:
            if time.monotonic() > end:
                raise
            time.sleep(0.005)


def _request(method: str, path: str, body: bytes) -> bytes:
    kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.0\r\nHost: camdaemon\r\n{kind}\r\n".encode() + body


def _read_head(answer: IO[bytes]) -> _Head:
    first = answer.readline()
    if not first:
        raise EOFError
    _, _, status = first.partition(b" ")
    length = None
    while line := answer.readline().strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
    return _Head(int(status[:3]) if status[:3].isdigit() else 0, length)


def _read_body(answer: IO[bytes], head: _Head) -> bytes:
    body = answer.read(-1 if head.length is None else head.length)
    if head.length is not None and len(body) < head.length:
        raise EOFError
    return body


def _parse(head: _Head, text: bytes, kind: Any) -> Any:
    """Return the JSON value of an answer, made a `kind`; raise the daemon's error message."""
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    fine = 200 <= head.status < 300
    if fine and isinstance(body, dict if kind is str else get_origin(kind) or kind):
        return [BackdropFile(**file) for file in body] if kind == list[BackdropFile] else body
    if fine or not isinstance(body, dict):
        raise ControlError(f"what answered is no camdaemon (HTTP {head.status}, not JSON). {_LOG}")
    message = str(body.get("error", f"camdaemon refused (HTTP {head.status}). {_LOG}"))
    kinds: dict[int, type[CamdaemonError]] = {422: ConfigError, 428: ConfirmationNeeded}
    raise kinds.get(head.status, ControlError)(message)
