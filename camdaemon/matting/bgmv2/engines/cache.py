"""The fastest engine, as measured, cached from one start to the next: measuring takes most of a second."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import time
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from camdaemon.linux.files import read_regular, replace_atomically
from camdaemon.linux.folders import find_folder
from camdaemon.linux.processor import read_flags, read_processor
from camdaemon.linux.threads import count_compute_threads

log = logging.getLogger(__name__)

_MOST_BYTES = 1 << 20  # more is not of our making
_VALID_DAYS = 7  # then measured again: the machine may have been busy with something else at the time


def read_fastest(key: str) -> str | None:
    """Return the cached engine for `key`; None if there is none, or it is too old."""
    return _read().get(key, (None, 0.0))[0]


def write_fastest(key: str, engine: str) -> None:
    """Cache `engine` for `key`. A failure is logged: the next start measures again."""
    try:
        replace_atomically(cache_file(), json.dumps(_read() | {key: (engine, time.time())}, indent=1))
    except OSError as exc:
        log.info("fastest engine not cached: %s", exc)


def measurement_key(engines: Iterable[str], size: tuple[int, int], mark: str) -> str:
    """Return a key for what a measurement depends on.

    Args:
        engines: Names of the engines; their versions and this machine are part of the key.
        size: Height and width of the base input.
        mark: Of the network's weights.
    """
    parts = [platform.node(), read_processor().get("model name", ""), *sorted(read_flags())]
    parts.append(str(count_compute_threads()))
    for package in ("openvino", "torch"):
        with suppress(PackageNotFoundError):
            parts.append(f"{package} {version(package)}")
    return hashlib.sha256(repr((parts, sorted(engines), size, mark)).encode()).hexdigest()[:16]


def cache_file() -> Path:
    """Return the path of the cache."""
    return find_folder("cache") / "engine.json"


def _read() -> dict[str, tuple[str, float]]:
    """Return by key the engine and when it was measured (seconds since 1970), without entries that are too old."""
    try:
        found = json.loads(read_regular(cache_file(), _MOST_BYTES))
        entries = {str(key): (str(engine), float(at)) for key, (engine, at) in found.items()}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):  # no file, or other content
        return {}
    return {key: entry for key, entry in entries.items() if 0 <= time.time() - entry[1] < _VALID_DAYS * 86400}
