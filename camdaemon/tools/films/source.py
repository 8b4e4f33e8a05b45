"""What `camdaemon video` mattes: the frames of a film or of a folder, or a span of them, upright and in their depth."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from av.codec.hwaccel import HWAccel
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from camdaemon.errors import ConfigError, DeviceError
from camdaemon.frames import hdr, picture
from camdaemon.frames.conversion import count_bits
from camdaemon.frames.decoder import to_depth
from camdaemon.frames.picture import DeepPicture
from camdaemon.frames.video import Video
from camdaemon.tools.files.fitting import resize
from camdaemon.tools.files.listing import PICTURES, list_pictures

_ADVICE = "Run: ffprobe {}, or: camdaemon video --src FOLDER"
_RGB = 0  # FFmpeg's AVCOL_SPC_RGB
_CUT_OFF = 0.1  # of the duration: sound may be longer than the picture


class Tags(NamedTuple):
    """What a film says of its colors, as ITU-T H.273 numbers them; 2: it does not say.

    Attributes:
        range: 1 is limited (16..235 of 255), 2 is full; 0: it does not say.
        matrix: How YUV becomes RGB.
        primaries: Of RGB.
        transfer: How light is coded.
    """

    range: int = ColorRange.MPEG
    matrix: int = Colorspace.ITU709
    primaries: int = ColorPrimaries.BT709
    transfer: int = ColorTrc.BT709


SDR = Tags()  # of pictures, and of what was mapped from HDR


class Frame(NamedTuple):
    """A frame of a film.

    Attributes:
        name: Without ending: of its file, or its number.
        t: When it is shown, in seconds since the first frame.
        rgb: uint8 or uint16 (H,W,3), valid until the next frame.
    """

    name: str
    t: float
    rgb: DeepPicture


@dataclass(frozen=True, slots=True)
class Span:
    """What is taken of a film.

    Attributes:
        start: Seconds from its first frame on.
        end: Frames are before it.
    """

    start: float = 0.0
    end: float = math.inf


@dataclass(frozen=True, slots=True)
class FrameSequence:
    """A film, or a folder of frames in the order of their names, in which numbers are numbers.

    Attributes:
        path: The file or folder.
        size: Width and height of its frames, upright.
        fps: Frames per second.
        count: About the number of frames; None: unknown.
        is_timed: Whether the frames have their own times, which the rate is the mean of; else they are evenly spaced.
        deep: Whether its frames are uint16 instead of uint8.
        aspect: Of a pixel, width to height.
        tags: Of its colors, and so of the results'.
        span: What is taken of it.
        hwaccel: What decodes it instead of the processor, where it can.
        stored: Width and height before frames are scaled; None: they are not.
    """

    path: Path
    size: tuple[int, int]
    fps: float
    count: int | None
    is_timed: bool = False
    deep: bool = False
    aspect: Fraction = Fraction(1)
    tags: Tags = SDR
    span: Span = Span()
    hwaccel: HWAccel | None = None
    stored: tuple[int, int] | None = None

    @classmethod
    def open(cls, path: Path, fps: float | None = None, hwaccel: HWAccel | None = None) -> FrameSequence:
        """Read the facts of `path`.

        Args:
            path: The file or folder.
            fps: Frames per second; None: those of the film, 30 for a folder.
            hwaccel: What decodes a film instead of the processor, where it can.

        Raises:
            ConfigError: It cannot be read.
        """
        if os.path.isdir(path):
            files = _list_frames(path)
            first = picture.read_deep(files[0], "another --src FOLDER")
            height, width = first.shape[:2]
            return cls(path, (width, height), fps or 30.0, len(files), deep=first.dtype == np.uint16)
        with contextlib.closing(_open(path, hwaccel)) as video:
            first_frame = video.first
            tags = Tags(*map(int, (first_frame.color_range, first_frame.colorspace,
                                   first_frame.color_primaries, first_frame.color_trc)))  # fmt: skip
            is_plain = hdr.is_hdr(tags.transfer) or tags.matrix == _RGB or first_frame.format.is_rgb
            return cls(
                path,
                video.size,
                fps or video.fps,
                video.count,
                is_timed=fps is None,
                deep=count_bits(first_frame) > 8,
                aspect=video.convert.aspect,
                tags=SDR if is_plain else tags,
                hwaccel=hwaccel,
            )

    def take(self, span: Span, size: tuple[int, int] | None, *, deep: bool | None = None) -> FrameSequence:
        """Return the same with only a span of it, scaled, or in another depth.

        Args:
            span: What is taken.
            size: Width and height, of square pixels; None: as they are.
            deep: Whether frames are uint16; None: those of the source.

        Raises:
            ConfigError: The span is empty.
        """
        if not 0 <= span.start < span.end:
            raise ConfigError(
                f"nothing lies between {span.start:g} s and {span.end:g} s. Run with: --start SECONDS --end LATER"
            )
        count = self.count
        if count is not None:
            count = max(1, math.ceil(min(count, span.end * self.fps)) - math.floor(span.start * self.fps))
        depth = self.deep if deep is None else deep
        aspect = self.aspect if size is None else Fraction(1)
        stored = self.stored if size is None else self.stored or self.size
        return replace(self, span=span, size=size or self.size, aspect=aspect, count=count, deep=depth, stored=stored)

    def frames(self, skip: int = 0) -> Generator[Frame, None, None]:
        """Yield the frames; their times are the film's own, unless a frame rate was asked for.

        Args:
            skip: Frames that are left out at the beginning, whose time is known already.

        Raises:
            ConfigError: A frame cannot be read or has another size, or the film cannot be read any further.
        """
        yield from self._read_folder(skip) if os.path.isdir(self.path) else self._decode(skip)

    def first(self) -> DeepPicture:
        """Return the first frame, in memory of its own. Raises ConfigError: as `frames`, or there is none."""
        with contextlib.closing(self.frames()) as frames:
            if (found := next(frames, None)) is not None:
                return found.rgb.copy()
        raise self.explain_empty()

    def explain_empty(self) -> ConfigError:
        """Return the error for a span without a frame."""
        return ConfigError(f"{self.path} has no frame from {self.span.start:g} s on. Run with another --start SECONDS")

    def is_cut_off(self, end: float) -> bool:
        """Tell whether it ends long before it says that it does.

        Args:
            end: When its last frame is shown, in seconds since the first one.
        """
        if self.count is None or not self.is_timed or self.span != Span():
            return False
        duration = self.count / self.fps
        return duration - end > max(1.0, _CUT_OFF * duration)

    def _read_folder(self, skip: int) -> Iterator[Frame]:
        stored: tuple[int, int] | None = None
        begin: float | None = None
        seq = -1
        for number, file in enumerate(_list_frames(self.path)):
            t = number / self.fps
            if not self.span.start <= t < self.span.end:
                continue
            begin, seq = t if begin is None else begin, seq + 1
            if seq < skip:
                continue
            rgb = picture.read_deep(file, "another --src FOLDER")
            found = (rgb.shape[1], rgb.shape[0])
            stored = stored or found
            if found != stored:
                raise ConfigError(
                    f"{file} is {found[0]}x{found[1]}, the first frame {stored[0]}x{stored[1]}: frames "
                    "of one camera have one size. For single pictures, run: camdaemon image"
                )
            yield Frame(file.stem, t - begin, resize(to_depth(rgb, deep=self.deep), *self.size))

    def _decode(self, skip: int) -> Iterator[Frame]:
        with contextlib.closing(_open(self.path, self.hwaccel)) as video:
            begin: float | None = None
            seq = -1
            try:
                for number, (due, decoded) in enumerate(video.play(loop=False)):
                    t = due if self.is_timed else number / self.fps
                    if t >= self.span.end:
                        return
                    if t < self.span.start:
                        continue
                    begin, seq = t if begin is None else begin, seq + 1
                    if seq >= skip:
                        convert = video.convert.deep_picture if self.deep else video.convert.picture
                        yield Frame(f"{seq:06d}", t - begin, resize(convert(decoded), *self.size))
            except DeviceError as exc:  # no device: the file that was named is not what it should be
                raise ConfigError(str(exc)) from None


def _open(path: Path, hwaccel: HWAccel | None) -> Video:
    return Video(path, "source", _ADVICE.format(path), square=False, hwaccel=hwaccel)


def _list_frames(folder: Path) -> list[Path]:
    files = list_pictures(folder)
    if not files:
        raise ConfigError(f"{folder} has no pictures ({', '.join(PICTURES)}). Run with: --src FOLDER or --src VIDEO")
    return files
