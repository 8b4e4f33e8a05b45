"""Pictures of more than 8 bits: kept as exactly as their file has them, in full range, upright."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from camdaemon.errors import ConfigError
from camdaemon.frames import picture
from camdaemon.frames.frame import Size
from tests.frames.test_picture import chunk, gradient, logo


def deep_gradient(height: int, width: int, bits: int = 16) -> NDArray[np.uint16]:
    """Codes of so many bits, more of them than 8 bits have; any swap of axes or channels shows."""
    most = (1 << bits) - 1
    rgb = np.full((height, width, 3), most // 3, np.uint16)
    rgb[..., 0] = np.linspace(0, most, width)[None, :]
    rgb[..., 1] = np.linspace(0, most, height)[:, None]
    return rgb


def filled(codes: NDArray[np.uint16], most: int) -> NDArray[np.uint16]:
    """`codes` in the full range of 16 bits, by whole numbers."""
    return ((codes.astype(np.int64) * 65535 + most // 2) // most).astype(np.uint16)


def encode(rgb: picture.DeepPicture, suffix: str, *options: int) -> bytes:
    done, data = cv2.imencode(suffix, np.ascontiguousarray(rgb[..., [2, 1, 0, 3][: rgb.shape[2]]]), options)
    assert done
    return data.tobytes()


@pytest.fixture
def both(tmp_path: Path):
    """Reads the content of a file in its depth, and in 8 bits."""

    def read(data: bytes, over: picture.Color | None = None) -> tuple[picture.DeepPicture, picture.Picture]:
        path = tmp_path / "picture"
        path.write_bytes(data)
        return picture.read_deep(path, "x", over=over), picture.read(path, "x", over=over)

    return read


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".ppm", ".jp2"])
def test_16_bits_stay_exact(both, suffix: str) -> None:
    rgb = deep_gradient(300, 400)
    deep, plain = both(encode(rgb, suffix))
    assert deep.dtype == np.uint16
    assert np.array_equal(deep, rgb)
    assert np.abs(plain - rgb / 257).max() < 1


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_a_gray_picture_of_16_bits_becomes_rgb(both, suffix: str) -> None:
    gray = deep_gradient(30, 400)[..., 0]
    deep, _ = both(cv2.imencode(suffix, gray)[1].tobytes())
    assert deep.dtype == np.uint16
    assert np.array_equal(deep, np.repeat(gray[..., None], 3, axis=2))


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_every_depth_of_avif(both, bits: int) -> None:
    """4:4:4 and RGB without loss."""
    codes = deep_gradient(64, 1024, bits)
    source = codes if bits > 8 else codes.astype(np.uint8)
    data = encode(source, ".avif", cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_QUALITY, 100)
    deep, plain = both(data)
    most = (1 << bits) - 1
    assert np.array_equal(deep, filled(codes, most) if bits > 8 else codes)
    assert len(np.unique(deep[..., 0])) == min(1024, most + 1)
    assert np.abs(plain.astype(int) - (codes * (255 / most)).round()).max() <= 1


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "PPM", "JPEG2000"])
def test_8_bits_are_what_read_returns(both, fmt: str) -> None:
    file = io.BytesIO()
    Image.fromarray(gradient(36, 64)).save(file, fmt)
    deep, plain = both(file.getvalue())
    assert deep.dtype == np.uint8
    assert np.array_equal(deep, plain)


@pytest.mark.parametrize(("most", "head"), [(1023, b"P6 40 30 1023\n"), (127, b"P6\n# of a scanner\n40 30\n127\n")])
def test_a_ppm_says_which_code_is_white(both, most: int, head: bytes) -> None:
    codes = deep_gradient(30, 40)
    codes //= 65536 // (most + 1)
    deep, plain = both(head + codes.astype(">u2" if most > 255 else "u1").tobytes())
    expected = filled(codes, most) if most > 255 else (codes * (255 / most)).round()
    assert np.array_equal(deep, expected)
    assert np.abs(plain.astype(int) - codes * (255 / most)).max() <= 0.5


def test_a_jpeg2000_of_12_bits_fills_the_range(both) -> None:
    """Written with 16, then called 12: the middle moves from 2¹⁵ to 2¹¹."""
    codes = deep_gradient(60, 80, bits=12)[..., :1]
    data = bytearray(cv2.imencode(".jp2", codes + np.uint16(2**15 - 2**11))[1].tobytes())
    at = data.find(b"\xff\x4f\xff\x51") + 42
    assert data[at] == 15
    data[at] = 11
    deep, _ = both(bytes(data))
    assert np.array_equal(deep[..., :1], filled(codes, 4095))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("over", [None, picture.CALM])
def test_an_avif_stands_upright(both, mode: str, orientation: int, over: picture.Color | None) -> None:
    stored = Image.fromarray(gradient(24, 40))
    exif = Image.Exif()
    exif[274] = orientation
    png = io.BytesIO()
    stored.save(png, "PNG", exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(png)), int)
    avif = io.BytesIO()
    stored.convert(mode).save(avif, "AVIF", quality=100, exif=exif)
    for found in both(avif.getvalue(), over):
        assert found.shape == upright.shape
        assert np.abs(found - upright).mean() < 4


def exif_of(orientation: int) -> bytes:
    return b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0" + bytes([orientation, 0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("over", [None, picture.CALM])
@pytest.mark.parametrize("alpha", [False, True])
def test_16_bits_stand_upright(both, alpha: bool, over: picture.Color | None) -> None:
    """Held to the left (6): what was the left column is the upper row, from right to left."""
    rgb = deep_gradient(24, 40)
    data = encode(np.dstack([rgb, np.full((24, 40), 65535, np.uint16)]) if alpha else rgb, ".png")
    data = data[:33] + chunk(b"eXIf", exif_of(6)) + data[33:]
    deep, _ = both(data, over)
    assert np.array_equal(deep, np.rot90(rgb, -1))


def test_transparency_is_dropped_or_laid_over_a_color_in_16_bits(both) -> None:
    rgba = np.dstack([deep_gradient(20, 300), np.full((20, 300), 65535, np.uint16)])
    rgba[:10, :, 3] = 0
    rgba[10, :, 3] = 32768
    dropped, _ = both(encode(rgba, ".png"))
    assert np.array_equal(dropped, rgba[..., :3])
    laid, _ = both(encode(rgba, ".png"), (10, 20, 30))
    assert laid.dtype == np.uint16
    assert np.array_equal(laid[:10], np.broadcast_to(np.array([2570, 5140, 7710]), (10, 300, 3)))
    assert np.array_equal(laid[11:], rgba[11:, :, :3])
    assert np.abs(laid[10] - (rgba[10, :, :3] + np.array([2570, 5140, 7710])) / 2).max() < 2


def test_a_transparent_avif_of_10_bits_is_laid_over_a_color(both) -> None:
    rgba = np.dstack([deep_gradient(64, 64, 10), np.full((64, 64), 1023, np.uint16)])
    rgba[:32, :, 3] = 0
    data = encode(rgba, ".avif", cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 100)
    deep, plain = both(data, picture.CALM)
    assert (deep.dtype, plain.dtype) == (np.uint16, np.uint8)
    assert np.abs(deep[:30] / 257 - picture.CALM).max() <= 1
    assert np.abs(deep[34:].astype(int) - filled(rgba[34:, :, :3], 1023)).max() <= 65
    assert np.abs(deep / 257 - plain).max() <= 1


def test_a_transparent_picture_of_8_bits_stays_8_bits(both) -> None:
    deep, plain = both(logo("RGBA", "PNG"), picture.CALM)
    assert deep.dtype == np.uint8
    assert np.array_equal(deep, plain)


@pytest.mark.parametrize("depth", [8, 16])
def test_hdr_is_mapped_to_sdr_in_its_depth(both, depth: int) -> None:
    ramp = np.repeat(np.linspace(0, 0.7, 1000)[None, :, None], 3, axis=2)
    data = encode((ramp * 65535).astype(np.uint16) if depth == 16 else (ramp * 255).astype(np.uint8), ".png")
    deep, plain = both(data[:33] + chunk(b"cICP", bytes((9, 16, 0, 1))) + data[33:])
    assert deep.dtype == (np.uint8 if depth == 8 else np.uint16)
    assert np.abs(deep / (1 if depth == 8 else 257) - plain).max() <= 0.5
    if depth == 16:
        assert len(np.unique(deep)) > 900


def test_an_hdr_avif_of_10_bits_has_no_bands(both) -> None:
    codes = np.repeat(np.arange(700, dtype=np.uint16)[None, :, None], 3, axis=2).repeat(64, axis=0)
    data = encode(codes, ".avif", cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 100)
    data = data.replace(b"colrnclx\0\1\0\x0d", b"colrnclx\0\x09\0\x10")
    deep, plain = both(data)
    assert (deep.dtype, plain.dtype) == (np.uint16, np.uint8)
    assert len(np.unique(deep[0, :, 1])) == 700
    assert len(np.unique(plain)) <= 256


def test_an_alpha_of_10_bits_fills_the_range(tmp_path: Path) -> None:
    path = tmp_path / "alpha.avif"
    codes = np.repeat(np.arange(1024, dtype=np.uint16)[None, :, None], 3, axis=2).repeat(64, axis=0)
    path.write_bytes(encode(codes, ".avif", cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 100))
    gray = picture.read_gray(path, "x")
    assert gray.dtype == np.uint16
    assert (int(gray.min()), int(gray.max())) == (0, 65535)


def test_floats_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "gray.tiff"
    Image.fromarray(np.full((8, 12), 0.5, np.float32)).save(path)
    for read in (picture.read_deep, picture.read, picture.read_gray):
        with pytest.raises(ConfigError, match=f"{path}.*try another file$"):
            read(path, "another file")


def test_a_bomb_is_refused_by_the_same_door(tmp_path: Path) -> None:
    path = tmp_path / "large.ppm"
    path.write_bytes(b"P6 60000 60000 65535\n" + bytes(100))
    with pytest.raises(ConfigError, match="million"):
        picture.read_deep(path, "x")


@pytest.mark.parametrize("size", [Size(64, 64), Size(152, 64), Size(640, 480)])
def test_16_bits_are_cut_and_scaled_as_8_are(size: Size) -> None:
    rgb = deep_gradient(200, 300)
    covered = picture.cover(rgb, size)
    assert (covered.dtype, covered.shape) == (np.uint16, (size.height, size.width, 3))
    assert np.abs(covered / 257 - picture.cover((rgb / 257).round().astype(np.uint8), size)).max() < 2.5
    assert len(np.unique(picture.cover(deep_gradient(100, 1200), Size(1200, 64)))) > 1000
    assert picture.cover(rgb, Size(300, 200)) is rgb
