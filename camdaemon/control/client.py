"""The verbs, spoken to a daemon that runs in another process.

Light to import, and httpx only comes with the first call: `camdaemon status` must answer at once.
"""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from camdaemon.control.instance import socket_path
from camdaemon.control.verbs import BackdropFile, Turn
from camdaemon.errors import ConfigError, ControlError

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

# Seconds until an answer. A plate: beyond its countdown, and the daemon gives up first (plate_taking.timeout_s <= 300).
# Events: one comes every second.
_PATIENCE = {"status": 2.0, "stop": 5.0, "plate": 310.0, "events": 10.0}
_OTHERWISE = 60.0
_LOG = "its log says why: journalctl --user -u camdaemon"


class Client:
    """The daemon at `path` (default: see `socket_path`), as a `Verbs`. Holds nothing between calls; any thread.

    Each verb raises ControlError when no daemon answers in time or it refuses, in the daemon's words; ConfigError for a
    value it does not accept.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._path = socket_path(path)

    def plate(self, countdown: float) -> str:
        if not 0 <= countdown < math.inf:  # JSON has no word for nan
            raise ConfigError(f"a countdown of {countdown:g} seconds cannot be; try: camdaemon plate --countdown 5")
        return self._say("plate", {"countdown": countdown}, wait=countdown)

    def backdrop(self, spec: str) -> str:
        return self._say("backdrop", {"spec": spec})

    def next_backdrop(self) -> str:
        return self._say("backdrop/next")

    def previous_backdrop(self) -> str:
        return self._say("backdrop/previous")

    def scene(self, name: str) -> str:
        return self._say("scene", {"name": name})

    def mode(self, mode: str) -> str:
        return self._say("mode", {"mode": mode})

    def card(self, turn: Turn) -> str:
        return self._say("card", {"turn": turn})

    def pause(self, turn: Turn) -> str:
        return self._say("pause", {"turn": turn})

    def mirror(self, turn: Turn) -> str:
        return self._say("mirror", {"turn": turn})

    def adjust(self, edge: float | None, blur: float | None) -> str:
        return self._say("adjust", {"edge": edge, "blur": blur})

    def reload(self) -> str:
        return self._say("reload")

    def panel(self) -> str:
        return self._say("panel")

    def backdrops(self) -> list[BackdropFile]:
        return [BackdropFile(**file) for file in self._ask("backdrops", list)]

    def scenes(self) -> list[str]:
        return list(self._ask("scenes", list))

    def stop(self) -> str:
        return self._say("stop")

    def status(self) -> dict[str, object]:
        return dict(self._ask("status", dict))

    def events(self) -> Iterator[dict[str, object]]:
        """The status once a second; ends when the daemon stops."""
        with self._connection("events") as http, http.stream("GET", "/events") as response:
            if response.status_code != 200:
                response.read()
                _body(response, dict)
            kind = ""
            for line in response.iter_lines():
                field, _, value = line.partition(": ")
                if field == "event":
                    kind = value
                elif field == "data" and kind == "error":
                    raise ControlError(str(json.loads(value)["error"]))
                elif field == "data":
                    yield json.loads(value)

    def _ask(self, what: str, kind: type[T]) -> T:
        with self._connection(what) as http:
            return _body(http.get(f"/{what}"), kind)

    def _say(self, verb: str, asked: dict[str, object] | None = None, wait: float = 0.0) -> str:
        with self._connection(verb, wait) as http:
            return str(_body(http.post(f"/{verb}", json=asked), dict)["message"])

    @contextmanager
    def _connection(self, verb: str, wait: float = 0.0) -> Iterator[httpx.Client]:
        """A connection for one call; what goes wrong with it becomes a ControlError. `wait`: seconds more to allow."""
        self._knock()
        import httpx

        seconds = wait + _PATIENCE.get(verb, _OTHERWISE)
        # Nothing here is TLS, and verify=False saves loading the certificates; trust_env=False, because $HTTP_PROXY
        # would lead the command out of this machine.
        wire = httpx.HTTPTransport(uds=str(self._path), verify=False, trust_env=False)
        try:
            with httpx.Client(transport=wire, base_url="http://camdaemon", timeout=seconds, trust_env=False) as http:
                yield http
        except httpx.TimeoutException:
            raise ControlError(f"camdaemon did not answer '{verb}' in {seconds:g} s; {_LOG}") from None
        except httpx.TransportError:
            raise ControlError(f"camdaemon went away before it had answered '{verb}'; {_LOG}") from None

    def _knock(self) -> None:
        """Is anybody there? Without httpx: "no" comes at once, and httpcore 1.0 leaks the socket of a refusal."""
        try:
            with socket.socket(socket.AF_UNIX) as door:
                door.settimeout(_PATIENCE["status"])
                door.connect(str(self._path))
        except OSError as exc:
            why = exc.strerror or "it accepts no connection"
            raise ControlError(
                f"no camdaemon is running at {self._path} ({why}); start it with: camdaemon run"
            ) from None


def _body(response: httpx.Response, kind: type[T]) -> T:
    """The JSON value of an answer, which must be a `kind`; the daemon's error message as an exception."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if response.is_success and isinstance(body, kind):
        return body
    if not isinstance(body, dict) or response.is_success:
        raise ControlError(f"what answered is no camdaemon (HTTP {response.status_code}, not JSON); {_LOG}")
    message = str(body.get("error", f"camdaemon refused (HTTP {response.status_code}); {_LOG}"))
    raise ConfigError(message) if response.status_code == 422 else ControlError(message)
