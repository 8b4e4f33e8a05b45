"""The word for how a person is shown: framing and edge, apart from what is behind them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Crop:
    """The part of the camera's picture that fills the frame, in shares of its width and height, all 0..1."""

    left: float = 0.0
    top: float = 0.0
    width: float = 1.0
    height: float = 1.0

    def box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """(x, y, w, h) in pixels of a picture of width × height, at least one pixel, inside it."""
        x, y = min(width - 1, round(self.left * width)), min(height - 1, round(self.top * height))
        w, h = max(1, round(self.width * width)), max(1, round(self.height * height))
        return x, y, min(w, width - x), min(h, height - y)


@dataclass(frozen=True, slots=True)
class Style:
    """edge: −1 (wider) to 1 (tighter) matte.   blur: of the backdrop, sigma in pixels, 0: none.

    mirror: the person (and a backdrop made of the room), not the backdrop's writing.   crop: None is the whole picture.
    """

    edge: float = 0.0
    blur: float = 0.0
    mirror: bool = False
    crop: Crop | None = None
