"""Mattings: how the person is told from the room. `make_matting` chooses one; a new kind is a file and a case here."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, device

from camdaemon.config.schema import Config
from camdaemon.frames.composite import Matte
from camdaemon.frames.frame import Size
from camdaemon.matting.effort import Effort

__all__ = ["Matte", "Matting", "make_matting"]


class Matting(Protocol):
    """Computes mattes. Made by the daemon; after that touched by the worker thread alone (law 3)."""

    name: str
    effort: Effort  # how carefully to work on the next frame; the worker may set it

    @property
    def settled(self) -> bool:
        """Whether `effort` is in force as a whole; until then frames cost other than they will."""

    def warm_up(self, size: Size) -> None:
        """Do the slow first run for frames of `size`. Raises MattingError."""

    def __call__(self, src: Tensor, plate: Tensor, seq: int) -> Matte:
        """Matte of `src` against `plate`, both (1,3,H,W), RGB, same `levels` and device; neither is changed.

        Raises MattingError when it cannot (out of memory included). The result is of this frame, never of another.
        """


def make_matting(config: Config, on: device) -> Matting:
    """The matting that `config.matting` names, on device `on`. Raises ConfigError (weights that do not load)."""
    match config.matting:
        case "bgmv2":
            from camdaemon.matting.bgmv2.matting import BackgroundMatting

            return BackgroundMatting(config.weights, config.refine, on, config.engine, config.precision)
        case "difference":
            from camdaemon.matting.difference import DifferenceMatting

            return DifferenceMatting()
