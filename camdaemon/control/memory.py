"""What was chosen live, kept over restarts in a small private file, which a thread of its own writes."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from camdaemon.config.choices import UNKNOWN, Choice, Choices, Look
from camdaemon.config.mistakes import split_key
from camdaemon.config.schema import Config
from camdaemon.errors import ConfigError
from camdaemon.linux.files import read_regular, replace_atomically
from camdaemon.linux.folders import find_folder

log = logging.getLogger(__name__)

_VERSION = 1
_MOST_BYTES = 1 << 16
_PAUSE_S = 0.2  # between two writes: a slider that is dragged asks for thirty a second


def state_file() -> Path:
    """Return where the choices are kept, for every daemon of this user. ConfigError: there is no home folder."""
    return find_folder("state") / "chosen.json"


class Memory:
    """Keeps what was chosen. `recall` and `started` are for the daemon's main thread, `keep` and `forgotten` for any.

    A file that cannot be read or written is one line in the log, and the daemon goes on.
    """

    def __init__(self, path: Path, typed: frozenset[str] = frozenset(), *, fresh: bool = False) -> None:
        """Prepare; reads and writes nothing.

        Args:
            path: The file, which need not exist.
            typed: Settings that the command line names.
            fresh: Whether to forget what was chosen before. A card that was on stays on: it is taken off by hand.
        """
        self._path, self._typed, self._fresh = path, typed, fresh
        self._changed = threading.Condition()  # guards what follows
        self._latest: Choices | None = None  # still to be written
        self._written = Choices()  # what the file holds, unless somebody else has changed it
        self._ending = False
        self._has_failed = False  # of the writing thread alone

    def recall(self, config: Config) -> Choices:
        """Return what holds of the choices before, now that the configuration is `config`."""
        saved = self._written = self._read()
        if self._fresh:
            saved = Choices(card=saved.card)
            self.keep(saved)
        if saved.scene is not None and saved.scene not in config.scenes:
            log.warning("scene %s: not shown again, because the configuration has none of that name", saved.scene)
        return Choices(saved.scene, saved.values, saved.card, self._typed).follow(config)

    def keep(self, choices: Choices) -> None:
        """Have `choices` written, within a moment; returns at once."""
        with self._changed:
            self._latest = choices
            self._changed.notify()

    def forgotten(self) -> set[str]:
        """Return the settings that `camdaemon config set` has taken out of the file since they were kept."""
        with self._changed:
            written = self._written
        try:
            return set(written.values) - set(decode(read_regular(self._path, _MOST_BYTES)).values)
        except (OSError, ValueError):
            return set()

    @contextmanager
    def started(self) -> Iterator[None]:
        """Write what is to be kept, and at the end what is left of it."""
        thread = threading.Thread(target=self._work, name="memory", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._ending = True
                self._changed.notify()
            thread.join(2.0)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._latest is not None or self._ending)
                latest, self._latest = self._latest, None
                if latest is None:
                    return
            self._write(latest)
            with self._changed:
                self._changed.wait_for(lambda: self._ending, _PAUSE_S)

    def _write(self, choices: Choices) -> None:
        try:
            replace_atomically(self._path, encode(choices), mode=0o600)
            with self._changed:
                self._written = choices
            self._has_failed = False
        except OSError as exc:
            if not self._has_failed:
                log.warning("what you choose is not kept: cannot write %s: %s", self._path, exc.strerror)
            self._has_failed = True

    def _read(self) -> Choices:
        content = b""
        try:
            content = read_regular(self._path, _MOST_BYTES)
            return decode(content)
        except FileNotFoundError:
            return Choices()
        except (OSError, ValueError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else str(exc)
            log.warning("what was chosen before is lost: cannot read %s: %s", self._path, why)
            return Choices(card=_has_card(content))


def encode(choices: Choices) -> str:
    """Write choices as JSON; what belongs to one run stays out."""
    values = {
        name: {"value": choice.value} | ({} if choice.over is UNKNOWN else {"over": choice.over})
        for name, choice in choices.values.items()
    }
    whole = {"version": _VERSION, "card": choices.card, "scene": choices.scene, "values": values}
    return json.dumps(whole, indent=1) + "\n"


def decode(content: bytes) -> Choices:
    """Read what `encode` wrote. Raises ValueError, which says why, if it is anything else."""
    try:
        whole = json.loads(content)
        version = whole["version"]
        if version != _VERSION:
            raise ValueError(f"it is of version {version!r}, not {_VERSION}")
        values = {name: _read_choice(name, choice) for name, choice in whole["values"].items()}
        scene, card = whole["scene"], whole["card"]
    except (TypeError, KeyError, AttributeError, RecursionError, json.JSONDecodeError, UnicodeDecodeError):
        raise ValueError("it is damaged") from None
    if not isinstance(card, bool) or not isinstance(scene, str | None):
        raise ValueError("it is damaged")
    return Choices(scene, values, card)


def _has_card(content: bytes) -> bool:
    """Whether the card was on, in a file of which nothing else can be read: such as that of another version."""
    try:
        return json.loads(content)["card"] is True
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _read_choice(name: str, choice: Any) -> Choice:
    if name not in Look._fields:
        raise KeyError(name)
    try:
        Config.model_validate({name: choice["value"]}, strict=name != "crop")
    except ValidationError:
        raise KeyError(name) from None
    return Choice(choice["value"], choice.get("over", UNKNOWN))


def forget(key: str) -> None:
    """Take what was chosen for the setting `key` out of the file, because it is set in the configuration now."""
    first, *inner = split_key(key)
    try:
        path = state_file()
        saved = decode(read_regular(path, _MOST_BYTES))
        name = inner[1] if first == "scenes" and inner[0] == saved.scene else first
        if name in saved.values:
            kept = {other: choice for other, choice in saved.values.items() if other != name}
            replace_atomically(path, encode(Choices(saved.scene, kept, saved.card)), mode=0o600)
    except (OSError, ValueError, IndexError, ConfigError):
        pass  # nothing that is kept can stand against the configuration
