"""What a base network on a CPU gives to the rest: the protocol that the published and the slim one follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import cv2
import numpy as np

from camdaemon.matting.bgmv2.cpu.parts import Span
from camdaemon.matting.bgmv2.cpu.tile_windows import ByteArray, Levels
from camdaemon.matting.bgmv2.cpu.tiles import CoarseWindows, TiledRefiner, Tiles
from camdaemon.matting.bgmv2.engines.engine import BaseEngine, Floats

_Picture = TypeVar("_Picture", bound=Levels)


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """The sizes that fix the shapes of all maps of a frame.

    Attributes:
        frame: Height and width of the frame, in pixels.
        base: Height and width of the base input, in pixels.
    """

    frame: tuple[int, int]
    base: tuple[int, int]


@dataclass(frozen=True, slots=True)
class CoarseFrame:
    """What the base network has found in a frame. It stays valid while the next one is computed.

    Attributes:
        visible: (h,w,5): alpha, residual, predicted error; unbounded.
        columns: From which to which column the network ran; what is beside them is room.
        bgr: The plate as the refiner is shown it, from `TiledRefiner.pad`; None without a refiner.
        find_windows: Returns what the refiner is shown of the coarse maps in some tiles.
    """

    visible: Floats
    columns: Span
    bgr: Levels | None
    find_windows: Callable[[Tiles], CoarseWindows]


class CpuBase(Protocol):
    """A base network for frames of one shape. Called by one thread at a time.

    Attributes:
        engine: What runs it.
        refiner: Of the same network; None without one.
        is_heavy: Whether it takes longer than all that follows; if not, `find_windows` must be called in the same
            thread, before the next frame.
        is_settled: Whether nothing is being built for it, which would slow frames down.
    """

    engine: BaseEngine
    refiner: TiledRefiner | None
    is_heavy: bool

    @property
    def is_settled(self) -> bool: ...  # noqa: D102

    def release(self) -> None:
        """Give back memory that its next frame allocates again: other networks run for now."""

    def __call__(self, rgb: ByteArray, plate: Levels, confidence: Floats | None) -> CoarseFrame:
        """Run the base network.

        Args:
            rgb: The picture, (H,W,3).
            plate: uint8 (1,3,H,W); for an exact network also float32, 0..255. What is prepared of it is kept for as
                long as it is the same array.
            confidence: See `Matting`.
        """


def downscale(rgb: _Picture, base: tuple[int, int]) -> _Picture:
    """Resize (H,W,3) bilinearly to the base input's height and width; bytes are rounded, floats are not."""
    found = cv2.resize(rgb, base[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(found, rgb.dtype)  # type: ignore[return-value]
