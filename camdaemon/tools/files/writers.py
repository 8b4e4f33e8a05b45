"""Writers of results: pictures, videos, folders of frames. A reader finds the whole result, or NAME.part."""

from __future__ import annotations

import contextlib
import errno
import shlex
from collections.abc import Iterator
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
from camdaemon.linux.drafts import FolderDraft
from camdaemon.linux.files import prepare_replacement
from camdaemon.output.film import H264, IN_ORDER, SUFFIXES, Encoding, Film
from camdaemon.output.sound import Sound
from camdaemon.tools.files.progress import warn
from camdaemon.tools.files.times import TIMES_FILE, are_even, write_times

VIDEOS = SUFFIXES
_ORDER = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
_LOSSLESS = Encoding("ffv1", "gray", {})
_GRAY = Encoding("libx264", "yuvj420p", {**IN_ORDER, "qp": "5"}, ColorRange.JPEG)


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
        raise cannot_write(path, exc) from None


def cannot_write(path: Path, exc: OSError) -> ConfigError:
    """Return the error for a result that cannot be written."""
    is_full = exc.errno in (errno.ENOSPC, errno.EDQUOT)
    what = "Make room on that disk. Run: df -h" if is_full else "Name a file in a folder of yours"
    return ConfigError(f"cannot write {path}: {exc.strerror or exc}. {what}")


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
    """Writes the pictures of a video one by one.

    Attributes:
        part: Where they are until all of them are written.
    """

    part: Path

    def write(self, pixels: Picture, name: str, t: float) -> None:
        """Write the next picture.

        Args:
            pixels: uint8 (H,W), (H,W,3) or (H,W,4).
            name: The frame's name without ending.
            t: When it is shown, in seconds since the first one.

        Raises:
            ConfigError, DeviceError: It cannot be written.
        """

    def finish(self) -> None:
        """Give the result its name: all pictures are written. Raises ConfigError or DeviceError."""

    def cut_off(self) -> bool:
        """Leave what is written as NAME.part; returns whether there is anything."""


class PngFolderWriter:
    """Writes one PNG per frame into a folder: lossless, and readable by every editor. See `FrameWriter`.

    Where the frame rate varies, a file with each frame's time stands beside them.

    Raises:
        ConfigError: The folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._draft = FolderDraft(folder)
        except OSError as exc:
            raise cannot_write(folder, exc) from None
        self.part, self._folder = self._draft.path, folder
        self._times: dict[str, float] = {}

    def write(self, pixels: Picture, name: str, t: float) -> None:
        """Write NAME.png."""
        write_png(self.part / f"{name}.png", pixels)
        self._times[f"{name}.png"] = t

    def finish(self) -> None:
        """Move the pictures to the folder."""
        varies = not are_even(list(self._times.values()))
        try:
            if varies:
                write_times(self.part / TIMES_FILE, self._times)
            self._draft.finish()
        except OSError as exc:
            raise cannot_write(self._folder, exc) from None
        if varies:
            script = shlex.quote(str(self._folder / TIMES_FILE))
            warn(f"The frame rate varies. For a film at the right times, run: ffmpeg -safe 0 -i {script} FILM.mkv")

    def cut_off(self) -> bool:
        """See `FrameWriter`."""
        if not self._times:
            self._draft.remove()
        return bool(self._times)


class FilmWriter:
    """Writes a video. See `FrameWriter`.

    Colors are H.264 as the live sink writes it. Alphas are FFV1 in .mkv: 8-bit gray, lossless. .mp4 and .mov cannot
    hold that; there they are H.264 with constant quantizer 5, alpha as full-range luma: off by about 1 of 255 at edges,
    and readable by every player and editor.

    Raises:
        ConfigError: It cannot be written.
    """

    def __init__(self, path: Path, size: Size, fps: float, *, gray: bool, sound: Sound | None = None) -> None:
        colors = _GRAY if path.suffix.lower() != ".mkv" else _LOSSLESS
        with contextlib.suppress(OSError):  # the film says it better
            path.parent.mkdir(parents=True, exist_ok=True)
        self._film = Film(path, size, fps, colors if gray else H264, sound)
        self._is_planar = colors is _GRAY
        self._frame = HostFrame.empty(PixelFormat.I420, size)
        self.part = self._film.part

    def write(self, pixels: Picture, name: str, t: float) -> None:
        """Write alphas, or the colors of RGB or RGBA."""
        self._film.write(self._frame_of(pixels), t)

    def _frame_of(self, pixels: Picture) -> av.VideoFrame:
        if pixels.ndim == 3:
            rgb = np.ascontiguousarray(pixels[:, :, :3])
            color.rgb_to_host(rgb, PixelFormat.I420, self._frame.data)
            return av.VideoFrame.from_ndarray(self._frame.data, format="yuv420p")
        if not self._is_planar:
            return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="gray")
        height, width = pixels.shape
        chroma = np.full((height // 2, width), 128, np.uint8)
        return av.VideoFrame.from_ndarray(np.concatenate([pixels, chroma]), format="yuvj420p")

    def finish(self) -> None:
        """Finish the file, with all of its sound."""
        self._film.finish(whole_sound=True)

    def cut_off(self) -> bool:
        """See `FrameWriter`."""
        return self._film.cut_off()


def make_writer(
    path: Path, size: tuple[int, int], fps: float, *, gray: bool, sound: Sound | None = None
) -> FrameWriter:
    """Make a writer for the frames of one result: a video, or a folder of PNGs if `path` has no ending.

    Args:
        path: The video or folder.
        size: Width and height of the frames.
        fps: About how many frames a video has per second.
        gray: Whether the frames are (H,W).
        sound: To copy into a video.

    Raises:
        ConfigError: It cannot be written, or is no kind of video.
    """
    check_video_path(path)
    if not path.suffix:
        return PngFolderWriter(path)
    try:
        fitting = Size(*size)
    except ConfigError:
        raise ConfigError(
            f"frames of {size[0]}x{size[1]} do not fit into a video, whose sides are multiples of 4 from 64 to 8192. "
            f"Name a folder, for one PNG each: {path.with_suffix('')}"
        ) from None
    return FilmWriter(path, fitting, fps, gray=gray, sound=sound)


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
