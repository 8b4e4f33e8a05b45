"""Engines for parts of the base input's width, each built in the background when it would first have been of use."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial

from camdaemon.linux.heap import release_free_memory
from camdaemon.linux.threads import start_low_priority
from camdaemon.matting.bgmv2.cpu.parts import Span
from camdaemon.matting.bgmv2.cpu.room import fit_width
from camdaemon.matting.bgmv2.engines.engine import BaseEngine, BaseSize
from camdaemon.model.layout import round_to_cells

log = logging.getLogger(__name__)

_SHARES = (0.6,)  # of the whole width: 192 of 320 pixels; each further engine takes some twenty megabytes


class EngineWidths:
    """The engines for one base input, by width. Called by one thread at a time.

    Args:
        build: Builds an engine for a size, in a low-priority thread. May raise RuntimeError.
        base: Height and width of the base input.
        whole: The engine for all of it.
        narrows: Whether there are others: a device that takes long to compile for is better off without.
        waits: Whether `find` waits for an engine that it starts to build, so that every run gives the same mattes.
    """

    def __init__(
        self,
        build: Callable[[BaseSize], BaseEngine],
        base: BaseSize,
        whole: BaseEngine,
        *,
        narrows: bool,
        waits: bool = False,
    ) -> None:
        self._build, self._height, self._waits = build, base[0], waits
        self._engines = {base[1]: whole}
        self._wanted = {round_to_cells(share * base[1]) for share in _SHARES if narrows} | {base[1]}
        self._started: tuple[int, Future[BaseEngine]] | None = None

    @property
    def is_building(self) -> bool:
        """Whether an engine is being built, at the expense of the frames. Any thread."""
        return self._started is not None

    def find(self, columns: Span) -> tuple[Span, BaseEngine]:
        """Return the columns to run for `columns`, which are not empty, and the engine for them.

        Where the narrowest one is not there yet, it is a wider one, and that one is built.
        """
        self._collect_finished()
        best, found = (fit_width(columns, list(widths)) for widths in (self._wanted, self._engines))
        if best != found and self._started is None:
            width = best[1] - best[0]
            self._started = width, start_low_priority(partial(self._build_narrow, width), "engine")
            if self._waits:
                wait([self._started[1]])
                self._collect_finished()
                found = fit_width(columns, list(self._engines))
        return found, self._engines[found[1] - found[0]]

    def _build_narrow(self, width: int) -> BaseEngine:
        made = self._build((self._height, width))
        release_free_memory()
        return made

    def _collect_finished(self) -> None:
        if self._started is None or not self._started[1].done():
            return
        (width, future), self._started = self._started, None
        if (exc := future.exception()) is None:
            self._engines[width] = future.result()
        else:
            log.warning("no engine for %d columns: %s", width, exc)
            self._wanted.discard(width)
