"""Pictures on the host: what cannot be read says what to type, a file is never half written, a cut is centerd."""

import io
import os
import re
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from camdaemon.errors import ConfigError
from camdaemon.frames import picture, pixels
from camdaemon.frames.frame import Size
from tests.kinds import copied, floats


def gradient(height: int, width: int) -> picture.Picture:
    """Red grows to the right, green downwards, blue is even: any swap of axes or channels shows."""
    rgb = np.full((height, width, 3), 77, np.uint8)
    rgb[..., 0] = np.linspace(0, 255, width)[None, :]
    rgb[..., 1] = np.linspace(0, 255, height)[:, None]
    return rgb


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_that_claims(side: int) -> bytes:
    """A few bytes that announce a picture of side × side pixels."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_what_is_written_is_read_again(tmp_path):
    path, rgb = tmp_path / "new" / "folder" / "a.png", gradient(36, 64)
    picture.write(path, rgb)
    assert np.array_equal(picture.read(path, "x"), rgb)
    assert [each.name for each in path.parent.iterdir()] == ["a.png"], "the partial file must be gone"


def test_a_reader_never_sees_half_a_file(tmp_path, monkeypatch):
    """The disk is full in the middle of writing: the old picture is still whole."""
    path = tmp_path / "plate.png"
    picture.write(path, gradient(36, 64))
    before = path.read_bytes()

    def cut_short(self, data):
        with self.open("wb") as file:
            file.write(data[:20])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_bytes", cut_short)
    with pytest.raises(OSError, match="No space left"):
        picture.write(path, gradient(72, 128))
    assert path.read_bytes() == before


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".jpg"])
def test_the_kinds_of_files_people_have(tmp_path, suffix):
    path, rgb = tmp_path / f"a{suffix}", gradient(90, 160)
    cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    assert np.abs(picture.read(path, "x").astype(int) - rgb).mean() < 4


@pytest.mark.parametrize("shape", [(36, 64), (36, 64, 4)], ids=["gray", "transparent"])
def test_gray_and_transparent_files_become_rgb(tmp_path, shape):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full(shape, 90, np.uint8))
    rgb = picture.read(path, "x")
    assert (rgb.shape, rgb.dtype) == ((36, 64, 3), np.uint8)
    assert (rgb == 90).all()


@pytest.mark.parametrize(
    "content",
    [b"", b"no picture", b"\x89PNG\r\n\x1a\n", png_that_claims(60_000)],
    ids=["empty", "text", "cut", "absurdly large"],
)
def test_a_broken_file_says_what_to_type(tmp_path, content):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r" --backdrop blur$") as wrong:
        picture.read(path, "--backdrop blur")
    assert str(path) in str(wrong.value)


NOISE = np.random.default_rng(3).integers(0, 256, (8, 12, 3), np.uint8)  # hidden under the transparent left half
SHOWN = (20, 180, 60)


def logo(mode: str, fmt: str, **options: object) -> bytes:
    """A picture whose left half is transparent, and whose right half is `SHOWN`."""
    rgba = np.dstack([NOISE, np.zeros((8, 12), np.uint8)])
    rgba[:, 6:] = (*SHOWN, 255)
    file = io.BytesIO()
    Image.fromarray(rgba).convert(mode).save(file, fmt, **options)
    return file.getvalue()


def indexed(fmt: str, mode: str, hidden: Any) -> bytes:
    """A picture of two colors, of which the first is transparent."""
    image = Image.new(mode, (12, 8), hidden if mode == "L" else 0)
    if mode == "P":
        image.putpalette([250, 0, 250, *SHOWN])
    image.paste(1 if mode == "P" else 118, (6, 0, 12, 8))
    file = io.BytesIO()
    image.save(file, fmt, transparency=hidden)
    return file.getvalue()


def deep_logo() -> bytes:
    bgra = np.dstack([NOISE, np.zeros((8, 12), np.uint8)]).astype(np.uint16) * 257
    bgra[:, 6:] = np.array((*SHOWN[::-1], 255), np.uint16) * 257
    return cv2.imencode(".png", bgra)[1].tobytes()


@pytest.mark.parametrize(
    ("data", "right"),
    [
        (logo("RGBA", "PNG"), SHOWN),
        (logo("RGBA", "WEBP", lossless=True), SHOWN),
        (logo("RGBA", "TIFF"), SHOWN),
        (logo("RGBA", "AVIF", quality=100), SHOWN),
        (logo("LA", "PNG"), (118,) * 3),
        (indexed("PNG", "P", 0), SHOWN),
        (indexed("PNG", "P", bytes([0, 255])), SHOWN),
        (indexed("GIF", "P", 0), SHOWN),
        (indexed("PNG", "L", 76), (118,) * 3),
        (deep_logo(), SHOWN),
    ],
    ids=["RGBA", "WebP", "TIFF", "AVIF", "gray", "palette", "palette of alphas", "GIF", "one gray level", "16 bits"],
)
def test_a_calm_color_shows_where_a_backdrop_is_transparent(data: bytes, right: tuple[int, int, int]) -> None:
    rgb = picture.decode(data, over=picture.CALM).astype(int)
    assert np.abs(rgb[:, :6] - picture.CALM).max() <= 1
    assert np.abs(rgb[2:, 8:] - right).max() <= 3  # AVIF's colors have half the resolution


def test_a_half_transparent_color_is_mixed() -> None:
    rgba = np.full((1, 1, 4), (200, 100, 0, 128), np.uint8)
    assert picture.lay_over(rgba, (0, 0, 255))[0, 0].tolist() == [100, 50, 127]


def test_what_is_no_backdrop_keeps_the_colors_under_its_transparent_parts() -> None:
    assert np.array_equal(picture.decode(logo("RGBA", "PNG"))[:, :6], NOISE[:, :6])


@pytest.mark.parametrize("over", [None, picture.CALM])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_turns_a_picture_whether_or_not_it_is_transparent(fmt: str, orientation: int, over: object) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    stored = Image.fromarray(gradient(24, 40)).convert("RGB" if fmt == "JPEG" else "RGBA")
    file = io.BytesIO()
    stored.save(file, fmt, exif=exif)
    upright = io.BytesIO()
    stored.convert("RGB").save(upright, "PNG", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(upright)), int)
    assert np.abs(picture.decode(file.getvalue(), over=cast("Any", over)) - expected).mean() < 4


@pytest.mark.parametrize(
    ("image", "fmt", "expected"),
    [
        (Image.new("CMYK", (12, 8), (235, 75, 195, 0)), "JPEG", SHOWN),
        (Image.fromarray(np.full((8, 12), 40_000, np.uint16)), "PNG", (156,) * 3),
        (Image.fromarray(np.full((8, 12), 40_000, np.uint16)), "TIFF", (156,) * 3),
        (Image.new("1", (12, 8), 1), "PNG", (255,) * 3),
    ],
    ids=["CMYK", "16 bits", "16 bits TIFF", "1 bit"],
)
def test_unusual_depths_and_colors(image: Image.Image, fmt: str, expected: tuple[int, int, int]) -> None:
    file = io.BytesIO()
    image.save(file, fmt)
    assert np.abs(picture.decode(file.getvalue()).astype(int) - expected).max() <= 3


# Skin, (141,117,106) in SDR, with white at 203 cd/m²: by BT.1886, BT.2087 and BT.2100, computed apart from `hdr`.
@pytest.mark.parametrize("depth", [8, 16])
def test_a_picture_in_pq_looks_as_it_did(depth: int) -> None:
    coded = np.array([0.424051, 0.399977, 0.378906]) * (255 if depth == 8 else 65535)
    bgr = np.broadcast_to(coded[::-1], (8, 12, 3)).round()
    data = cv2.imencode(".png", bgr.astype(np.uint8) if depth == 8 else bgr.astype(np.uint16))[1].tobytes()
    data = data[:33] + chunk(b"cICP", bytes((9, 16, 0, 1))) + data[33:]
    assert np.abs(picture.decode(data).astype(int) - (141, 117, 106)).max() <= (6 if depth == 8 else 2)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "empty", "absent", "large", "unreadable"])
def test_what_is_no_file_is_refused_unopened(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path = Path("/dev/zero")
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "large":
            path.write_bytes(bytes(9))
            monkeypatch.setattr(picture, "MOST_PICTURE_BYTES", 8)
        case "unreadable":
            path.write_bytes(bytes(9))
            monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigError, match=rf"{re.escape(str(path))}.*; try X$"):
        picture.read(path, "X")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff", ".bmp"])
@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
def test_a_file_cut_short_is_a_sentence_and_nothing_else(
    tmp_path: Path, suffix: str, cut: float, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"a{suffix}"
    data = cv2.imencode(suffix, np.random.default_rng(1).integers(0, 255, (90, 160, 3), np.uint8))[1].tobytes()
    path.write_bytes(data[: round(len(data) * cut)])
    picture.quiet_opencv()
    with suppress(ConfigError):
        assert picture.read(path, "X").shape == (90, 160, 3)
    assert capfd.readouterr() == ("", "")


def test_an_absent_file_and_a_folder_say_why(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.png.*No such file.*\bX$"):
        picture.read(tmp_path / "absent.png", "X")
    with pytest.raises(ConfigError, match=r"folder.*\bX$"):
        picture.read(tmp_path, "X")


def test_a_picture_that_fits_is_not_touched():
    rgb = gradient(72, 128)
    assert picture.cover(rgb, Size(128, 72)) is rgb


@pytest.mark.parametrize(("height", "width"), [(720, 1280), (200, 300), (300, 200), (40, 40), (36, 64), (50, 200)])
def test_the_cover_is_the_center_in_its_true_shape(height, width):
    """A disc in the middle stays a disc in the middle."""
    rgb = np.zeros((height, width, 3), np.uint8)
    y, x = np.mgrid[0:height, 0:width]
    radius = 0.2 * min(height, width)
    rgb[(y - (height - 1) / 2) ** 2 + (x - (width - 1) / 2) ** 2 < radius**2] = 255
    found = picture.cover(rgb, Size(128, 72))
    assert found.shape == (72, 128, 3)
    assert found.flags.c_contiguous
    rows, columns = np.nonzero(found[..., 0] > 127)
    assert abs(rows.mean() - 35.5) < 1.5
    assert abs(columns.mean() - 63.5) < 1.5
    assert (np.ptp(rows) + 1) / (np.ptp(columns) + 1) == pytest.approx(1, abs=0.15)


def test_a_large_picture_is_averaged_not_sampled():
    """A fine chequerboard becomes gray; taking every nth pixel would keep black or white."""
    board = np.indices((720, 1280)).sum(0) % 2 * 255
    found = picture.cover(np.repeat(board[..., None], 3, 2).astype(np.uint8), Size(128, 72))
    assert np.abs(found.astype(int) - 127).max() <= 2


def pixel_by_pixel(x):
    return (
        pixels.as_planes(pixels.interleave(x).copy())
        if pixels.is_host(x)
        else x.contiguous(memory_format=torch.channels_last)
    )


def plane_by_plane(x):
    return np.ascontiguousarray(x) if pixels.is_host(x) else x.contiguous()


@pytest.mark.parametrize("laid", [pixel_by_pixel, plane_by_plane])
@pytest.mark.parametrize(
    "of", [pixels.as_bytes, pixels.unit, floats, lambda x: floats(x).half()], ids=["u8", "host f32", "f32", "f16"]
)
def test_a_picture_of_either_kind_is_copied_to_the_host(of, laid):
    rgb = gradient(36, 64)
    for wanted in (rgb, rgb[..., 1]):
        given = copied(laid(of(pixels.as_planes(wanted.copy()))))
        found = picture.copy_to_host(given)
        assert (found.dtype, found.flags.c_contiguous) == (np.uint8, True)
        given[:] = 0
        assert np.array_equal(found, wanted), "a copy, since pictures are only borrowed"


def test_floats_out_of_range_do_not_wrap_and_are_rounded():
    values = torch.tensor([1.2, -0.1, 100.6 / 255])[None, :, None, None].expand(1, 3, 4, 8)
    for given in (values, values.numpy()):
        assert picture.copy_to_host(given)[2, 5].tolist() == [255, 0, 101]


@pytest.mark.parametrize("factor", [1.5, 2, 3, 4.7])
def test_a_smaller_picture_is_the_mean_of_what_it_covers(factor):
    """Fine stripes become gray, not other stripes; the middle stays the middle."""
    size = Size(160, 120)
    height, width = round(120 * factor), round(160 * factor)
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[:, ::2] = 200
    out = picture.cover(rgb, size)
    assert abs(out[:, 4:-4].mean() - 100) < 3
    middle = picture.cover(gradient(height, width), size)
    assert np.allclose(middle[..., 0].mean(0), np.linspace(0, 255, 160), atol=4)
    assert np.allclose(middle[..., 1].mean(1), np.linspace(0, 255, 120), atol=4)
