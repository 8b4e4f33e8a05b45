"""Which engine proved fastest, kept in the cache from one start to the next: measuring takes most of a second."""

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

import platformdirs
import torch

from camdaemon.linux.files import replace_atomically

log = logging.getLogger(__name__)

_DAYS = 7  # then it is measured again, since whatever else ran at the time was measured, too


def fastest(mark: str) -> str | None:
    """The engine that was remembered for `mark` within the last days; None when none was."""
    return _kept().get(mark, (None, 0.0))[0]


def remember(mark: str, engine: str) -> None:
    """Keep `engine` for `mark`, beside others; where it cannot be kept, the next start measures again."""
    try:
        replace_atomically(_file(), json.dumps(_kept() | {mark: (engine, time.time())}, indent=1))
    except OSError as exc:
        log.info("which engine is fastest is not kept: %s", exc)


def mark_of(engines: Iterable[str], size: tuple[int, int], parameters: int) -> str:
    """What a measurement holds for: these engines in their versions, this machine, size (height, width) and network."""
    parts = [platform.node(), torch.backends.cpu.get_cpu_capability(), str(torch.get_num_threads()), torch.__version__]
    with suppress(PackageNotFoundError):
        parts.append(version("openvino"))
    return hashlib.sha256(repr((parts, sorted(engines), size, parameters)).encode()).hexdigest()[:16]


def _kept() -> dict[str, tuple[str, float]]:
    """By mark, the engine and when it was measured (seconds since 1970), of the last days."""
    try:
        found = json.loads(_file().read_text("utf-8"))
        kept = {str(mark): (str(engine), float(at)) for mark, (engine, at) in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):  # there is none, or somebody wrote something else there
        return {}
    return {mark: each for mark, each in kept.items() if 0 <= time.time() - each[1] < _DAYS * 86400}


def _file() -> Path:
    return platformdirs.user_cache_path("camdaemon") / "engine.json"
