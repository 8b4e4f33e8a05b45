"""How a stored picture is turned and mirrored to stand upright: the display matrix of videos, EXIF's orientation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

_Pixels = TypeVar("_Pixels", bound=NDArray[Any])


class Turn(NamedTuple):
    """One of the eight ways to lay a picture: transposed first, then mirrored.

    Attributes:
        transposed: Whether rows become columns.
        mirrored: Whether left and right change places, afterwards.
        flipped: Whether top and bottom change places, afterwards.
    """

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    @classmethod
    def from_matrix(cls, matrix: Sequence[int]) -> Turn:
        """Return the turn of a display matrix of MP4 and FFmpeg: 9 integers; the first two columns of two rows count.

        An angle between the right ones is rounded to the next, as players do.
        """
        a, b, _, c, d = matrix[:5]
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

    @classmethod
    def from_exif(cls, orientation: int) -> Turn:
        """Return the turn of EXIF's tag 274, 1 to 8; none for any other number."""
        return _EXIF.get(orientation, UPRIGHT)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height after the turn. The other way round it is the same."""
        return (height, width) if self.transposed else (width, height)

    def apply(self, pixels: _Pixels) -> _Pixels:
        """Return `pixels` (H,W) or (H,W,C) upright, in memory of its own; `pixels` itself if nothing is to do."""
        found: Any = cv2.transpose(pixels) if self.transposed else pixels
        if self.mirrored or self.flipped:
            found = cv2.flip(found, -1 if self.mirrored and self.flipped else 1 if self.mirrored else 0)
        return found if found is pixels else np.asarray(found, pixels.dtype)  # type: ignore[return-value]


UPRIGHT = Turn()
_EXIF = {
    2: Turn(mirrored=True),
    3: Turn(mirrored=True, flipped=True),
    4: Turn(flipped=True),
    5: Turn(transposed=True),
    6: Turn(transposed=True, mirrored=True),
    7: Turn(transposed=True, mirrored=True, flipped=True),
    8: Turn(transposed=True, flipped=True),
}
