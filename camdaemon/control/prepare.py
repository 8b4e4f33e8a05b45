"""Backdrops made before they are wanted, so that the next one shows within a frame of the key press."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from pathlib import Path

from camdaemon.backdrop import Backdrop, make_backdrop
from camdaemon.control.backdrops import Gallery
from camdaemon.control.verbs import BackdropFile
from camdaemon.errors import CamdaemonError, ConfigError
from camdaemon.frames.frame import Size
from camdaemon.linux.threads import lower_priority, run_low_priority

log = logging.getLogger(__name__)


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
        return run_low_priority(lambda: make_backdrop(spec, self._size), "asked")

    def expect(self, specs: list[str]) -> None:
        """Have the pictures in the files `specs` made in the background, and forget all others."""
        with self._lock:
            self._kept = {spec: kept for spec, kept in self._kept.items() if spec in specs}
            missing = [spec for spec in specs if spec not in self._expected]
            self._expected = set(specs)
        if missing:
            threading.Thread(target=self._make, args=(missing,), name="prepare", daemon=True).start()

    def neighbour(self, gallery: Gallery, spec: str, step: int) -> tuple[BackdropFile, Backdrop]:
        """The nearest file from `spec` in that direction that can be shown, prepared. Raises ConfigError for none.

        A broken one must not bar the way.
        """
        first = file = gallery.neighbour(spec, step)
        while True:
            try:
                return file, self.take(file.spec)
            except ConfigError as exc:
                log.warning("left out: %s", exc)
                file = gallery.neighbour(file.spec, step)
                if file == first:
                    raise

    def expect_neighbours(self, gallery: Gallery, spec: str) -> None:
        """`expect` the pictures before and after `spec`."""
        with suppress(ConfigError):
            near = [gallery.neighbour(spec, step) for step in (1, -1)]
            self.expect([file.spec for file in near if file.kind == "image" and file.spec != spec])

    def _make(self, specs: list[str]) -> None:
        lower_priority()
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
