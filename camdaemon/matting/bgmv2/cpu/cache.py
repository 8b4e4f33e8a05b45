"""A cache of `CpuNetwork`s by shape. A network for another shape is built in the background, never in the frame loop.

Packing and compiling take up to a second, just when the governor finds the machine too slow: viewers would see the
picture stand still, or the card.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from camdaemon.linux.heap import release_free_memory
from camdaemon.linux.threads import start_low_priority
from camdaemon.matting.bgmv2.cpu.base import NetworkShape
from camdaemon.matting.bgmv2.cpu.network import CpuNetwork

log = logging.getLogger(__name__)

_MOST = 2  # networks: the governor mostly goes back and forth between two, and each takes some forty megabytes


class CpuNetworkCache:
    """The networks that ran last, by shape. Used by the worker thread only.

    Args:
        build: Builds a network, in the worker thread or in a low-priority thread. May raise RuntimeError or ValueError.

    Attributes:
        current: The network that was returned last; None before the first.
    """

    def __init__(self, build: Callable[[NetworkShape], CpuNetwork]) -> None:
        self._build = build
        self._networks: dict[NetworkShape, CpuNetwork] = {}
        self._builds: dict[NetworkShape, Future[CpuNetwork]] = {}  # in progress
        self._failed: set[NetworkShape] = set()  # in the background: not tried again
        self.current: CpuNetwork | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing is being built, so that the network in use is the one that was asked for last."""
        return not self._builds

    def get_or_build_async(self, shape: NetworkShape) -> CpuNetwork:
        """Return the network for `shape`, or start building it and return the one in use until it is ready.

        A network of another shape is returned only if its frames have the same size. Where there is none, this call
        builds the network itself and waits.

        Raises:
            RuntimeError, ValueError: As `build` does, when this call builds. A failure in the background is logged, and
                the network in use stays.
        """
        self._collect_finished()
        if shape not in self._networks:
            if self.current is None or self.current.shape.frame != shape.frame:
                self._networks[shape] = self._build_in_this_thread(shape)
            elif shape not in self._builds and shape not in self._failed:
                self._builds[shape] = start_low_priority(partial(self._build_in_this_thread, shape), "engine")
        before, self.current = self.current, self._networks.pop(shape, self.current)
        assert self.current is not None
        self._networks[self.current.shape] = self.current  # the last one, now
        if before is not None and before is not self.current:
            before.release()
        self._forget_oldest()
        return self.current

    def _forget_oldest(self) -> None:
        if len(self._networks) > _MOST:
            del self._networks[next(iter(self._networks))]
            release_free_memory()

    def _build_in_this_thread(self, shape: NetworkShape) -> CpuNetwork:
        made = self._build(shape)
        release_free_memory()
        return made

    def _collect_finished(self) -> None:
        for shape in [shape for shape, future in self._builds.items() if future.done()]:
            future = self._builds.pop(shape)
            if (exc := future.exception()) is None:
                self._networks[shape] = future.result()
            else:
                log.warning("building the network failed for %s, keeping the previous one: %s", shape, exc)
                self._failed.add(shape)
