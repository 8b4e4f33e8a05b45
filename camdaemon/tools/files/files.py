"""Writing results so that a reader finds all of a file or none of it: pictures, alphas as video, folders of frames."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange

from camdaemon.errors import ConfigError
from camdaemon.frames import color
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.frames.picture import Picture
from camdaemon.linux.files import prepare_replacement
from camdaemon.output.file import FileSink

VIDEOS = (".mkv", ".mp4", ".mov")
_ORDER = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Gives a path to write to, with the same ending, that becomes `path` in the end. After an error nothing is left.

    Makes the folder. Raises ConfigError where it cannot be written.
    """
    try:
        with prepare_replacement(path) as draft:
            yield draft
    except OSError as exc:
        raise ConfigError(f"cannot write {path}: {exc.strerror or exc}; name a file in a folder of yours") from None


def write_png(path: Path, pixels: Picture) -> None:
    """Write uint8 (H,W) gray, (H,W,3) RGB or (H,W,4) RGBA. Raises ConfigError."""
    ordered = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, _ORDER[pixels.shape[2]])
    _, data = cv2.imencode(".png", ordered)
    with whole(path) as partial:
        partial.write_bytes(data.tobytes())


class Reel(Protocol):
    """Takes the pictures of a video one by one."""

    def write(self, pixels: Picture, name: str) -> None:
        """The next picture, uint8 (H,W), (H,W,3) or (H,W,4); `name` is the frame's, without ending."""


class PngFolder:
    """A folder of one PNG for each frame: lossless, and every editor reads it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, pixels: Picture, name: str) -> None:
        """See `Reel`."""
        write_png(self._folder / f"{name}.png", pixels)


class ColourFile:
    """H.264 as the live sink writes it."""

    def __init__(self, path: Path, size: Size, fps: float) -> None:
        self._sink = FileSink(path, size, fps, paced=False)
        self._frame = HostFrame.empty(PixelFormat.I420, size)

    def write(self, pixels: Picture, name: str) -> None:
        """See `Reel`; of RGBA the colours."""
        if pixels.shape[2] == 4:
            pixels = np.ascontiguousarray(pixels[:, :, :3])
        color.rgb_to_host(pixels, PixelFormat.I420, self._frame.data)
        self._sink.write(self._frame)

    def close(self) -> None:
        """Finish the file."""
        self._sink.close()


class GrayFile:
    """An alpha as video. In .mkv lossless: FFV1, 8-bit gray.

    In .mp4 and .mov, which cannot hold that, H.264 of constant quantiser 5, the alpha as luma over the full range: off
    by about 1 of 255 at edges, and every player and editor opens it.
    """

    def __init__(self, path: Path, size: Size, fps: float) -> None:
        self._lossless = path.suffix.lower() == ".mkv"
        self._container = av.open(str(path), "w")
        rate = Fraction(fps).limit_denominator(1001)
        add = self._container.add_stream
        stream = add("ffv1", rate) if self._lossless else add("libx264", rate)
        stream.width, stream.height = size.width, size.height
        stream.pix_fmt = "gray" if self._lossless else "yuvj420p"
        if not self._lossless:
            stream.codec_context.options = {"preset": "veryfast", "qp": "5"}
            stream.codec_context.color_range = ColorRange.JPEG
        self._stream = stream

    def write(self, pixels: Picture, name: str) -> None:
        """See `Reel`; (H,W) only."""
        if self._lossless:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="gray")
        else:
            height, width = pixels.shape
            chroma = np.full((height // 2, width), 128, np.uint8)
            frame = av.VideoFrame.from_ndarray(np.concatenate([pixels, chroma]), format="yuvj420p")
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file."""
        self._container.mux(self._stream.encode(None))
        self._container.close()


@contextlib.contextmanager
def reel(path: Path, size: tuple[int, int], fps: float, *, gray: bool) -> Iterator[Reel]:
    """Where the frames of one result go: a video by its ending, or a folder of PNGs when it has none.

    size: width and height of the frames.   fps: frames per second of a video.   Raises ConfigError.
    """
    if not path.suffix:
        yield PngFolder(path)
        return
    check_video(path)
    if size[0] % 4 or size[1] % 4:
        raise ConfigError(
            f"frames of {size[0]}x{size[1]} do not fit into a video (multiples of 4 are needed); "
            f"name a folder, for one PNG each: {path.with_suffix('')}"
        )
    with whole(path) as partial:
        file = (GrayFile if gray else ColourFile)(partial, Size(*size), fps)
        with contextlib.closing(file):
            yield file


def check_video(path: Path) -> None:
    """Raise ConfigError unless `path` names a folder or a kind of video that can be written."""
    if path.suffix and path.suffix.lower() not in VIDEOS:
        raise ConfigError(
            f"{path} is no kind of video that can be written ({', '.join(VIDEOS)}); try {path.with_suffix('.mkv')}, "
            f"or a folder, for one PNG for each frame: {path.with_suffix('')}"
        )
