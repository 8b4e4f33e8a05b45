"""How the person and the backdrop are shown, as plain values, and what they mean in numbers.

Apart from the arithmetic: the command line and the configuration's checks load neither numpy nor torch.
"""

from __future__ import annotations

from dataclasses import dataclass

NOISE = 0.02  # alpha below this is noise of the network; shown, it would be a faint print of the room
_MAX_EDGE = 1 / 240  # of the height: how far the edge moves inwards at its tightest, 3 pixels of 720


@dataclass(frozen=True, slots=True)
class Crop:
    """The part of the camera's picture that fills the frame, in fractions of its width and height, 0..1."""

    left: float = 0.0
    top: float = 0.0
    width: float = 1.0
    height: float = 1.0

    def box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return (x, y, w, h) in pixels of a picture of width × height: inside of it, at least one pixel."""
        x, y = min(width - 1, round(self.left * width)), min(height - 1, round(self.top * height))
        w, h = max(1, round(self.width * width)), max(1, round(self.height * height))
        return x, y, min(w, width - x), min(h, height - y)


@dataclass(frozen=True, slots=True)
class Appearance:
    """How the person and the backdrop are shown."""

    edge: float = 0.0  # of the matte: -1 (wider) to 1 (tighter)
    blur: float = 0.0  # of the backdrop: sigma in pixels; 0: none
    mirror: bool = False  # the person, and a backdrop made of the room; not the writing of a backdrop
    crop: Crop | None = None  # None: the whole picture


def limits_of(edge: float) -> tuple[float, float]:
    """Return the alpha up to which it becomes 0, and from which on it becomes 1, for an `Appearance.edge`."""
    return NOISE + 0.3 * max(edge, 0.0), 1 - NOISE - 0.6 * max(-edge, 0.0)


def reach_of(edge: float, height: int) -> int:
    """Return how far a contour moves inwards, in pixels of a frame of `height`."""
    return max(1, round(edge * _MAX_EDGE * height))
