"""Changing the configuration file: one key at a time, comments and order kept; and the first file, all of comments."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from camdaemon.config.mistakes import split_key
from camdaemon.config.schema import Config, load
from camdaemon.config.settings import NAME, describe, find_field, list_settings
from camdaemon.errors import ConfigError, did_you_mean
from camdaemon.linux.files import prepare_replacement

_HEAD = """# The configuration of camdaemon: every setting with its default. To change one, remove the # before it.
# Or have it written here: camdaemon config set KEY VALUE
# To check this file: camdaemon config --check. To have a running daemon read it: camdaemon reload
"""
_SCENE = """
# A scene is a preset, for: camdaemon scene meeting. What it does not name is as above.
#[scenes.meeting]
#backdrop = "blur:30"
#mirror = true
"""
_SWITCHES = {
    "true": True,
    "on": True,
    "yes": True,
    "false": False,
    "off": False,
    "no": False,
}  # for what is true or false in the file


def parse_key(text: str) -> tuple[str, ...]:
    """Split a key such as plate_taking.still_s or scenes."two words".blur.

    Raises:
        ConfigError: There is no such setting; with the likely one.
    """
    keys = split_key(text)
    if keys and find_field(keys) is not None:
        return tuple(keys)
    known = [row.key for row in list_settings()]
    guess = did_you_mean(text, known) or did_you_mean((keys or [text])[-1], [key.rpartition(".")[2] for key in known])
    raise ConfigError(f"{text!r} is no setting{f'; {guess}' if guess else '.'} Run: camdaemon config list")


def set_value(path: Path, key: str, text: str | None, check: Callable[[str, Config], None] = lambda *_: None) -> Any:
    """Write `key` into the configuration file, or take it out; nothing is written if the result would be wrong.

    Args:
        path: The file, which need not exist. A link is followed.
        key: The setting, see `parse_key`.
        text: Its value, as TOML; text needs no quotes. None: as if it had never been set.
        check: Called with the key and the configuration that it would make; raises ConfigError to refuse it.

    Returns:
        The value that is written; None if there is none any more.

    Raises:
        ConfigError: The key or the value is wrong, or the file cannot be read or written.
    """
    keys = parse_key(key)
    value = None if text is None else _parse_value(keys, text)
    path = Path(os.path.realpath(path))
    changed = _change(_read_text(path), keys, value)
    try:
        with prepare_replacement(path) as draft:
            draft.write_text(changed, "utf-8")
            check(key, _load(draft, key))
    except OSError as exc:
        raise ConfigError(f"cannot write {path}: {exc.strerror}. Run: ls -ld {path.parent}") from None
    return value


def _read_text(path: Path) -> str:
    if not os.path.lexists(path):
        return ""
    load(path, {})  # says in our words what is wrong before anything is added
    return path.read_text("utf-8-sig")


def _change(text: str, keys: Sequence[str], value: Any) -> str:
    """Return `text` with `keys` set to `value`, or without them if that is None."""
    import tomlkit  # of no use to what only reads

    document = tomlkit.parse(text)
    table: Any = document
    for name in keys[:-1]:
        if not isinstance(table.get(name), dict):
            if value is None:
                return text
            table[name] = {}
        table = table[name]
    is_new = keys[-1] not in table
    if value is not None:
        table[keys[-1]] = value
    elif not is_new:
        del table[keys[-1]]
    placed = _place(text, keys, value) if is_new and value is not None else None
    return placed if placed is not None and tomlkit.parse(placed) == document else document.as_string()


def _place(text: str, keys: Sequence[str], value: Any) -> str | None:
    """Insert a new key below the comment that names it, or its table's last one, and so above the next one's comments.

    tomlkit inserts it in front of the next table, below that one's comments.

    Returns:
        The text, which is only a proposal; None where the table has no line of its own.
    """
    import tomlkit

    lines = text.splitlines(keepends=True)
    headers = {n: split_key(line.strip()[1:-1]) for n, line in enumerate(lines) if line.strip().startswith("[")}
    first = 0 if len(keys) == 1 else next((n + 1 for n, table in headers.items() if table == list(keys[:-1])), None)
    if first is None:
        return None
    end = next((n for n in headers if n >= first), len(lines))
    named = [n for n in range(first, end) if re.match(rf"#\s*{re.escape(keys[-1])}\s*=", lines[n])]
    written = [n for n in range(first, end) if re.match(r"\s*[^#\s]", lines[n])]
    at = (named or written or [first - 1])[-1] + 1
    return "".join([*lines[:at], tomlkit.dumps({keys[-1]: value}), *lines[at:]])


def _load(draft: Path, key: str) -> Config:
    try:
        return load(draft, {})
    except ConfigError as exc:
        mistakes = [re.sub(r" \(line \d+\)$", "", line.strip()) for line in str(exc).splitlines()[1:-1]]
        raise ConfigError(f"{key} stays as it is: {'; '.join(mistakes)}. Run: camdaemon config list") from None


def _parse_value(keys: Sequence[str], text: str) -> Any:
    """Read `text` as what the setting `keys` may be: TOML, or the text itself."""
    field = find_field(keys)
    expected = describe(field) if field is not None else ""
    is_text = expected.startswith(("text", "one of", "WIDTHx")) or (keys[0] == "hotkeys" and len(keys) > 1)
    if is_text and text[:1] not in ('"', "'"):
        return text
    if expected == "true or false":
        return _SWITCHES.get(text.lower(), text)
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        return text


def write_first_file(path: Path) -> None:
    """Write a configuration with every setting in a comment, which means the same as none.

    Raises:
        ConfigError: There is one already, or it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(make_first_file())
    except FileExistsError:
        raise ConfigError(f"{path} is there already and stays as it is. Run: camdaemon config") from None
    except OSError as exc:
        raise ConfigError(f"cannot write {path}: {exc.strerror}. Run: ls -ld {path.parent}") from None


def make_first_file() -> str:
    """Make the text of `write_first_file`."""
    lines, table = [_HEAD], ""
    for row in list_settings():
        if f".{NAME}." in row.key:
            continue
        parent, _, name = row.key.rpartition(".")
        if parent != table:
            lines.append(f"\n[{parent}]")
            table = parent
        lines.append(f"# {row.help} ({row.allowed})\n#{name} = {row.default or row.example}\n")
    return "\n".join(lines) + _SCENE
