"""YUV of more than 8 bits and RGB: by the standards' formulas, exact to the code, and in FFmpeg's frames."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from camdaemon.frames import yuv
from camdaemon.frames.conversion import FrameConverter
from camdaemon.frames.video import Video
from tests.films import CLOCKWISE, corners_of, quarters, write_film

BT709, BT601, BT2020 = 1, 6, 9
MATRICES = (BT709, 4, 5, BT601, 7, BT2020)
RED = np.array([[[502, 512, 640]]], np.float32)  # BT.709, limited, 10 bits: Y' is 438/876, and Pr 128/896
# R = Y' + 2·(1 - 0.2126)·Pr and G = Y' - 2·(1 - 0.2126)·0.2126/0.7152·Pr, of 65535
RED_RGB = (0.5 + 1.5748 / 7, 0.5 - 1.5748 * 0.2126 / 0.7152 / 7, 0.5)


def test_a_color_of_bt709_is_what_its_formula_says() -> None:
    found = yuv.to_rgb(RED, 10, BT709, full=False)
    assert found.dtype == np.uint16
    assert np.abs(found[0, 0] - np.array(RED_RGB) * 65535).max() <= 0.51
    assert np.abs(yuv.from_rgb(found, 10, BT709, full=False) - RED).max() < 0.01


def test_black_white_and_what_lies_beyond() -> None:
    for bits in (8, 10, 12):
        step = 1 << (bits - 8)
        codes = np.array([[[16, 128, 128], [235, 128, 128], [5, 128, 128], [250, 128, 128]]], np.float32) * step
        assert yuv.to_rgb(codes, bits, BT709, full=False)[0, :, 1].tolist() == [0, 65535, 0, 65535]
        most, middle = (1 << bits) - 1, 1 << (bits - 1)
        codes = np.array([[[0, middle, middle], [most, middle, middle]]], np.float32)
        assert yuv.to_rgb(codes, bits, BT709, full=True)[0, :, 1].tolist() == [0, 65535]


@pytest.mark.parametrize("matrix", [*MATRICES, 2])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_every_code_comes_back(bits: int, full: bool, matrix: int) -> None:
    colors = np.random.default_rng(bits + matrix).integers(4000, 61000, (60, 80, 3), np.uint16)
    codes = yuv.quantize(yuv.from_rgb(colors, bits, matrix, full=full), bits)
    assert len(np.unique(codes)) > 150
    rgb = yuv.to_rgb(codes.astype(np.float32), bits, matrix, full=full)
    assert (yuv.quantize(yuv.from_rgb(rgb, bits, matrix, full=full), bits) == codes).all()


def test_matrices_differ_and_unknown_ones_are_that_of_bt601() -> None:
    found = [tuple(yuv.to_rgb(RED, 10, matrix, full=False)[0, 0].tolist()) for matrix in (BT709, 4, BT601, 7, BT2020)]
    assert len(set(found)) == 5
    for other in (2, 5, 99):
        assert tuple(yuv.to_rgb(RED, 10, other, full=False)[0, 0].tolist()) == found[2]


def test_subsampled_colors_lie_on_every_second_column_and_between_two_lines() -> None:
    plane = np.random.default_rng(1).random((6, 8)).astype(np.float32)
    columns = yuv.subsample(plane, 4, 6)
    for column in (1, 2, 3):
        left, here, right = (plane[:, 2 * column + by] for by in (-1, 0, 1))
        assert np.allclose(columns[:, column], (left + 2 * here + right) / 4)
    both = yuv.subsample(plane, 4, 3)
    assert np.allclose(both, (columns[::2] + columns[1::2]) / 2)
    assert yuv.subsample(plane[:5, :7], 4, 3).shape == (3, 4)
    assert yuv.subsample(plane, 8, 6) is plane
    assert np.allclose(yuv.subsample(np.full((5, 7), 3, np.float32), 4, 3), 3), "edges are as bright as the rest"


def frame_of(fmt: str, planes: list[np.ndarray], matrix: int = BT709, *, full: bool = False) -> av.VideoFrame:
    """Return a frame whose planes hold these samples, (H,W) uint16."""
    frame = av.VideoFrame(planes[0].shape[1], planes[0].shape[0], fmt)
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint16).reshape(values.shape[0], -1)
        rows[:, : values.shape[1]] = values
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    return frame


def convert(frame: av.VideoFrame) -> np.ndarray:
    stream = cast("VideoStream", SimpleNamespace(sample_aspect_ratio=Fraction(1)))
    return FrameConverter("film", "", frame, stream).deep_picture(frame).copy()


@pytest.mark.parametrize(
    ("fmt", "across", "down", "shift"),
    [("yuv420p10le", 2, 2, 0), ("yuv422p10le", 2, 1, 0), ("yuv444p10le", 1, 1, 0), ("p010le", 2, 2, 6)],
)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [BT709, BT601, BT2020])
def test_frames_of_ten_bits_are_what_the_formula_says(
    fmt: str, across: int, down: int, shift: int, full: bool, matrix: int
) -> None:
    luma = np.linspace(300, 700, 64).astype(np.uint16)[None].repeat(48, 0)
    u, v = (np.full((48 // down, 64 // across), value, np.uint16) for value in (470, 580))
    colors = [np.dstack([u, v]).reshape(48 // down, -1)] if fmt == "p010le" else [u, v]
    frame = frame_of(fmt, [each << shift for each in (luma, *colors)], matrix, full=full)
    codes = np.dstack([luma, np.full_like(luma, 470), np.full_like(luma, 580)]).astype(np.float32)
    expected = yuv.to_rgb(codes, 10, matrix, full=full).astype(int)
    assert np.abs(convert(frame) - expected).max() <= 16, "a quarter of one of 1023 levels"


def test_rgb_of_ten_bits_fills_the_range() -> None:
    ramp = np.linspace(0, 1023, 64).astype(np.uint16)[None].repeat(48, 0)
    found = convert(frame_of("gbrp10le", [ramp, ramp[:, ::-1], np.full_like(ramp, 341)], 0, full=True))
    expected = np.dstack([np.full_like(ramp, 341), ramp, ramp[:, ::-1]]) * (65535 / 1023)
    assert np.abs(found - expected).max() <= 0.51


@pytest.mark.parametrize(("full", "black", "white"), [(False, 64, 940), (True, 0, 1023)])
def test_gray_of_ten_bits_fills_the_range(full: bool, black: int, white: int) -> None:
    ramp = np.linspace(black, white, 64).astype(np.uint16)[None].repeat(48, 0)
    found = convert(frame_of("gray10le", [ramp], full=full))
    expected = ((ramp.astype(float) - black) / (white - black) * 65535)[..., None]
    assert np.abs(found - expected).max() <= 0.51


@pytest.mark.parametrize("square", [True, False])
@pytest.mark.parametrize("turned", [False, True])
def test_deep_frames_are_upright_and_square_if_asked(tmp_path: Path, square: bool, turned: bool) -> None:
    stored = quarters(64, 96)
    options: dict[str, Any] = {"matrix": CLOCKWISE} if turned else {}
    film = write_film(
        tmp_path / "a.mov",
        [(np.rot90(stored) if turned else stored).astype(np.uint16) * 257] * 2,
        codec="prores_ks",
        pix_fmt="yuv422p10le",
        aspect=Fraction(3, 2),
        fmt="rgb48le",
        **options,
    )
    video = Video(film, "film", "", square=square)
    found = video.convert.deep_picture(video.first).copy()
    video.close()
    high, wide = (96, 64) if not square else (144, 64) if turned else (96, 96)
    assert found.shape == (high, wide, 3)
    assert (video.size, video.convert.aspect) == (
        (wide, high),
        1 if square else Fraction(2, 3) if turned else Fraction(3, 2),
    )
    assert np.abs(corners_of(np.asarray(found // 257, np.uint8)).astype(int) - corners_of(stored)).max() < 8
