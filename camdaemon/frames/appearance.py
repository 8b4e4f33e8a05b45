"""How the person and the backdrop are shown, as plain values. Apart from the arithmetic, which needs torch.

The command line and the configuration's checks load this without the seconds that torch takes.
"""

from __future__ import annotations

from dataclasses import dataclass


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
