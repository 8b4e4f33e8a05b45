"""What is wrong in a configuration: a line for each mistake, with its place, what is expected, and the likely word."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from camdaemon.config.settings import describe, find_field, list_keys
from camdaemon.errors import did_you_mean

_LONGEST = 60  # characters of a wrong value that are repeated


def list_mistakes(errors: Iterable[Mapping[str, Any]], path: Path, overrides: Mapping[str, Any]) -> list[str]:
    """Say what is wrong, in the words of the settings and never in pydantic's.

    Args:
        errors: As pydantic's ValidationError.errors() lists them.
        path: The configuration file, which need not exist.
        overrides: The command line's values by setting; None means not given.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines() if path.is_file() else []
    except (OSError, UnicodeDecodeError):
        lines = []
    found = []
    for error in errors:
        keys = [str(part) for part in error["loc"]]
        typed = overrides.get(keys[0]) is not None
        line = 0 if typed else find_line(lines, keys)
        found.append((line, _say(error, keys) + (" (command line)" if typed else f" (line {line})" if line else "")))
    return [text for _, text in sorted(found, key=lambda each: each[0])]


def _say(error: Mapping[str, Any], keys: Sequence[str]) -> str:
    name = ".".join(keys)
    if error["type"] == "extra_forbidden":
        guess = did_you_mean(keys[-1], list_keys(keys[:-1]))
        return f"{name}: no such setting" + (f"; {guess}" if guess else "")
    cause = error.get("ctx", {}).get("error")
    if cause is not None and str(cause) != str(error["input"]):  # a sentence of ours
        why = str(cause)
        return f"{name}: {why}" if str(error["input"]) in why else f"{name} = {_shorten(error['input'])}: {why}"
    if "surrogate" in str(error["msg"]) or error["type"] == "string_unicode":
        return f"{name} = {_shorten(error['input'])}: its characters are no UTF-8"
    field = find_field([key for key in keys if not key.isdigit()])
    expected = describe(field) if field is not None else "something else"
    guess = did_you_mean(str(error["input"]), re.findall(r"[\w-]+", expected)) if "one of" in expected else ""
    return f"{name} = {_shorten(error['input'])}: expected {expected}" + (f"; {guess}" if guess else "")


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def find_line(lines: Sequence[str], keys: Sequence[str]) -> int:
    """Return the number, from 1, of the line that sets `keys`, or the nearest table that they stand in; 0 for none."""
    table: list[str] = []
    best, depth = 0, 0
    for number, line in enumerate(lines, 1):
        if header := re.match(r"\s*\[([^\[\]]+)\]\s*(#.*)?$", line):
            found = table = split_key(header[1])
        elif setting := re.match(r"""\s*((?:[\w.\s-]|"[^"]*"|'[^']*')+?)\s*=""", line):
            found = table + split_key(setting[1])
        else:
            continue
        if depth < len(found) <= len(keys) and found == list(keys[: len(found)]):
            best, depth = number, len(found)
    return best


def split_key(key: str) -> list[str]:
    """Split a dotted key, whose parts may be quoted; [] for what is no key."""
    try:
        inner: Any = tomllib.loads(f"{key} = 0")
    except ValueError:
        return []
    parts = []
    while isinstance(inner, dict):
        (part,) = inner
        parts.append(part)
        inner = inner[part]
    return parts
