"""Resizing parts of a map bilinearly, to the same values as the whole map has there.

A part begins and ends where a pixel of both sizes does, and is larger than what is asked for by what its own border
changes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from camdaemon.matting.bgmv2.cpu.tile_windows import IntArray
from camdaemon.matting.bgmv2.engines.engine import Floats

Span = tuple[int, int]  # from the first pixel to the one behind the last


class Part(NamedTuple):
    """A rectangle of a map, in both of its sizes.

    Attributes:
        small: Rows and columns of the map as it is.
        large: Rows and columns of the resized map.
    """

    small: tuple[slice, slice]
    large: tuple[slice, slice]


class PartialResize(NamedTuple):
    """Resizes parts of maps of one size to another one.

    Attributes:
        small: Height and width of the maps.
        large: Height and width of the resized maps.
    """

    small: tuple[int, int]
    large: tuple[int, int]

    def find_part(self, rows: Span, columns: Span) -> Part:
        """Return a part that is exact in `rows` and `columns` of the resized map."""
        sides = zip((rows, columns), self.small, self.large, strict=True)
        (top, tall), (left, wide) = (_align(span, small, large) for span, small, large in sides)
        return Part((top, left), (tall, wide))

    def resize(self, values: IntArray | Floats, part: Part, out: IntArray | Floats) -> None:
        """Resize the `part` of `values` (h,w) or (h,w,C) into that of `out` (H,W) or (H,W,C), of the same dtype."""
        place = out[part.large]
        if place.size:
            cv2.resize(values[part.small], place.shape[1::-1], dst=place, interpolation=cv2.INTER_LINEAR)


def _align(span: Span, small: int, large: int) -> tuple[slice, slice]:
    """Return the pixels of both sizes along one side; see `PartialResize.find_part`."""
    parts = math.gcd(small, large)
    reach = math.ceil(large / small / 2) + 1  # nearer to a part's border, a pixel would need what lies beyond
    step = large // parts
    first = max(0, (span[0] - reach) // step)
    end = min(parts, -(-(span[1] + reach) // step))
    return slice(first * (small // parts), end * (small // parts)), slice(first * step, end * step)


def find_span(mask: NDArray[np.bool_]) -> Span:
    """Return from which to which element of `mask` (n,) any is true; (0, 0) if none is."""
    at = np.flatnonzero(mask)
    return (int(at[0]), int(at[-1]) + 1) if len(at) else (0, 0)


def join_spans(first: Span, second: Span) -> Span:
    """Return the span over both; an empty one adds nothing."""
    spans = [span for span in (first, second) if span[0] < span[1]]
    return (min(a for a, _ in spans), max(b for _, b in spans)) if spans else (0, 0)
