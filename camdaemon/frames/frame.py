"""The types of pictures: their size, their pixel format, and a frame in host memory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from camdaemon.errors import ConfigError

if TYPE_CHECKING:
    from camdaemon.frames.card import Card

_SMALLEST, _LARGEST = 64, 8192


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels, both multiples of 4 (the refiner's patch, Lin et al. 2021 §3.3) in 64..8192."""

    width: int
    height: int

    def __post_init__(self) -> None:
        for side in (self.width, self.height):
            if side % 4 or not _SMALLEST <= side <= _LARGEST:
                near = Size.within(max(self.width, _SMALLEST), max(self.height, _SMALLEST))
                raise ConfigError(
                    f"{self.width}x{self.height}: both sides must be multiples of 4 from {_SMALLEST} to "
                    f"{_LARGEST} pixels; try --size {near}"
                )

    @classmethod
    def parse(cls, text: str) -> Size:
        """Parse WIDTHxHEIGHT, such as '1280x720'. Raises ConfigError for anything else."""
        found = re.fullmatch(r"\s*(\d{1,6})\s*[xX]\s*(\d{1,6})\s*", text)
        if not found:
            raise ConfigError(f"{text!r} is not WIDTHxHEIGHT in pixels; try --size 1280x720")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def within(cls, width: int, height: int) -> Size:
        """Return the largest legal size within width × height pixels. Raises ConfigError when that is too small."""
        return cls(min(width, _LARGEST) // 4 * 4, min(height, _LARGEST) // 4 * 4)

    @classmethod
    def around(cls, width: int, height: int) -> Size:
        """Return the smallest legal size that holds width × height pixels. Raises ConfigError if that is too large."""
        return cls(*(max(_SMALLEST, -(-side // 4) * 4) for side in (width, height)))

    def limit(self, width: int, height: int) -> Size:
        """Return the size for a picture of width × height, which is not to be larger than this size, nor enlarged.

        It is this size for a picture that covers it, as 1920x1080 or 1280x960 cover 1280x720: its edges are cut off.
        Any other picture, an upright one for instance, keeps its shape and is reduced until it fits.
        """
        is_of_a_kind = (width < height) == (self.width < self.height)  # both upright, or neither
        if is_of_a_kind and width >= self.width and height >= self.height:
            return self
        share = min(1.0, self.width / width, self.height / height)
        return Size.within(max(_SMALLEST, int(width * share)), max(_SMALLEST, int(height * share)))

    def cover(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return (x, y, w, h) of the largest centerd part of a width × height picture with this size's aspect ratio."""
        scale = min(width / self.width, height / self.height)
        w, h = (max(1, min(most, round(side * scale))) for most, side in ((width, self.width), (height, self.height)))
        return (width - w) // 2, (height - h) // 2, w, h

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


CAMERA_SIZE = Size(1280, 720)  # where nobody says otherwise


class PixelFormat(StrEnum):
    """Layouts of uint8 pixels in host memory. YUV is BT.601, limited range (see `color`)."""

    RGB = "RGB"  # (H, W, 3)
    BGR = "BGR"  # (H, W, 3)
    YUYV = "YUYV"  # (H, W, 2): Y0 U Y1 V
    NV12 = "NV12"  # (H·3/2, W): Y plane, then interleaved UV at half size
    I420 = "I420"  # (H·3/2, W): Y plane, then U, then V, each at half size

    def shape(self, size: Size) -> tuple[int, ...]:
        """Return the shape of the uint8 array that holds a picture of `size` pixels."""
        match self:
            case PixelFormat.RGB | PixelFormat.BGR:
                return (size.height, size.width, 3)
            case PixelFormat.YUYV:
                return (size.height, size.width, 2)
            case _:
                return (size.height * 3 // 2, size.width)


class Content(StrEnum):
    """What a frame shows. `HostFrame.may_publish` decides by it, and fails closed."""

    ROOM = "room"  # straight from the camera
    COMPOSITE = "composite"  # the person over the backdrop
    CARD = "card"  # the privacy card


@dataclass(slots=True)
class HostFrame:
    """One picture in host memory, with exactly one owner at a time.

    Attributes:
        data: uint8, of the shape `fmt.shape(size)`.
        fmt: Layout of `data`.
        size: In pixels.
        seq: Number of the camera frame it came from, from 0; -1 before it has one.
        t: Capture time of that camera frame, in seconds of time.monotonic(), or of the clip if it is not paced. Stays
            the same from the camera to the sink.
        content: What it shows; the room until the opposite is known.
        matte_seq: For a composite, `seq` of the frame that its matte was computed from.
        card: Which card it shows, where it is one.
        backdrop: For a composite, the spec of its backdrop.
        is_frozen: Whether it is the composite of a pause, shown again.
    """

    data: NDArray[np.uint8]
    fmt: PixelFormat
    size: Size
    seq: int = -1
    t: float = 0.0
    content: Content = Content.ROOM
    matte_seq: int | None = None
    card: Card | None = None
    backdrop: str = ""
    is_frozen: bool = False

    @classmethod
    def empty(cls, fmt: PixelFormat, size: Size) -> HostFrame:
        """Make a frame with memory of its own, black in RGB."""
        return cls(np.zeros(fmt.shape(size), np.uint8), fmt, size)

    def may_publish(self, *, allow_raw: bool) -> bool:
        """Whether viewers may see it: a card, or a composite whose matte is of this very frame.

        Args:
            allow_raw: Whether the user has asked to show the room, too.
        """
        match self.content:
            case Content.CARD:
                return True
            case Content.COMPOSITE:
                return self.matte_seq == self.seq
            case Content.ROOM:
                return allow_raw

    def __repr__(self) -> str:
        return f"HostFrame({self.content} {self.fmt} {self.size}, seq={self.seq}, t={self.t:.3f}, {self.data.shape})"
