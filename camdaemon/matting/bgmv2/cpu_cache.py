"""The `HostNetwork`s of one network, by shape. Another one is made beside the show, not in the middle of it.

Packing and compiling take up to a second, just when the governor finds the machine too slow: viewers would see the
picture stand still, or the card.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import torch

from camdaemon.linux.threads import start_low_priority
from camdaemon.matting.bgmv2.cpu import HostNetwork, Shape

log = logging.getLogger(__name__)


class Hosts:
    """The worker thread's. make: makes one, in whichever thread; it raises RuntimeError or ValueError."""

    def __init__(self, make: Callable[[Shape], HostNetwork]) -> None:
        self._make = make
        self._made: dict[Shape, HostNetwork] = {}
        self._begun: dict[Shape, Future[HostNetwork]] = {}
        self.last: HostNetwork | None = None  # the one that was asked for last

    @property
    def settled(self) -> bool:
        """Whether the one that was asked for is the one that was given, and nothing is being made."""
        return not self._begun

    def at(self, shape: Shape) -> HostNetwork:
        """For frames of `shape`; while it is being made, the last one if its frames are as large.

        Waits only where there is none for such frames. Raises what `make` does then; later failures keep the last one.
        """
        self._collect()
        if shape not in self._made:
            if self.last is None or self.last.shape.frame != shape.frame:
                self._made[shape] = self._new(shape)
            elif shape not in self._begun:
                self._begun[shape] = start_low_priority(partial(self._new, shape), "engine")
        self.last = self._made.get(shape, self.last)
        assert self.last is not None
        return self.last

    def _new(self, shape: Shape) -> HostNetwork:
        with torch.inference_mode():  # it holds for one thread
            return self._make(shape)

    def _collect(self) -> None:
        """Take over what is made by now."""
        for shape in [shape for shape, future in self._begun.items() if future.done()]:
            future = self._begun.pop(shape)
            if (wrong := future.exception()) is None:
                self._made[shape] = future.result()
            elif self.last is not None:
                log.warning("the network cannot be made for %s and goes on as it was: %s", shape, wrong)
                self._made[shape] = self.last
