"""Backdrops made before they are wanted, so that the next one shows within a frame of the key press."""

from __future__ import annotations

import threading
from pathlib import Path

from camdaemon.backdrop import Backdrop, make_backdrop
from camdaemon.errors import CamdaemonError
from camdaemon.frame import Size


class Ready:
    """Makes backdrops of `size`, pictures also ahead of time. Any thread."""

    def __init__(self, size: Size) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._expected: set[str] = set()
        self._kept: dict[str, tuple[int, Backdrop]] = {}  # by spec, all expected; the file's time of change

    def take(self, spec: str) -> Backdrop:
        """The backdrop of `spec`, which is the caller's from now on. Raises ConfigError."""
        with self._lock:
            self._expected.discard(spec)  # if it is being made right now, it comes too late
            kept = self._kept.pop(spec, None)
        if kept is not None and kept[0] == _changed(spec):
            return kept[1]
        return make_backdrop(spec, self._size)

    def expect(self, specs: list[str]) -> None:
        """Have the pictures in the files `specs` made in the background, and forget all others."""
        with self._lock:
            self._kept = {spec: kept for spec, kept in self._kept.items() if spec in specs}
            missing = [spec for spec in specs if spec not in self._expected]
            self._expected = set(specs)
        if missing:
            threading.Thread(target=self._make, args=(missing,), name="prepare", daemon=True).start()

    def _make(self, specs: list[str]) -> None:
        for spec in specs:
            if not self._is_expected(spec):
                continue
            changed = _changed(spec)
            try:
                made = make_backdrop(spec, self._size)
            except CamdaemonError:
                continue  # whoever asks for it gets the error
            with self._lock:
                if spec in self._expected:
                    self._kept[spec] = (changed, made)

    def _is_expected(self, spec: str) -> bool:
        with self._lock:
            return spec in self._expected


def _changed(spec: str) -> int:
    try:
        return Path(spec).stat().st_mtime_ns
    except OSError:
        return -1
