"""Clips with a known alpha: NAME.mp4, NAME-alpha.mp4, and NAME-plate.png or a plate taken from the empty seconds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange

from camdaemon.errors import ConfigError
from camdaemon.frames.decoder import to_bytes
from camdaemon.frames.picture import Picture
from camdaemon.frames.video import Video
from camdaemon.linux.listing import list_files
from camdaemon.tools.evaluate.metrics import Alpha
from camdaemon.tools.films.source import FrameSequence, Span

_ENDINGS = (".mp4", ".mov", ".mkv")


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip with a known alpha.

    Attributes:
        name: Of the clip.
        video: What the camera saw.
        alpha: Video of the truth.
        plate: Path of a picture, or 'auto'.
    """

    name: str
    video: FrameSequence
    alpha: Path
    plate: str


def find_clips(folder: Path, *, take_plates: bool) -> list[Clip]:
    """Find every clip in `folder`.

    Args:
        folder: The folder.
        take_plates: Take plates from the clips even if there are pictures of them.

    Raises:
        ConfigError: There is no clip.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder. Run with: --clips FOLDER")
    files = list_files(folder, _ENDINGS)
    alphas = {path.stem.removesuffix("-alpha"): path for path in files if path.stem.endswith("-alpha")}
    clips = [path for path in files if path.stem in alphas]
    if not clips:
        raise ConfigError(f"{folder} has no clip NAME.mp4 with its truth NAME-alpha.mp4. Run with: --clips FOLDER")
    return [Clip(path.stem, _open(path), alphas[path.stem], _plate(path, take_plates)) for path in clips]


def _open(path: Path) -> FrameSequence:
    film = FrameSequence.open(path).take(Span(), None, deep=False)
    if any(side % 4 for side in film.size):
        width, height = (side // 4 * 4 for side in film.size)
        raise ConfigError(
            f"{path} is {film.size[0]}x{film.size[1]}, and sides have to be multiples of 4. "
            f"Run, for it and its truth: ffmpeg -i {path} -vf crop={width}:{height} even.mp4"
        )
    return film


def _plate(clip: Path, take: bool) -> str:
    path = clip.with_name(f"{clip.stem}-plate.png")
    return str(path) if path.is_file() and not take else "auto"


def read_pairs(clip: Clip) -> Iterator[tuple[str, Picture, Alpha]]:
    """Yield name, picture (H,W,3), valid until the next one, and true alpha (H,W) of each frame.

    Raises:
        ConfigError: The truth ends before the clip, or a file cannot be read.
    """
    truths = read_truth(clip.alpha, clip.video.size)
    for seq, (name, _, rgb) in enumerate(clip.video.frames()):
        true = next(truths, None)
        if true is None:
            raise ConfigError(f"{clip.alpha} ends before its clip, after {seq} frames: make it again from the clip")
        yield name, to_bytes(rgb), true


def read_truth(path: Path, size: tuple[int, int]) -> Iterator[Alpha]:
    """Yield the alphas in a video, float (H,W), 0..1, cropped about the center to `size` (width, height).

    They are its luma, in the range that the file declares, or the first channel of RGB.

    Raises:
        ConfigError: The video is smaller than `size`.
    """
    with contextlib.closing(Video(path, "truth", "Make it again from the clip")) as video:
        for _, frame in video.play(loop=False):
            values = _luma(video, frame)
            height, width = values.shape
            left, top = (width - size[0]) // 2, (height - size[1]) // 2
            cut = values[max(top, 0) : top + size[1], max(left, 0) : left + size[0]]
            if cut.shape != size[::-1]:
                raise ConfigError(f"{path} is {width}x{height}, smaller than its clip: make it again from the clip")
            yield np.ascontiguousarray(cut)


def _luma(video: Video, frame: av.VideoFrame) -> Alpha:
    if frame.format.is_rgb:
        return np.asarray(video.convert.picture(frame)[..., 0], np.float32) / np.float32(255)
    values = np.asarray(video.convert.luma(frame), np.float32)
    if frame.color_range == ColorRange.MPEG:
        return np.asarray(np.clip((values - 16) / np.float32(219), 0, 1))
    return values / np.float32(255)
