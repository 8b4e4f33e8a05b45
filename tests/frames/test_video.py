"""Videos from files: shown as players show them. Every film here is written by the test itself."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from camdaemon.capture.file import FileSource
from camdaemon.frames import color
from camdaemon.frames.frame import HostFrame, PixelFormat, Size
from camdaemon.frames.video import Video
from tests.films import CLOCKWISE, CORNERS, corners_of, quarters, write_film

_ONE = 1 << 16
# How each way to lay a film down is stored, and the matrix that says so.
LAID = {
    "upright": (lambda rgb: rgb, (_ONE, 0, 0, 0, _ONE, 0, 0, 0, 1 << 30)),
    "clockwise": (lambda rgb: np.rot90(rgb, 1), CLOCKWISE),
    "on its head": (lambda rgb: np.rot90(rgb, 2), (-_ONE, 0, 0, 0, -_ONE, 0, 0, 0, 1 << 30)),
    "counterclockwise": (lambda rgb: np.rot90(rgb, -1), (0, -_ONE, 0, _ONE, 0, 0, 0, 0, 1 << 30)),
    "mirrored": (lambda rgb: rgb[:, ::-1], (-_ONE, 0, 0, 0, _ONE, 0, 0, 0, 1 << 30)),
    "flipped": (lambda rgb: rgb[::-1], (_ONE, 0, 0, 0, -_ONE, 0, 0, 0, 1 << 30)),
    "transposed": (lambda rgb: rgb.swapaxes(0, 1), (0, _ONE, 0, _ONE, 0, 0, 0, 0, 1 << 30)),
    "transposed on its head": (
        lambda rgb: np.rot90(rgb, 2).swapaxes(0, 1),
        (0, -_ONE, 0, -_ONE, 0, 0, 0, 0, 1 << 30),
    ),
}


def read_first(path: Path, *, raw: bool) -> tuple[FileSource, np.ndarray]:
    """The source, closed again, and its first frame as RGB."""
    with closing(FileSource(path, loop=False, paced=False, raw=raw)) as source:
        frame = HostFrame.empty(source.fmt, source.size)
        source.read(frame)
    return source, color.host_to_rgb(frame.data, frame.fmt)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("way", LAID)
def test_a_film_is_shown_upright_however_the_camera_was_held(tmp_path: Path, way: str, raw: bool) -> None:
    lay, matrix = LAID[way]
    source, rgb = read_first(write_film(tmp_path / "a.mp4", [lay(quarters(64, 96))] * 2, matrix=matrix), raw=raw)
    assert (source.size, source.fmt) == (Size(64, 96), PixelFormat.I420 if raw else PixelFormat.RGB)
    np.testing.assert_allclose(corners_of(rgb), CORNERS, atol=5)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(
    ("stored", "aspect", "matrix", "shown"),
    [
        ((72, 64), Fraction(16, 9), None, (128, 64)),  # as DVDs and camcorders store 16:9
        ((128, 64), Fraction(1, 2), None, (64, 64)),
        ((96, 72), Fraction(4, 3), CLOCKWISE, (72, 128)),
        ((96, 72), Fraction(1281, 1280), None, (96, 72)),  # rounding of another program
    ],
)
def test_pixels_become_square(
    tmp_path: Path,
    stored: tuple[int, int],
    aspect: Fraction,
    matrix: tuple[int, ...] | None,
    shown: tuple[int, int],
    raw: bool,
) -> None:
    upright = stored if matrix is None else stored[::-1]
    pixels = quarters(*upright) if matrix is None else np.rot90(quarters(*upright))
    path = write_film(tmp_path / "a.mp4", [pixels] * 2, aspect=aspect, matrix=matrix)
    source, rgb = read_first(path, raw=raw)
    assert (source.size.width, source.size.height) == source.shown == shown
    np.testing.assert_allclose(corners_of(rgb), CORNERS, atol=5)


def test_a_frame_that_is_upright_is_not_copied(tmp_path: Path) -> None:
    with closing(Video(write_film(tmp_path / "a.mp4", [quarters(96, 64)]), "source", "X")) as video:
        luma = video.planes(video.first, "yuv420p")[0]
        assert np.shares_memory(luma, np.frombuffer(memoryview(video.first.planes[0]), np.uint8))
