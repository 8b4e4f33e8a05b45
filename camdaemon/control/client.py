"""The commands, sent to a daemon that runs in another process. A key press waits for it, so it loads next to nothing.

HTTP/1.0 over the Unix socket, one connection for each call: the answer ends where the connection does. That takes a few
lines. Python itself takes 22 ms to start, and `typing`, `pathlib`, `socket`, `json` or `http.client` as long again.
So the socket is the C module's own, and a command's sentence comes as plain text.
"""

from __future__ import annotations

import time
from _socket import AF_UNIX, socket  # of which Python's `socket` makes a class with files and enumerations

from camdaemon.control import table
from camdaemon.control.address import socket_name
from camdaemon.control.table import BackdropFile, Command
from camdaemon.control.values import find_mistakes
from camdaemon.errors import CamdaemonError, ConfigError, ConfirmationNeeded, ControlError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType
    from typing import Any

_CONNECT_S = 2.0
_EVENTS_S = 10.0  # one comes every second
_PATIENCE_S = 0.5  # after which a user wants to know that something happens
_LOG = "Run: journalctl --user -u camdaemon"


class Client:
    """The daemon at `path` (default: see `socket_path`), with the methods of `Commands` that the socket offers.

    Any thread; holds nothing between calls.

    Raises:
        ControlError: no daemon answers in time, or it refuses, in the daemon's words.
        ConfigError: a value that it does not accept.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._path = socket_name(path)

    def __getattr__(self, function: str) -> Callable[..., Any]:
        try:
            command = table.find(function)
        except KeyError:
            raise AttributeError(f"no command has the function {function!r}") from None
        names = [parameter.name for parameter in command.sent]
        return lambda *given, **named: self.ask(command, dict(zip(names[: len(given)], given, strict=True)) | named)

    def ask(self, command: Command, values: Mapping[str, Any], on_waiting: Callable[[], None] = lambda: None) -> Any:
        """Send `command` and return its answer, of the type `command.answer`.

        Args:
            command: The row of the table.
            values: One for each parameter that is sent; those with a default may be left out.
            on_waiting: Called where the answer takes longer than half a second.
        """
        if mistakes := find_mistakes(command, values):
            raise ConfigError(mistakes)
        seconds = command.timeout_s + sum(values.get(each.name, 0) for each in command.sent if each.delays)
        body = _encode(values) if command.sent else b""
        with _Wire(self._path, command.word, seconds) as wire:
            wire.send(_request(command.method, command.path, body, "text/plain" if command.answer is str else "*/*"))
            answer = _Answer(wire.read(on_waiting))
        return _parse(answer, command.answer)

    def events(self) -> Iterator[dict[str, object]]:
        """Yield the status twice a second; ends when the daemon stops."""
        import json

        with _Wire(self._path, "events", _EVENTS_S) as wire:
            wire.send(_request("GET", "/events", b"", "*/*"))
            lines = wire.lines()
            first = next(lines, b"")
            if first.split()[1:2] != [b"200"]:
                _parse(_Answer(b"\n".join([first, *lines])), dict)
            kind = ""
            for line in lines:
                field, _, value = line.decode().rstrip("\r").partition(": ")
                if field == "event":
                    kind = value
                elif field == "data" and kind == "error":
                    raise ControlError(str(json.loads(value)["error"]))
                elif field == "data":
                    yield json.loads(value)


class _Wire:
    """A connection for one call; what goes wrong with it while entered becomes a ControlError."""

    def __init__(self, path: str, what: str, seconds: float) -> None:
        self._path, self._what, self._seconds = path, what, seconds
        self._socket = socket(AF_UNIX)

    def __enter__(self) -> _Wire:
        self._socket.settimeout(_CONNECT_S)
        try:
            self._connect()
        except OSError as exc:
            self._socket.close()
            why = exc.strerror or "it accepts no connection"
            raise ControlError(f"no camdaemon is running at {self._path}: {why}. Run: camdaemon run") from None
        self._socket.settimeout(self._seconds)
        return self

    def __exit__(self, _: type[BaseException] | None, exc: BaseException | None, __: TracebackType | None) -> None:
        self._socket.close()
        if isinstance(exc, TimeoutError):
            raise ControlError(f"camdaemon did not answer '{self._what}' in {self._seconds:g} s. {_LOG}") from None
        if isinstance(exc, OSError | EOFError):
            raise ControlError(f"camdaemon closed the connection before it answered '{self._what}'. {_LOG}") from None

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, on_waiting: Callable[[], None]) -> bytes:
        """Return all that comes until the daemon hangs up. `on_waiting` is called where the first of it takes long."""
        found = b""
        if self._seconds > _PATIENCE_S:
            self._socket.settimeout(_PATIENCE_S)
            try:
                found = self._socket.recv(65536)
            except TimeoutError:
                on_waiting()
            else:
                if not found:
                    return b""
            self._socket.settimeout(self._seconds)
        return found + b"".join(iter(lambda: self._socket.recv(65536), b""))

    def lines(self) -> Iterator[bytes]:
        """Yield each line, without its end, as it comes."""
        rest = b""
        while more := self._socket.recv(65536):
            *whole, rest = (rest + more).split(b"\n")
            yield from whole
        yield rest

    def _connect(self) -> None:
        """Connect; where too many others wait, try again for a while: the kernel has nothing to wait on then."""
        end = time.monotonic() + _CONNECT_S
        while True:
            try:
                return self._socket.connect(self._path)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.005)


class _Answer:
    """An HTTP answer: its status, type and body. Raises EOFError for one that broke off."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        if not first:
            raise EOFError
        code = first.partition(b" ")[2][:3]
        self.status = int(code) if code.isdigit() else 0
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        length = fields.get(b"content-length", b"")
        if length.isdigit() and len(self.body) < int(length):
            raise EOFError
        self.is_text = fields.get(b"content-type", b"").startswith(b"text/plain")


def _encode(values: Mapping[str, Any]) -> bytes:
    """Return `values` as JSON; plain words without the module, which takes longer to load than the daemon to answer."""
    plain = {True: "true", False: "false"}
    words = [plain[value] if isinstance(value, bool) else f'"{value}"' for value in values.values()]
    if all(isinstance(each, bool | str) and str(each).isascii() and str(each).isalnum() for each in values.values()):
        return ("{" + ", ".join(f'"{name}": {word}' for name, word in zip(values, words, strict=True)) + "}").encode()
    import json

    return json.dumps(values).encode()


def _request(method: str, path: str, body: bytes, accept: str) -> bytes:
    kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.0\r\nHost: camdaemon\r\nAccept: {accept}\r\n{kind}\r\n".encode() + body


def _parse(answer: _Answer, kind: Any) -> Any:
    """Return the value of an answer, made a `kind`; raise the daemon's error message."""
    fine = 200 <= answer.status < 300
    if fine and kind is str and answer.is_text:
        return answer.body.decode()
    import json

    try:
        body = json.loads(answer.body)
    except ValueError:
        body = None
    if fine and kind is str and isinstance(body, dict):
        return str(body["message"])
    if fine and isinstance(body, getattr(kind, "__origin__", kind)):
        return [BackdropFile(**file) for file in body] if kind == list[BackdropFile] else body
    if fine or not isinstance(body, dict):
        raise ControlError(f"what answered is no camdaemon (HTTP {answer.status}, not JSON). {_LOG}")
    message = str(body.get("error", f"camdaemon refused (HTTP {answer.status}). {_LOG}"))
    kinds: dict[int, type[CamdaemonError]] = {422: ConfigError, 428: ConfirmationNeeded}
    raise kinds.get(answer.status, ControlError)(message)
