"""What is known of the networks without loading torch: sizes, channels, and which patches are refined."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

SIDE = 4  # pixels of the frame along a patch (Lin et al. 2021 §3.3)
VISIBLE = 5  # maps of a base network that are of use by themselves: alpha, foreground residual, error
KNOWN = 0.02  # confidence above which a network that doubts is shown the plate
UNKNOWN_COLOR = 0.5  # 0..1: the plate, where nothing is known of it
HIDDEN, SLIM_HIDDEN = 32, 12  # features for the refiner: of the published network, and of the slim one
_CELL = 16  # pixels of the base input along one pixel of the encoder's last map


@dataclass(frozen=True, slots=True)
class NetworkLayout:
    """What tells one network from another for those who only run it.

    Attributes:
        doubts: Whether it is the slim network, which is told how far to trust the plate; else it is the published one.
        kernel: Of the refiner's convolutions; None: it has no refiner.
    """

    doubts: bool
    kernel: Literal[1, 3] | None

    @property
    def inputs(self) -> int:
        """Channels of the base input: picture, plate, and for a network that doubts the plate's confidence."""
        return 7 if self.doubts else 6


@dataclass(frozen=True, slots=True)
class Selection:
    """Which patches to refine.

    Attributes:
        mode: "sampling": the pixels/16 patches of each frame with the highest predicted error, except those whose
            error is 0. "thresholding": patches whose predicted error is above `threshold`. "full": all.
        pixels: Pixels of the frame to refine, for "sampling".
        threshold: Predicted error, 0..1, for "thresholding".
    """

    mode: Literal["sampling", "thresholding", "full"] = "sampling"
    pixels: int = 80_000
    threshold: float = 0.1


def base_size(height: int, width: int, scale: float) -> tuple[int, int]:
    """Return height and width of the base network's input: floor(side · scale), at least 1."""
    # 1080 · (180 / 1080) may come out just below 180.
    return max(1, math.floor(height * scale + 1e-6)), max(1, math.floor(width * scale + 1e-6))


def base_size_for_lines(height: int, width: int, lines: int) -> tuple[int, int]:
    """Return height and width of a base input whose shorter side is about `lines` pixels.

    1280x720 with 176 lines gives (176, 320). The input is never larger than the frame, except by rounding: sides are
    whole cells of the encoder. Half a cell shifts the maps that the decoder concatenates, and a base input of 426x240
    has twice the error of 432x240.
    """
    scale = min(1.0, lines / min(height, width))
    return round_to_cells(height * scale), round_to_cells(width * scale)


def round_to_cells(side: float) -> int:
    """Return the multiple of the encoder's cells nearest to `side` pixels, at least one cell."""
    return max(1, round(side / _CELL)) * _CELL
