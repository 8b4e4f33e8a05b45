"""Writers of results: pictures, videos, folders of frames. A reader finds a whole file or none."""

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
def replace_file(path: Path) -> Iterator[Path]:
    """Replace `path` by what the block writes; see `prepare_replacement`.

    Yields:
        The path to write to, with the same ending.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        with prepare_replacement(path) as draft:
            yield draft
    except OSError as exc:
        raise ConfigError(f"cannot write {path}: {exc.strerror or exc}. Name a file in a folder of yours") from None


def write_png(path: Path, pixels: Picture) -> None:
    """Write uint8 (H,W) gray, (H,W,3) RGB or (H,W,4) RGBA.

    Raises:
        ConfigError: It cannot be written.
    """
    ordered = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, _ORDER[pixels.shape[2]])
    _, data = cv2.imencode(".png", ordered)
    with replace_file(path) as partial:
        partial.write_bytes(data.tobytes())


class FrameWriter(Protocol):
    """Writes the pictures of a video one by one."""

    def write(self, pixels: Picture, name: str) -> None:
        """Write the next picture, uint8 (H,W), (H,W,3) or (H,W,4); `name` is the frame's name without ending."""


class PngFolderWriter:
    """Writes one PNG per frame into a folder: lossless, and readable by every editor."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, pixels: Picture, name: str) -> None:
        """Write NAME.png; see `FrameWriter`."""
        write_png(self._folder / f"{name}.png", pixels)


class ColorVideoWriter:
    """Writes H.264 as the live sink does."""

    def __init__(self, path: Path, size: Size, fps: float) -> None:
        self._sink = FileSink(path, size, fps, paced=False)
        self._frame = HostFrame.empty(PixelFormat.I420, size)

    def write(self, pixels: Picture, name: str) -> None:
        """Write the colors of RGB or RGBA; see `FrameWriter`."""
        if pixels.shape[2] == 4:
            pixels = np.ascontiguousarray(pixels[:, :, :3])
        color.rgb_to_host(pixels, PixelFormat.I420, self._frame.data)
        self._sink.write(self._frame)

    def close(self) -> None:
        """Finish the file."""
        self._sink.close()


class GrayVideoWriter:
    """Writes alphas as a video: in .mkv FFV1, 8-bit gray, lossless.

    .mp4 and .mov cannot hold FFV1. There it is H.264 with constant quantizer 5, alpha as full-range luma: off by about
    1 of 255 at edges, and readable by every player and editor.
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
        """Write (H,W); see `FrameWriter`."""
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
def open_writer(path: Path, size: tuple[int, int], fps: float, *, gray: bool) -> Iterator[FrameWriter]:
    """Open a writer for the frames of one result: a video, or a folder of PNGs if `path` has no ending.

    Args:
        path: The video or folder.
        size: Width and height of the frames.
        fps: Frames per second of a video.
        gray: Whether the frames are (H,W).

    Raises:
        ConfigError: It cannot be written, or is no kind of video.
    """
    if not path.suffix:
        yield PngFolderWriter(path)
        return
    check_video_path(path)
    if size[0] % 4 or size[1] % 4:
        raise ConfigError(
            f"frames of {size[0]}x{size[1]} do not fit into a video, whose sides are multiples of 4. "
            f"Name a folder, for one PNG each: {path.with_suffix('')}"
        )
    with replace_file(path) as partial:
        file = (GrayVideoWriter if gray else ColorVideoWriter)(partial, Size(*size), fps)
        with contextlib.closing(file):
            yield file


def check_video_path(path: Path) -> None:
    """Check that `path` names a folder or a kind of video that can be written.

    Raises:
        ConfigError: It does not.
    """
    if path.suffix and path.suffix.lower() not in VIDEOS:
        raise ConfigError(
            f"{path} is no kind of video that can be written ({', '.join(VIDEOS)}). Name: {path.with_suffix('.mkv')}, "
            f"or a folder, for one PNG per frame: {path.with_suffix('')}"
        )
